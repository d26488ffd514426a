#include "libcore/runtime/shard_draw.h"

#include "kernels/cpu/cpu_backend.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {

Status ShardDraw(Backend& backend, const ShardDrawArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  WorkerPool& pool = Self(backend).pool();
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  pool.ForEach(args.num_draws, [&](int64_t draw, int) { ScaleForDraw(args, draw); });
  pool.ForEach(args.num_draws * num_chunks, [&](int64_t index, int) {
    DrawFromChunk(args, index / num_chunks, index % num_chunks);
  });
  pool.ForEach(args.num_draws, [&](int64_t draw, int) { ListBest(args, draw); });
  return OkStatus();
}

Status PickLogits(Backend&, const PickLogitsArgs& args) {
  nemo::PickLogits(args);
  return OkStatus();
}

}  // namespace nemo::cpu
