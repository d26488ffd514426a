#include "libcore/runtime/rank_shape.h"

#include <cmath>

#include "libcore/base/format.h"
#include "libcore/runtime/backend.h"

namespace nemo {
namespace {

constexpr int64_t kVocabParts = 8;       // ranks that can share the vocabulary evenly
constexpr int64_t kChunkColumns = 2000;  // of the 256000-piece vocabulary: 128 chunks

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The layout as the runtime uses it: vocabulary and K/V heads are cut by its own rules, so the
/// file rules about them must not refuse it.
Status CheckRuntimeLayout(const ModelConfig& config, ParallelLayout layout) {
  if (layout.vpp_size != 1) {
    return InvalidArgument(
        Format("{} virtual stages: they serve training; run with --vpp 1", layout.vpp_size));
  }
  ModelConfig padded = config;
  padded.padded_vocab_size =
      CeilDiv(config.vocab_size, 128 * layout.tp_size) * 128 * layout.tp_size;
  layout.kv_duplicate = layout.tp_size > config.num_query_groups;
  return CheckLayout(layout, padded);
}

void CutHeads(const ModelConfig& config, RankShape& shape) {
  shape.num_q_heads = config.num_attention_heads / shape.tp_size;
  shape.q_head_begin = shape.tp_rank * shape.num_q_heads;
  if (shape.tp_size <= config.num_query_groups) {
    shape.num_kv_heads = config.num_query_groups / shape.tp_size;
    shape.kv_head_begin = shape.tp_rank * shape.num_kv_heads;
  } else {
    shape.num_kv_heads = 1;
    shape.kv_head_begin = shape.tp_rank * config.num_query_groups / shape.tp_size;
  }
}

/// The leaves of a row-parallel product over `k` columns in all that one of `tp_size` ranks adds
/// up. Where the canonical leaves do not fit, each rank is one leaf: right, but tied to this TP.
int LeavesOfRank(int64_t k, int64_t tp_size) {
  if (k % kNumLeaves != 0 || kNumLeaves % tp_size != 0) return 1;
  return static_cast<int>(kNumLeaves / tp_size);
}

}  // namespace

VocabCut CutVocabulary(int64_t vocab_size, int64_t tp_size, int64_t tp_rank) {
  VocabCut cut;
  const bool round_chunks = vocab_size % (kVocabParts * kChunkColumns) == 0;
  cut.chunk_columns = round_chunks ? kChunkColumns : CeilDiv(vocab_size, kVocabParts);
  cut.num_chunks = round_chunks ? vocab_size / kChunkColumns : kVocabParts;
  cut.chunk_begin = tp_rank * cut.num_chunks / tp_size;
  cut.chunk_end = (tp_rank + 1) * cut.num_chunks / tp_size;
  return cut;
}

int64_t OwnerOfColumn(const VocabCut& cut, int64_t tp_size, int64_t id) {
  const int64_t chunk = id / cut.chunk_columns;
  int64_t rank = chunk * tp_size / cut.num_chunks;
  while ((rank + 1) * cut.num_chunks / tp_size <= chunk) ++rank;
  return rank;
}

Result<RankShape> ShapeOfRank(const ModelConfig& config, const ParallelLayout& layout,
                              int64_t rank) {
  if (config.vocab_size <= 0) {
    return InvalidArgument(
        "the size of the vocabulary is not known; the tokenizer must be loaded first");
  }
  NEMO_RETURN_IF_ERROR(CheckConfig(config));
  NEMO_RETURN_IF_ERROR(CheckRuntimeLayout(config, layout));
  if (rank < 0 || rank >= layout.world_size()) {
    return InvalidArgument(
        Format("rank {} of {} in layout {}", rank, layout.world_size(), ToString(layout)));
  }
  RankShape shape;
  shape.tp_size = layout.tp_size;
  shape.pp_size = layout.pp_size;
  shape.tp_rank = rank % layout.tp_size;
  shape.pp_rank = rank / layout.tp_size;
  shape.layers = LayersOfStage(layout, config, shape.pp_rank);
  shape.hidden_size = config.hidden_size;
  shape.head_dim = config.kv_channels;
  CutHeads(config, shape);
  shape.ffn_size = config.ffn_hidden_size / layout.tp_size;
  shape.ffn_begin = shape.tp_rank * shape.ffn_size;
  shape.rotary_dim =
      std::llround(std::floor(static_cast<double>(config.kv_channels) * config.rotary_percent));
  const int64_t heads_width = config.num_attention_heads * config.kv_channels;
  shape.proj_leaves = LeavesOfRank(heads_width, layout.tp_size);
  shape.fc2_leaves = LeavesOfRank(config.ffn_hidden_size, layout.tp_size);
  shape.vocab = CutVocabulary(config.vocab_size, layout.tp_size, shape.tp_rank);
  shape.invariant = kNumLeaves % layout.tp_size == 0 && heads_width % kNumLeaves == 0 &&
                    config.ffn_hidden_size % kNumLeaves == 0;
  return shape;
}

}  // namespace nemo
