// Planning the rank files: Megatron's shards under TensorRT-LLM's names. What differs in them: the
// rows of QKV are Q, then K, then V; layer norms have 1 added; the embedding is whole.
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "formats/trtllm/trtllm.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "libcore/layout/planner.h"
#include "libcore/model/architecture.h"

namespace nemo {
namespace trtllm {
namespace {

/// Rows of a shard that stand elsewhere in the file's tensor.
struct RowRange {
  int64_t from = 0;
  int64_t to = 0;
  int64_t count = 0;
};

/// A rank's rows of QKV: from [groups, q_per_group + 2, kv_channels] to [Q ; K ; V]. Where the K
/// and V heads are duplicated, a rank has some query heads of one group.
std::vector<RowRange> QkvRows(const ModelConfig& config, int64_t tp_size) {
  const int64_t groups = std::max<int64_t>(1, config.num_query_groups / tp_size);
  const int64_t q_rows = config.num_attention_heads / tp_size / groups * config.kv_channels;
  const int64_t head = config.kv_channels;
  const int64_t first_key = groups * q_rows, first_value = first_key + groups * head;
  std::vector<RowRange> ranges;
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t from = group * (q_rows + 2 * head);
    ranges.push_back({from, group * q_rows, q_rows});
    ranges.push_back({from + q_rows, first_key + group * head, head});
    ranges.push_back({from + q_rows + head, first_value + group * head, head});
  }
  return ranges;
}

/// `canonical` and `local` narrowed to the rows of `range`, with `local` where it takes them.
std::optional<std::pair<Box, Box>> Through(const RowRange& range, Box canonical, Box local) {
  const int64_t begin = std::max(range.from, local.offset[0]);
  const int64_t end = std::min(range.from + range.count, local.offset[0] + local.extent[0]);
  if (begin >= end) return std::nullopt;
  canonical.offset[0] += begin - local.offset[0];
  local.offset[0] = begin - range.from + range.to;
  canonical.extent[0] = local.extent[0] = end - begin;
  return std::pair{std::move(canonical), std::move(local)};
}

/// Appends what `ranges` take of `shard` to `tensor`.
void Append(const PlannedTensor& shard, const std::vector<RowRange>& ranges, Transform transform,
            PlannedTensor& tensor) {
  for (const RowRange& range : ranges) {
    for (const Move& move : shard.moves) {
      auto cut = Through(range, move.source, move.target);
      if (!cut) continue;
      tensor.moves.push_back({move.source_name, cut->first, cut->second, transform});
    }
    for (const ShardPart& part : shard.parts) {
      auto cut = Through(range, part.canonical, part.local);
      if (cut) tensor.parts.push_back({cut->first, cut->second});
    }
  }
}

/// The shards of Megatron's layout as the rank files of TensorRT-LLM's.
class Writer {
 public:
  explicit Writer(const Plan& shards) : shards_(shards), config_(shards.config) {
    for (const PlannedFile& file : shards.files) {
      for (const PlannedTensor& tensor : file.tensors) {
        tensors_[tensor.canonical_name].push_back(&tensor);
      }
    }
  }

  PlannedFile RankFile(int64_t pp_rank, int64_t tp_rank) const {
    const int64_t tp_size = shards_.layout.tp_size;
    PlannedFile file{Format("rank{}", pp_rank * tp_size + tp_rank), tp_rank, pp_rank, {}};
    if (pp_rank == 0) file.tensors.push_back(Embedding());
    int64_t local_index = 0;
    for (const int64_t layer : LayersOfStage(shards_.layout, config_, pp_rank)) {
      AddLayer(layer, local_index++, tp_rank, file);
    }
    if (pp_rank == shards_.layout.pp_size - 1) AddHead(tp_rank, file);
    return file;
  }

 private:
  const PlannedTensor& ShardOfRank(std::string_view canonical, int64_t tp_rank) const {
    const auto found = tensors_.find(canonical);
    NEMO_CHECK(found != tensors_.end());
    return *found->second.at(static_cast<size_t>(tp_rank));
  }

  /// The rank's shard of `canonical` under another name; `ranges` reorder its rows.
  PlannedTensor Renamed(const std::string& name, std::string_view canonical, int64_t tp_rank,
                        Transform transform = Transform::kCopy,
                        const std::vector<RowRange>& ranges = {}) const {
    const PlannedTensor& shard = ShardOfRank(canonical, tp_rank);
    PlannedTensor tensor = {shard.tensor, shard.canonical_name, {}, {}};
    tensor.tensor.spec.name = name;
    const std::vector<RowRange> all = {{0, 0, shard.tensor.spec.shape[0]}};
    Append(shard, ranges.empty() ? all : ranges, transform, tensor);
    return tensor;
  }

  void AddNorm(const std::string& name, const std::string& canonical, std::string_view separator,
               PlannedFile& file) const {
    const Transform transform =
        config_.layernorm_zero_centered_gamma ? Transform::kAddOne : Transform::kCopy;
    file.tensors.push_back(
        Renamed(name + ".weight", Format("{}{}weight", canonical, separator), 0, transform));
    file.tensors.push_back(Renamed(name + ".bias", Format("{}{}bias", canonical, separator), 0));
  }

  void AddLayer(int64_t layer, int64_t local_index, int64_t tp_rank, PlannedFile& file) const {
    const std::string from = Format("decoder.layers.{}.", layer);
    const std::string to = Format("transformer.layers.{}.", local_index);
    AddNorm(to + "input_layernorm", from + "self_attention.linear_qkv.layer_norm", "_", file);
    file.tensors.push_back(Renamed(to + "attention.qkv.weight",
                                   from + "self_attention.linear_qkv.weight", tp_rank,
                                   Transform::kCopy, QkvRows(config_, shards_.layout.tp_size)));
    AddNorm(to + "post_layernorm", from + "mlp.linear_fc1.layer_norm", "_", file);
    const std::pair<const char*, const char*> kSame[] = {
        {"attention.dense.weight", "self_attention.linear_proj.weight"},
        {"mlp.fc.weight", "mlp.linear_fc1.weight"},
        {"mlp.proj.weight", "mlp.linear_fc2.weight"}};
    for (const auto& [name, canonical] : kSame) {
      file.tensors.push_back(Renamed(to + name, from + canonical, tp_rank));
    }
  }

  /// All ranks' rows of the embedding, one after the other.
  PlannedTensor Embedding() const {
    PlannedTensor whole = Renamed("transformer.vocab_embedding.weight", kEmbeddingName, 0);
    const int64_t rows = whole.tensor.spec.shape[0];
    for (int64_t tp_rank = 1; tp_rank < shards_.layout.tp_size; ++tp_rank) {
      Append(ShardOfRank(kEmbeddingName, tp_rank), {{0, tp_rank * rows, rows}}, Transform::kCopy,
             whole);
    }
    whole.tensor.spec.shape[0] = rows * shards_.layout.tp_size;
    return whole;
  }

  /// A tied model's output layer is a copy of the embedding.
  void AddHead(int64_t tp_rank, PlannedFile& file) const {
    AddNorm("transformer.ln_f", "decoder.final_layernorm", ".", file);
    const bool tied = config_.share_embeddings_and_output_weights;
    file.tensors.push_back(
        Renamed("lm_head.weight", tied ? kEmbeddingName : kOutputLayerName, tp_rank));
  }

  const Plan& shards_;
  const ModelConfig& config_;
  /// By canonical name: a shard per tensor-parallel rank (a tied embedding's copies behind them).
  std::map<std::string, std::vector<const PlannedTensor*>, std::less<>> tensors_;
};

Status CheckStages(const ParallelLayout& layout) {
  if (layout.vpp_size == 1 && layout.layers_per_stage.empty()) return OkStatus();
  return InvalidArgument(
      Format("layout {}: TensorRT-LLM gives each pipeline rank one equal run of layers; leave out "
             "--vpp and --pipeline-layout",
             ToString(layout)));
}

}  // namespace
}  // namespace trtllm

Result<Plan> PlanTrtLlm(const ModelConfig& config, std::span<const TensorSpec> source,
                        const PlanOptions& options) {
  NEMO_RETURN_IF_ERROR(trtllm::CheckStages(options.layout));
  ParallelLayout layout = options.layout;
  layout.kv_duplicate = layout.tp_size > config.num_query_groups;
  // Without a tokenizer every row counts.
  ModelConfig model = config;
  const VocabRule rule = options.vocab.value_or(VocabRule{VocabRule::Kind::kPad, 1});
  if (!options.vocab && model.vocab_size == 0) model.vocab_size = model.padded_vocab_size;
  NEMO_ASSIGN_OR_RETURN(const Plan shards, PlanShards(model, source, layout, rule));
  const trtllm::Writer writer(shards);
  Plan plan{shards.layout, shards.config, {}};
  plan.config.vocab_size = config.vocab_size;
  for (int64_t pp_rank = 0; pp_rank < layout.pp_size; ++pp_rank) {
    for (int64_t tp_rank = 0; tp_rank < layout.tp_size; ++tp_rank) {
      plan.files.push_back(writer.RankFile(pp_rank, tp_rank));
    }
  }
  return plan;
}

}  // namespace nemo
