// model_weights/ as Megatron Core's zarr strategy leaves it: an array per parameter, layers
// stacked, a chunk per layer and tensor-parallel rank. Facts:
// megatron/core/dist_checkpointing/strategies/zarr.py; docs/formats/zarr.md and nemo.md.
#include <algorithm>
#include <map>
#include <utility>

#include "formats/nemo/names.h"
#include "formats/nemo/weights_form.h"
#include "formats/torch/file_layout.h"
#include "formats/zarr/array_metadata.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr std::string_view kFolder = "model_weights/";
constexpr std::string_view kPrefix = "model.";
constexpr std::string_view kStackedLayers = "decoder.layers.";
constexpr std::string_view kArrayFile = ".zarray";
/// As json.dump writes it.
constexpr std::string_view kMetadata =
    R"({"sharded_backend": "zarr", "sharded_backend_version": 1, "common_backend": "torch", )"
    R"("common_backend_version": 1})";
/// Modules that Transformer Engine asks for an extra state when NeMo loads a checkpoint; what it
/// finds there without FP8 is None.
constexpr std::string_view kModulesWithState[] = {
    "self_attention.core_attention", "self_attention.linear_proj", "self_attention.linear_qkv",
    "mlp.linear_fc1", "mlp.linear_fc2"};

/// The tensors of a layer stand in a stack of all layers.
void NoteStack(int64_t layer, int64_t num_layers, TensorNote& note) {
  note.global_shape.insert(note.global_shape.begin(), num_layers);
  note.offset.insert(note.offset.begin(), layer);
}

/// The place of a shard in its array's grid.
std::vector<int64_t> ChunkIndex(const SinkTensor& tensor) {
  std::vector<int64_t> index = tensor.note.offset;
  const Shape& chunk = tensor.spec.shape;
  const size_t stacked = index.size() - chunk.size();
  for (size_t axis = 0; axis < chunk.size(); ++axis) index[stacked + axis] /= chunk[axis];
  return index;
}

std::string ArrayKey(const PlannedTensor& tensor) {
  const LayerName name = LayerNameOf(tensor.canonical_name);
  return Format("{}{}{}", kPrefix, name.layer < 0 ? "" : kStackedLayers, name.rest);
}

Result<Plan> PlanZarr(const ModelConfig& config, std::span<const TensorSpec> source,
                      const ParallelLayout& layout, const VocabRule& vocab) {
  NEMO_RETURN_IF_ERROR(CheckLayout(layout, config));
  // The arrays are global: pipeline stages are for who loads them.
  ParallelLayout grid;
  grid.tp_size = layout.tp_size;
  NEMO_ASSIGN_OR_RETURN(Plan plan, PlanShards(config, source, grid, vocab));
  std::map<std::string, std::map<std::vector<int64_t>, PlannedTensor>> arrays;
  for (PlannedFile& rank : plan.files) {
    for (PlannedTensor& tensor : rank.tensors) {
      const int64_t layer = LayerNameOf(tensor.canonical_name).layer;
      if (layer >= 0) NoteStack(layer, plan.config.num_layers, tensor.tensor.note);
      // What every rank has the same of is one chunk: the first rank's.
      arrays[ArrayKey(tensor)].emplace(ChunkIndex(tensor.tensor), std::move(tensor));
    }
  }
  plan.layout = layout;
  plan.files.clear();
  for (auto& [key, chunks] : arrays) {
    PlannedFile& file = plan.files.emplace_back();
    file.stem = std::string(kFolder) + key;
    for (auto& [index, tensor] : chunks) {
      tensor.tensor.spec.name = Format("{}/{}", file.stem, fmt::join(index, "."));
      file.tensors.push_back(std::move(tensor));
    }
  }
  return plan;
}

/// The .zarray of the array that `chunk` belongs to.
std::string ArrayText(const SinkTensor& chunk) {
  zarr::ArrayMetadata array;
  array.dtype = chunk.spec.dtype;
  array.shape = chunk.note.global_shape;
  array.chunk_shape = chunk.spec.shape;
  if (array.shape.size() > array.chunk_shape.size()) {
    array.chunk_shape.insert(array.chunk_shape.begin(), 1);
  }
  return zarr::ArrayMetadataText(array);
}

/// An array's metadata stand behind its chunks, so that chunks begin at multiples of their size.
std::vector<Member> ZarrMembers(std::span<const SinkTensor> tensors) {
  std::vector<Member> members;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& spec = tensors[i].spec;
    members.push_back(TensorMember(spec.name, i, spec.size_bytes()));
    const std::string folder = DirName(spec.name);
    if (i + 1 < tensors.size() && DirName(tensors[i + 1].spec.name) == folder) continue;
    members.push_back(FixedMember(Format("{}/{}", folder, kArrayFile), ArrayText(tensors[i])));
  }
  return members;
}

std::vector<Member> ZarrCompanions(const ModelConfig& config) {
  std::vector<Member> members;
  members.push_back(FixedMember(Format("{}common.pt", kFolder),
                                torch::TorchFileOf("common", torch::PickleValue::DictOf({}))));
  for (const std::string_view module : kModulesWithState) {
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      const std::string stem = Format("shard_{}_{}", layer, config.num_layers);
      members.push_back(FixedMember(
          Format("{}{}{}{}._extra_state/{}.pt", kFolder, kPrefix, kStackedLayers, module, stem),
          torch::TorchFileOf(stem, torch::PickleValue())));
    }
  }
  members.push_back(FixedMember(Format("{}metadata.json", kFolder), std::string(kMetadata)));
  return members;
}

bool IsZarrName(std::string_view name) { return name.starts_with(kFolder); }

}  // namespace

const WeightsForm kZarrForm = {"zarr",         PlanZarr,           ZarrMembers,
                               ZarrCompanions, Packaging::kFolder, IsZarrName};

}  // namespace nemo
