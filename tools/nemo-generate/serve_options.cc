// How much a server can hold: the sizes of its KV cache.
#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/runtime/kv_cache.h"
#include "libcore/runtime/rank_shape.h"
#include "libcore/runtime/stage.h"
#include "tools/nemo-generate/serve.h"

namespace nemo {
namespace {

/// A page of the rank whose pages are largest: pages are counted alike on all ranks.
Result<int64_t> LargestPageBytes(const Session& session) {
  int64_t largest = 1;
  for (int64_t rank = 0; rank < session.model.layout.world_size(); ++rank) {
    NEMO_ASSIGN_OR_RETURN(const RankShape shape,
                          ShapeOfRank(session.model.checkpoint.config, session.model.layout, rank));
    KvCacheOptions options;
    options.num_layers = std::ssize(shape.layers);
    options.num_kv_heads = shape.num_kv_heads;
    options.head_dim = shape.head_dim;
    options.element_bytes = Stage::ElementBytes(session.model.machine.profile());
    largest = std::max(largest, KvCache::BytesPerPage(options));
  }
  return largest;
}

}  // namespace

Result<EngineOptions> ServerEngineOptions(const Session& session) {
  const GenerateJob& job = session.job;
  const int64_t context = session.model.checkpoint.config.max_position_embeddings;
  EngineOptions options;
  options.max_sequences = job.machine.max_batch_size;
  options.max_sequence_tokens =
      job.serve.max_sequence_tokens > 0 ? job.serve.max_sequence_tokens : context;
  if (options.max_sequence_tokens > context) {
    return InvalidArgument(Format("--max-sequence-tokens {}: the model's context has {}",
                                  options.max_sequence_tokens, context));
  }
  if (job.serve.kv_memory_bytes == 0) return options;
  NEMO_ASSIGN_OR_RETURN(const int64_t page_bytes, LargestPageBytes(session));
  const int64_t one = PagesFor(options.max_sequence_tokens);
  options.kv_pages = std::min(job.serve.kv_memory_bytes / page_bytes, one * options.max_sequences);
  if (options.kv_pages >= one) return options;
  return InvalidArgument(
      Format("--kv-memory {}: a sequence of {} tokens takes {}; give as much, or lower "
             "--max-sequence-tokens",
             FormatBytes(job.serve.kv_memory_bytes), options.max_sequence_tokens,
             FormatBytes(one * page_bytes)));
}

}  // namespace nemo
