#include "formats/dcp/metadata.h"

#include <algorithm>
#include <map>
#include <utility>

#include "formats/torch/pickle.h"
#include "formats/torch/storage_id.h"
#include "libcore/base/format.h"

namespace nemo::dcp {
namespace {

using torch::PickleNode;
using Kind = PickleNode::Kind;
using Wanted = std::function<bool(std::string_view)>;

// A pickle may refer to one big node many times: what is read once per reference is small.
constexpr size_t kMaxFields = 64;
constexpr size_t kMaxRank = 32;
constexpr size_t kMaxNameBytes = 4096;
constexpr int64_t kChunkBytes = 16;  // what a pickle needs at least to describe one of its own

/// The field of a saved object; nullptr when it has none of that name.
const PickleNode* OptionalField(const PickleNode& object, std::string_view name) {
  const PickleNode* state = object.state();
  if (state == nullptr || !state->Is(Kind::kDict) || state->entries().size() > kMaxFields) {
    return nullptr;
  }
  const PickleNode* field = state->Find(name);
  return field == nullptr || field->Is(Kind::kNone) ? nullptr : field;
}

Result<const PickleNode*> Field(const PickleNode& object, std::string_view name) {
  if (const PickleNode* field = OptionalField(object, name)) return field;
  return Corruption(Format("{} has no field '{}'", object.Describe(), name));
}

Result<std::string_view> Name(const PickleNode& node) {
  NEMO_ASSIGN_OR_RETURN(const std::string_view name, node.AsText());
  if (name.size() > kMaxNameBytes) {
    return Corruption(Format("a name of {} bytes ('{}...')", name.size(), name.substr(0, 80)));
  }
  return name;
}

Result<std::vector<int64_t>> IntListField(const PickleNode& object, std::string_view name) {
  NEMO_ASSIGN_OR_RETURN(const PickleNode* field, Field(object, name));
  Result<std::vector<int64_t>> list = field->AsIntList(kMaxRank);
  return list ? list : Result<std::vector<int64_t>>(list.error().At(name));
}

/// Where items lie, by tensor and offset in it. Each is of one chunk, and taken by it.
using Places =
    std::map<std::pair<std::string_view, std::vector<int64_t>>, const PickleNode*, std::less<>>;

/// The field when it is a dict: its text keys differ.
Result<const PickleNode*> DictField(const PickleNode& object, std::string_view name) {
  NEMO_ASSIGN_OR_RETURN(const PickleNode* field, Field(object, name));
  if (field->Is(Kind::kDict)) return field;
  return Corruption(Format("{}: expected a dict, found {}", name, field->Describe()));
}

/// The chunk's number in a MetadataIndex is only a hint: its offset tells which one it is.
Result<Places> CollectPlaces(const PickleNode& storage_data, const Wanted& wanted) {
  Places places;
  for (const PickleNode::Entry& entry : storage_data.entries()) {
    NEMO_ASSIGN_OR_RETURN(const PickleNode* fqn, Field(*entry.key, "fqn"));
    NEMO_ASSIGN_OR_RETURN(const std::string_view name, Name(*fqn));
    if (OptionalField(*entry.key, "offset") == nullptr || !wanted(name)) continue;
    NEMO_ASSIGN_OR_RETURN(std::vector<int64_t> offset, IntListField(*entry.key, "offset"));
    const auto [it, added] = places.try_emplace({name, std::move(offset)}, entry.value);
    if (!added) {
      return Corruption(Format("tensor {}: the chunk at {} has two storage entries", name,
                               FormatList(it->first.second)));
    }
  }
  return places;
}

Status RefuseTransforms(const PickleNode& info) {
  const PickleNode* transforms = OptionalField(info, "transform_descriptors");
  if (transforms == nullptr) return OkStatus();
  const PickleNode* first_node = transforms;
  if (transforms->Is(Kind::kList) || transforms->Is(Kind::kTuple)) {
    if (transforms->items().empty()) return OkStatus();
    first_node = transforms->items()[0];
  }
  const auto first = first_node->AsText();
  return Unsupported(
      Format("its bytes were transformed ('{}') when they were saved; this build reads plain "
             "items: save again without it",
             first ? first->substr(0, 100) : "unknown"));
}

Result<std::string> PlainFileName(const PickleNode& info) {
  NEMO_ASSIGN_OR_RETURN(const PickleNode* path, Field(info, "relative_path"));
  NEMO_ASSIGN_OR_RETURN(const std::string_view name, path->AsText());
  const bool plain = !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
  if (plain) return std::string(name);
  return Corruption(
      Format("unsafe path: relative_path '{}' is not the plain name of a file beside .metadata",
             name.substr(0, 200)));
}

Result<Chunk> ParseChunk(Box box, const PickleNode& info) {
  NEMO_RETURN_IF_ERROR(RefuseTransforms(info));
  Chunk chunk{std::move(box), "", 0, 0};
  NEMO_ASSIGN_OR_RETURN(chunk.file, PlainFileName(info));
  NEMO_ASSIGN_OR_RETURN(const PickleNode* offset, Field(info, "offset"));
  NEMO_ASSIGN_OR_RETURN(chunk.offset_bytes, offset->AsInt());
  NEMO_ASSIGN_OR_RETURN(const PickleNode* length, Field(info, "length"));
  NEMO_ASSIGN_OR_RETURN(chunk.size_bytes, length->AsInt());
  int64_t end_bytes = 0;
  if (chunk.offset_bytes < 0 || chunk.size_bytes < 0 ||
      __builtin_add_overflow(chunk.offset_bytes, chunk.size_bytes, &end_bytes)) {
    return Corruption(Format("{} bytes at byte {}", chunk.size_bytes, chunk.offset_bytes));
  }
  return chunk;
}

/// The state of TensorProperties is a tuple that begins with the dtype.
Result<DType> ParseDType(const PickleNode& tensor) {
  NEMO_ASSIGN_OR_RETURN(const PickleNode* properties, Field(tensor, "properties"));
  const PickleNode* state = properties->state();
  if (state == nullptr || !state->Is(Kind::kTuple) || state->items().empty()) {
    return Corruption(Format("properties: {} without a tuple of them", properties->Describe()));
  }
  return torch::ParseTorchDType(*state->items()[0]);
}

Result<Box> ParseBox(const PickleNode& chunk, const Shape& shape) {
  Box box;
  NEMO_ASSIGN_OR_RETURN(box.offset, IntListField(chunk, "offsets"));
  NEMO_ASSIGN_OR_RETURN(box.extent, IntListField(chunk, "sizes"));
  if (box.offset.size() == box.extent.size() && Contains(shape, box)) return box;
  return Corruption(Format("a chunk of shape {} at {} leaves the tensor's shape {}",
                           FormatList(box.extent), FormatList(box.offset), FormatList(shape)));
}

/// `chunks_left` is for all tensors.
Result<StoredTensor> ParseTensor(std::string_view name, const PickleNode& node, Places& places,
                                 int64_t& chunks_left) {
  StoredTensor tensor;
  tensor.spec.name = name;
  NEMO_ASSIGN_OR_RETURN(tensor.spec.dtype, ParseDType(node));
  NEMO_ASSIGN_OR_RETURN(tensor.spec.shape, IntListField(node, "size"));
  NEMO_RETURN_IF_ERROR(CheckSpec(tensor.spec));
  NEMO_ASSIGN_OR_RETURN(const PickleNode* list, Field(node, "chunks"));
  NEMO_ASSIGN_OR_RETURN(const auto chunks, list->AsItems(Kind::kList));
  // Many tensors may share one long list: looking through it is bounded, and each chunk that is
  // kept needs a place of its own.
  chunks_left -= static_cast<int64_t>(chunks.size());
  if (chunks_left < 0) return Corruption("more chunks than the pickle describes");
  for (const PickleNode* chunk : chunks) {
    NEMO_ASSIGN_OR_RETURN(Box box, ParseBox(*chunk, tensor.spec.shape));
    if (NumElements(box) == 0) continue;  // a rank that had nothing to save
    auto place = places.extract(std::pair(name, box.offset));
    const std::string label = Format("the chunk at {}", FormatList(box.offset));
    if (place.empty()) {
      return Corruption(
          Format("{} has no storage entry of its own; the save or the copy is incomplete", label));
    }
    Result<Chunk> parsed = ParseChunk(std::move(box), *place.mapped());
    if (!parsed) return parsed.error().At(label);
    tensor.chunks.push_back(std::move(parsed).value());
  }
  return tensor;
}

}  // namespace

Result<std::vector<StoredTensor>> ParseMetadata(std::string bytes, const Wanted& wanted) {
  NEMO_ASSIGN_OR_RETURN(const torch::PickleDocument document, torch::ParsePickle(std::move(bytes)));
  NEMO_ASSIGN_OR_RETURN(const PickleNode* storage_data, DictField(document.root(), "storage_data"));
  NEMO_ASSIGN_OR_RETURN(Places places, CollectPlaces(*storage_data, wanted));
  NEMO_ASSIGN_OR_RETURN(const PickleNode* dict, DictField(document.root(), "state_dict_metadata"));

  std::vector<StoredTensor> tensors;
  int64_t chunks_left = document.size_bytes() / kChunkBytes;
  for (const PickleNode::Entry& entry : dict->entries()) {
    NEMO_ASSIGN_OR_RETURN(const std::string_view name, Name(*entry.key));
    const PickleNode* type = entry.value->callable();
    if (!wanted(name) || type == nullptr || type->name() != "TensorStorageMetadata") continue;
    Result<StoredTensor> tensor = ParseTensor(name, *entry.value, places, chunks_left);
    if (!tensor) return tensor.error().At(Format("tensor {}", name));
    tensors.push_back(std::move(tensor).value());
  }
  const auto by_name = [](const StoredTensor& a, const StoredTensor& b) {
    return a.spec.name < b.spec.name;
  };
  std::sort(tensors.begin(), tensors.end(), by_name);
  return tensors;
}

}  // namespace nemo::dcp
