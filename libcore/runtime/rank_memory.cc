#include "libcore/runtime/rank_memory.h"

#include "libcore/runtime/kv_cache.h"
#include "libcore/runtime/rank_shape.h"
#include "libcore/runtime/stage.h"

namespace nemo {
namespace {

constexpr int64_t kWeightBytes = sizeof(BF16);
constexpr int64_t kFloatBytes = sizeof(float);

int64_t WeightBytes(const ModelConfig& config, const RankShape& s) {
  const int64_t hidden = s.hidden_size;
  const int64_t norms = 4 * hidden;  // two, weight and bias
  const int64_t layer =
      hidden * (s.qkv_columns() + s.num_q_heads * s.head_dim + 2 * s.ffn_size) + norms;
  const int64_t vocabulary = s.vocab.num_columns() * hidden;
  int64_t elements = std::ssize(s.layers) * layer;
  if (s.last_stage()) elements += vocabulary + 2 * hidden;
  // One matrix serves both ends where one rank has them.
  const bool shares = config.share_embeddings_and_output_weights && s.last_stage();
  if (s.first_stage() && !shares) elements += vocabulary;
  return elements * kWeightBytes;
}

int64_t StepBytes(const RankShape& s, const EngineOptions& options) {
  const int64_t element = Stage::ElementBytes(options.profile);
  const int64_t of_token =
      element * (2 * s.hidden_size + s.qkv_columns() + s.num_q_heads * s.head_dim + s.ffn_size) +
      kFloatBytes * s.hidden_size;
  const int64_t logits =
      s.last_stage() ? options.logit_rows * s.vocab.num_columns() * kFloatBytes : 0;
  return options.max_step_tokens * of_token + logits;
}

}  // namespace

Result<RankMemory> MemoryOfRank(const ModelConfig& config, const ParallelLayout& layout,
                                int64_t rank, const EngineOptions& given) {
  NEMO_ASSIGN_OR_RETURN(const RankShape shape, ShapeOfRank(config, layout, rank));
  const EngineOptions options = WithDefaults(given, config);
  const KvCacheOptions kv = {.num_layers = std::ssize(shape.layers),
                             .num_kv_heads = shape.num_kv_heads,
                             .head_dim = shape.head_dim,
                             .element_bytes = Stage::ElementBytes(options.profile)};
  RankMemory memory;
  memory.weight_bytes = WeightBytes(config, shape);
  memory.kv_bytes = options.kv_pages * KvCache::BytesPerPage(kv);
  memory.step_bytes = StepBytes(shape, options);
  return memory;
}

}  // namespace nemo
