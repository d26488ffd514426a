#include "formats/nemo/names.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "libcore/tensor/source.h"

namespace nemo {
namespace {

constexpr std::string_view kLayers = "decoder.layers.";
constexpr std::string_view kFinalNorm = "decoder.final_layernorm.weight";
constexpr std::string_view kEmbedding = "embedding.word_embeddings.weight";

/// Layers that the stored arrays hold, by the first stacked key, else as many as have numbers of
/// their own: a high number in one name does not make them many.
int64_t NumStoredLayers(std::span<const TensorSpec> stored, const std::string& prefix) {
  std::set<int64_t> layers;
  for (const TensorSpec& spec : stored) {
    if (!spec.name.starts_with(prefix + std::string(kLayers))) continue;
    const int64_t layer = LayerNameOf(std::string_view(spec.name).substr(prefix.size())).layer;
    if (layer < 0) return spec.shape.empty() ? 0 : spec.shape.front();
    layers.insert(layer);
  }
  return static_cast<int64_t>(layers.size());
}

/// Finds one tensor after the other and notes which keys served.
class Mapper {
 public:
  Mapper(std::span<const TensorSpec> stored, std::string prefix, int64_t num_layers)
      : stored_(stored), prefix_(std::move(prefix)), num_layers_(num_layers) {}

  Status Map(const LogicalTensor& tensor);
  /// Every key of the model has served, or is known not to be a weight.
  Status CheckNothingLeft() const;
  MappedNames& names() { return names_; }

 private:
  Status Take(const LogicalTensor& tensor, const TensorSpec& found, bool stacked);

  std::span<const TensorSpec> stored_;
  std::string prefix_;
  int64_t num_layers_;
  std::set<std::string_view> used_;
  MappedNames names_;
};

Status Mapper::Map(const LogicalTensor& tensor) {
  if (tensor.role == StageRole::kLayer) {
    const LayerName name = LayerNameOf(tensor.name);
    NEMO_CHECK(name.layer == tensor.layer_index);
    const std::string key = Format("{}{}{}", prefix_, kLayers, name.rest);
    if (const TensorSpec* found = FindSpec(stored_, key)) return Take(tensor, *found, true);
  }
  if (const TensorSpec* found = FindSpec(stored_, prefix_ + tensor.name)) {
    return Take(tensor, *found, false);
  }
  return Corruption(
      Format("tensor {}{} is missing; the save or the copy is incomplete", prefix_, tensor.name));
}

Status Mapper::Take(const LogicalTensor& tensor, const TensorSpec& found, bool stacked) {
  Shape expected = tensor.shape;
  if (stacked) expected.insert(expected.begin(), num_layers_);
  if (found.shape != expected) {
    return Corruption(
        Format("tensor {}: stored shape {}, and the model's config asks for {}; they do not "
               "belong together",
               found.name, FormatList(found.shape), FormatList(expected)));
  }
  Box stored = Box::Whole(expected);
  if (stacked) {
    stored.offset.front() = tensor.layer_index;
    stored.extent.front() = 1;
  }
  used_.insert(found.name);
  names_.canonical.push_back({tensor.name, found.dtype, tensor.shape});
  names_.map.Add(tensor.name, {Box::Whole(tensor.shape), 0, found.name, std::move(stored)});
  return OkStatus();
}

Status Mapper::CheckNothingLeft() const {
  for (const TensorSpec& spec : stored_) {
    const std::string_view key = spec.name;
    if (used_.contains(key) || !key.starts_with(prefix_) || !IsModelKey(key)) continue;
    const std::string_view name = key.substr(prefix_.size());
    const bool weight = name.starts_with("decoder.") || name.starts_with("embedding.") ||
                        name.starts_with("encoder.");
    // Rotary frequencies follow from the config; a tied output layer only repeats the embedding.
    if (!weight || name.find("rotary_pos_emb") != std::string_view::npos) continue;
    return Unsupported(Format(
        "tensor {}: the model that the config describes has no place for it in this build", key));
  }
  return OkStatus();
}

}  // namespace

LayerName LayerNameOf(std::string_view name) {
  if (!name.starts_with(kLayers)) return {-1, name};
  const std::string_view behind = name.substr(kLayers.size());
  int64_t layer = 0;
  const auto [end, error] = std::from_chars(behind.data(), behind.data() + behind.size(), layer);
  const bool numbered =
      error == std::errc() && end != behind.data() + behind.size() && *end == '.' && layer >= 0;
  if (!numbered) return {-1, name};
  return {layer, behind.substr(static_cast<size_t>(end - behind.data()) + 1)};
}

bool IsModelKey(std::string_view key) {
  return !key.starts_with("optimizer.") && !key.starts_with("chained_") &&
         key.find("._extra_state") == std::string_view::npos;
}

Result<std::string> DetectPrefix(std::span<const TensorSpec> stored) {
  const std::string* found = nullptr;
  for (const TensorSpec& spec : stored) {
    if (!spec.name.ends_with(kFinalNorm) || !IsModelKey(spec.name)) continue;
    if (found != nullptr) {
      return Corruption(Format("two models in one checkpoint: '{}' and '{}'", *found, spec.name));
    }
    found = &spec.name;
  }
  if (found == nullptr) {
    return Corruption(
        Format("tensor {} is missing under any prefix ({} tensors are there); the save or "
               "the copy is incomplete, or this is no Megatron Core GPT",
               kFinalNorm, stored.size()));
  }
  return found->substr(0, found->size() - kFinalNorm.size());
}

Result<int64_t> StoredVocabRows(std::span<const TensorSpec> stored, const std::string& prefix) {
  const std::string name = prefix + std::string(kEmbedding);
  const TensorSpec* spec = FindSpec(stored, name);
  if (spec == nullptr) {
    return Corruption(Format("tensor {} is missing; the save or the copy is incomplete", name));
  }
  if (spec->shape.size() != 2) {
    return Corruption(Format("tensor {}: shape {}, expected [padded_vocab_size, hidden_size]", name,
                             FormatList(spec->shape)));
  }
  return spec->shape.front();
}

Result<MappedNames> MapNames(const ModelConfig& config, std::span<const TensorSpec> stored,
                             const std::string& prefix) {
  const int64_t num_layers = NumStoredLayers(stored, prefix);
  if (num_layers != config.num_layers) {
    return Corruption(
        Format("shape mismatch: the model's config says num_layers {}, and the weights have {} "
               "layers; they do not belong together",
               config.num_layers, num_layers));
  }
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogicalTensor> tensors, LogicalTensors(config));
  Mapper mapper(stored, prefix, num_layers);
  for (const LogicalTensor& tensor : tensors) NEMO_RETURN_IF_ERROR(mapper.Map(tensor));
  NEMO_RETURN_IF_ERROR(mapper.CheckNothingLeft());
  return std::move(mapper.names());
}

}  // namespace nemo
