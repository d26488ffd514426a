#include "formats/megatron/rank_weights.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "formats/megatron/rank_names.h"
#include "formats/megatron/replicas.h"
#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "libcore/model/logical_tensor.h"

namespace nemo::megatron {
namespace {

/// A chunk with its tensors under canonical names, layer numbers counted within the chunk.
struct NamedChunk {
  RankChunk rank;
  std::map<std::string, const TensorSpec*, std::less<>> tensors;
  int64_t num_layers = 0;
  int64_t first_layer = 0;  // of the whole model
};

Result<NamedChunk> NameTensors(RankChunk rank) {
  NamedChunk chunk{std::move(rank), {}};
  std::set<int64_t> layers;  // a high number in one name does not make them many
  for (const TensorSpec& spec : chunk.rank.source->specs()) {
    std::string name = CanonicalRankName(spec.name);
    if (const int64_t layer = LayerOf(name); layer >= 0) layers.insert(layer);
    const auto [it, added] = chunk.tensors.emplace(std::move(name), &spec);
    if (added) continue;
    return Corruption(Format("{}: tensors {} and {} are both {}", chunk.rank.file, it->second->name,
                             spec.name, it->first));
  }
  chunk.num_layers = static_cast<int64_t>(layers.size());
  return chunk;
}

class Joiner {
 public:
  Joiner(std::vector<NamedChunk> chunks, ModelConfig config)
      : chunks_(std::move(chunks)), config_(std::move(config)) {
    const RankChunk& last = chunks_.back().rank;
    layout_.tp_size = last.tp_rank + 1;
    layout_.pp_size = last.pp_rank + 1;
    layout_.vpp_size = last.vpp_rank + 1;
  }

  Result<RankWeights> Join() {
    NEMO_RETURN_IF_ERROR(NumberLayers());
    NEMO_RETURN_IF_ERROR(TakeVocabulary());
    NEMO_RETURN_IF_ERROR(CheckConfig(config_));
    if (const Status status = CheckSplit(); !status.ok()) return status;
    NEMO_ASSIGN_OR_RETURN(const auto tensors, LogicalTensors(config_));
    for (const LogicalTensor& tensor : tensors) NEMO_RETURN_IF_ERROR(Map(tensor));
    if (config_.share_embeddings_and_output_weights) NEMO_RETURN_IF_ERROR(MapTiedCopy(tensors));
    NEMO_RETURN_IF_ERROR(CheckNothingLeft());
    std::vector<std::shared_ptr<const TensorSource>> sources;
    for (const NamedChunk& chunk : chunks_) sources.push_back(chunk.rank.source);
    NEMO_ASSIGN_OR_RETURN(
        auto source,
        CanonicalSource::Create(std::move(canonical_), std::move(map_), std::move(sources)));
    NEMO_RETURN_IF_ERROR(CompareReplicas(*source));
    return RankWeights{std::move(config_), std::move(layout_), std::move(source)};
  }

 private:
  Status NumberLayers();
  Status TakeVocabulary();
  Status CheckSplit() const;
  Status Map(const LogicalTensor& tensor);
  Status MapTiedCopy(const std::vector<LogicalTensor>& tensors);
  Status MapShard(const LogicalTensor& tensor, size_t chunk, const TensorSpec& found);
  Status CheckNothingLeft() const;

  /// The chunk of tensor rank 0 that holds `tensor`.
  size_t HomeOf(const LogicalTensor& tensor) const;
  size_t tp_size() const { return static_cast<size_t>(layout_.tp_size); }

  std::vector<NamedChunk> chunks_;  // by pipeline rank, virtual stage, tensor rank
  ModelConfig config_;
  ParallelLayout layout_;
  std::set<const TensorSpec*> used_;
  std::vector<TensorSpec> canonical_;
  NameMap map_;
};

/// Virtual stages come in rounds: the first of every pipeline rank, then the second of every one.
Status Joiner::NumberLayers() {
  int64_t count = 0;
  std::vector<int64_t> per_stage(static_cast<size_t>(layout_.pp_size), 0);
  for (int64_t vpp_rank = 0; vpp_rank < layout_.vpp_size; ++vpp_rank) {
    for (int64_t pp_rank = 0; pp_rank < layout_.pp_size; ++pp_rank) {
      const size_t home = static_cast<size_t>(pp_rank * layout_.vpp_size + vpp_rank) * tp_size();
      for (size_t tp_rank = 0; tp_rank < tp_size(); ++tp_rank) {
        chunks_[home + tp_rank].first_layer = count;
      }
      count += chunks_[home].num_layers;
      per_stage[static_cast<size_t>(pp_rank)] += chunks_[home].num_layers;
    }
  }
  if (count != config_.num_layers) {
    return Corruption(
        Format("shape mismatch: the config says num_layers {}, and the weights have {} layers; "
               "they do not belong together",
               config_.num_layers, count));
  }
  const bool even = std::adjacent_find(per_stage.begin(), per_stage.end(), std::not_equal_to<>()) ==
                    per_stage.end();
  if (!even) layout_.layers_per_stage = std::move(per_stage);
  return OkStatus();
}

Status Joiner::TakeVocabulary() {
  const auto found = chunks_.front().tensors.find(kEmbeddingName);
  if (found == chunks_.front().tensors.end()) {
    return Corruption(Format("{}: tensor {} is missing; the save or the copy is incomplete",
                             chunks_.front().rank.file, kEmbeddingName));
  }
  const Shape& shape = found->second->shape;
  if (shape.size() != 2 ||
      __builtin_mul_overflow(shape[0], layout_.tp_size, &config_.padded_vocab_size)) {
    return Corruption(
        Format("{}: tensor {}: shape {}, expected [padded_vocab_size / {}, "
               "hidden_size]",
               chunks_.front().rank.file, found->second->name, FormatList(shape), layout_.tp_size));
  }
  return OkStatus();
}

/// That the model can be split in as many tensor-parallel parts as there are files at all.
Status Joiner::CheckSplit() const {
  ParallelLayout split;
  split.tp_size = layout_.tp_size;
  const Status status = CheckLayout(split, config_);
  return status.ok() ? status : Corruption("the ranks contradict the config: " + status.message());
}

size_t Joiner::HomeOf(const LogicalTensor& tensor) const {
  if (tensor.role == StageRole::kFirst) return 0;
  size_t home = chunks_.size() - tp_size();
  if (tensor.role == StageRole::kLast) return home;
  for (size_t i = 0; i < chunks_.size(); i += tp_size()) {
    const int64_t layer = tensor.layer_index - chunks_[i].first_layer;
    if (layer >= 0 && layer < chunks_[i].num_layers) home = i;
  }
  return home;
}

Status Joiner::Map(const LogicalTensor& tensor) {
  const size_t home = HomeOf(tensor);
  for (size_t i = home; i < home + tp_size(); ++i) {
    const std::string name = WithLayer(tensor.name, tensor.layer_index - chunks_[i].first_layer);
    const auto found = chunks_[i].tensors.find(name);
    if (found == chunks_[i].tensors.end()) {
      return Corruption(Format("{}: tensor {} is missing{}; the save or the copy is incomplete",
                               chunks_[i].rank.file, name,
                               name == tensor.name ? "" : Format(" ({})", tensor.name)));
    }
    if (i == home) canonical_.push_back({tensor.name, found->second->dtype, tensor.shape});
    NEMO_RETURN_IF_ERROR(MapShard(tensor, i, *found->second));
  }
  return OkStatus();
}

/// The last stage of a model with a tied output layer has a copy of the embedding.
Status Joiner::MapTiedCopy(const std::vector<LogicalTensor>& tensors) {
  const auto embedding =
      std::find_if(tensors.begin(), tensors.end(),
                   [](const LogicalTensor& tensor) { return tensor.name == kEmbeddingName; });
  NEMO_CHECK(embedding != tensors.end());
  for (size_t i = chunks_.size() - tp_size(); i < chunks_.size(); ++i) {
    for (const std::string_view name : {kOutputLayerName, kEmbeddingName}) {
      const auto found = chunks_[i].tensors.find(name);
      if (found == chunks_[i].tensors.end() || used_.contains(found->second)) continue;
      NEMO_RETURN_IF_ERROR(MapShard(*embedding, i, *found->second));
    }
  }
  return OkStatus();
}

Status Joiner::MapShard(const LogicalTensor& tensor, size_t chunk, const TensorSpec& found) {
  const RankChunk& rank = chunks_[chunk].rank;
  const Shard shard = ShardOf(tensor, layout_, config_, rank.tp_rank);
  if (found.shape != shard.shape) {
    return Corruption(Format(
        "{}: tensor {}: stored shape {}, and the config asks for {} in tensor-parallel size "
        "{}; they do not belong together",
        rank.file, found.name, FormatList(found.shape), FormatList(shard.shape), layout_.tp_size));
  }
  used_.insert(&found);
  for (const ShardPart& part : shard.parts) {
    map_.Add(tensor.name, {part.canonical, static_cast<int>(chunk), found.name, part.local});
  }
  return OkStatus();
}

Status Joiner::CheckNothingLeft() const {
  for (const NamedChunk& chunk : chunks_) {
    for (const auto& [name, spec] : chunk.tensors) {
      const bool weight = name.starts_with("decoder.") || name.starts_with("embedding.") ||
                          name.starts_with("output_layer.");
      // Rotary frequencies follow from the config.
      if (!weight || used_.contains(spec) || name.find("rotary_pos_emb") != std::string::npos)
        continue;
      return Unsupported(
          Format("{}: tensor {}: the model that the config describes has no place "
                 "for it in this build",
                 chunk.rank.file, spec->name));
    }
  }
  return OkStatus();
}

}  // namespace

Result<RankWeights> JoinRanks(std::vector<RankChunk> chunks, ModelConfig config) {
  std::vector<NamedChunk> named;
  for (RankChunk& chunk : chunks) {
    NEMO_ASSIGN_OR_RETURN(NamedChunk one, NameTensors(std::move(chunk)));
    named.push_back(std::move(one));
  }
  return Joiner(std::move(named), std::move(config)).Join();
}

}  // namespace nemo::megatron
