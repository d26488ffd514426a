#include <algorithm>

#include "kernels/cpu/cpu_backend.h"
#include "libcore/base/check.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {

Status HeadStats(Backend& backend, const HeadStatsArgs& args) {
  const FlushDenormals flush;
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  CpuBackend& self = Self(backend);
  const int64_t num_chunks = args.num_columns / args.chunk_columns;
  self.pool().ForEach(args.num_rows * num_chunks, [&](int64_t index, int) {
    const int64_t chunk = index % num_chunks;
    const int64_t first_id = args.column_begin + chunk * args.chunk_columns;
    args.out[index] = self.kernels().head_stats({
        .logits = args.logits + index * args.chunk_columns,
        .count = std::clamp<int64_t>(args.vocab_size - first_id, 0, args.chunk_columns),
        .first_id = first_id,
    });
  });
  return OkStatus();
}

}  // namespace nemo::cpu
