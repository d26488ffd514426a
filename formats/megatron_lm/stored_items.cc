#include "formats/megatron_lm/stored_items.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "formats/torch/file_layout.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo::megatron_lm {
namespace {

constexpr std::string_view kLayers = "decoder.layers.";
constexpr std::string_view kFinalNorm = "decoder.final_layernorm";
/// Modules of a layer that have an extra state, with Transformer Engine or in its place.
constexpr std::string_view kStatefulModules[] = {
    "self_attention.core_attention", "self_attention.linear_proj", "self_attention.linear_qkv",
    "mlp.linear_fc1", "mlp.linear_fc2"};
/// The first of a layer's tensors, which every stage has of its layers.
constexpr std::string_view kLayerMark = "self_attention.linear_qkv.weight";

/// As Megatron Core saves an object: in a list.
std::string NoState() {
  return torch::TorchFileOf("archive", torch::PickleValue::ListOf({torch::PickleValue()}));
}

void AddState(std::string_view module, int64_t index, int64_t count, dcp::FileItems& items) {
  items.bytes.push_back({Format("{}._extra_state/shard_{}_{}", module, index, count), NoState()});
}

dcp::TensorItem ItemOf(const SinkTensor& tensor) {
  const TensorNote& note = tensor.note;
  Box chunk = {note.offset, tensor.spec.shape};
  if (note.offset.size() > chunk.extent.size()) chunk.extent.insert(chunk.extent.begin(), 1);
  NEMO_CHECK(Contains(note.global_shape, chunk));
  return {StackedNameOf(tensor.spec.name).key, tensor.spec.dtype, note.global_shape,
          std::move(chunk)};
}

}  // namespace

StackedName StackedNameOf(std::string_view name) {
  StackedName stacked{std::string(name)};
  if (!name.starts_with(kLayers)) return stacked;
  const char* const begin = name.data() + kLayers.size();
  const char* const end = name.data() + name.size();
  const auto [parsed, error] = std::from_chars(begin, end, stacked.layer);
  NEMO_CHECK(error == std::errc() && parsed != end && *parsed == '.');
  stacked.key = std::string(kLayers) + std::string(parsed + 1, end);
  return stacked;
}

dcp::FileItems ItemsOf(const PlannedFile& file) {
  dcp::FileItems items;
  for (const PlannedTensor& planned : file.tensors) items.tensors.push_back(ItemOf(planned.tensor));
  if (file.tp_rank > 0) return items;
  for (const dcp::TensorItem& item : items.tensors) {
    if (item.key == std::string(kFinalNorm) + ".weight") AddState(kFinalNorm, 0, 1, items);
    if (item.key != std::string(kLayers) + std::string(kLayerMark)) continue;
    for (const std::string_view module : kStatefulModules) {
      AddState(std::string(kLayers) + std::string(module), item.chunk.offset[0], item.shape[0],
               items);
    }
  }
  return items;
}

}  // namespace nemo::megatron_lm
