#include "formats/zarr/array_metadata.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/value.h"
#include "libcore/tensor/spec.h"

namespace nemo::zarr {
namespace {

constexpr size_t kMaxRank = 16;

// Megatron writes "bfloat16", which the specification does not know, over arrays created as "V2".
// The first name of a type is the one that is written.
constexpr std::pair<std::string_view, DType> kDTypes[] = {
    {"bfloat16", DType::kBF16}, {"<V2", DType::kBF16}, {"|V2", DType::kBF16}, {"V2", DType::kBF16},
    {"<f2", DType::kF16},       {"<f4", DType::kF32},  {"<f8", DType::kF64},  {"<i2", DType::kI16},
    {"<i4", DType::kI32},       {"<i8", DType::kI64},  {"|i1", DType::kI8},   {"|u1", DType::kU8},
    {"|b1", DType::kBool},
};

Result<DType> ParseZarrDType(const std::string& text) {
  for (const auto& [name, dtype] : kDTypes) {
    if (text == name) return dtype;
  }
  return Unsupported(
      Format("dtype '{}'; read are bfloat16 and little-endian numpy types such as <f4", text));
}

std::string_view ZarrDTypeName(DType dtype) {
  const auto row = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                [&](const auto& entry) { return entry.second == dtype; });
  NEMO_CHECK(row != std::end(kDTypes));
  return row->first;
}

/// Chunks must lie raw in their files.
Status CheckNoCodec(const Value& object, std::string_view field) {
  const Value* codec = object.Find(field);
  if (codec == nullptr || codec->is_null()) return OkStatus();
  if (codec->is_array() && codec->as_array().empty()) return OkStatus();
  const Value& first = codec->is_array() ? codec->as_array().front() : *codec;
  const Value* id = first.Find("id");
  return Unsupported(Format("{} '{}' is not read by this build; save the checkpoint without it",
                            field,
                            id != nullptr && id->is_string() ? id->as_string() : ToJson(*codec)));
}

Result<char> ParseSeparator(const Value& object) {
  if (object.Find("dimension_separator") == nullptr) return '.';
  NEMO_ASSIGN_OR_RETURN(const std::string text, object.GetString("dimension_separator"));
  if (text != "." && text != "/") {
    return Corruption(Format("dimension_separator '{}', expected '.' or '/'", text));
  }
  return text.front();
}

Status SetGrid(ArrayMetadata& array) {
  if (array.shape.size() != array.chunk_shape.size() || array.shape.size() > kMaxRank) {
    return Corruption(Format("shape {} and chunks {} do not fit one another",
                             FormatList(array.shape), FormatList(array.chunk_shape)));
  }
  for (size_t axis = 0; axis < array.shape.size(); ++axis) {
    const int64_t extent = array.shape[axis];
    const int64_t chunk = array.chunk_shape[axis];
    if (extent < 1 || chunk < 1) {
      return Corruption(Format("shape {} in chunks of {}: extents must be positive",
                               FormatList(array.shape), FormatList(array.chunk_shape)));
    }
    array.grid.push_back((extent - 1) / chunk + 1);
  }
  NEMO_RETURN_IF_ERROR(CheckSpec({"shape", array.dtype, array.shape}));
  return CheckSpec({"chunks", array.dtype, array.chunk_shape});
}

}  // namespace

std::string ArrayMetadata::ChunkName(const std::vector<int64_t>& chunk_index) const {
  if (chunk_index.empty()) return "0";
  std::string name;
  for (const int64_t index : chunk_index) {
    if (!name.empty()) name += separator;
    name += Format("{}", index);
  }
  return name;
}

Box ArrayMetadata::BoxOf(const std::vector<int64_t>& chunk_index) const {
  Box box = Box::Whole(chunk_shape);
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    box.offset[axis] = chunk_index[axis] * chunk_shape[axis];
    box.extent[axis] = std::min(chunk_shape[axis], shape[axis] - box.offset[axis]);
  }
  return box;
}

std::string ArrayMetadataText(const ArrayMetadata& array) {
  NEMO_CHECK(array.separator == '.');
  Value value;
  value.Set("chunks", Value::ArrayOf(array.chunk_shape));
  value.Set("compressor", Value());
  value.Set("dtype", ZarrDTypeName(array.dtype));
  value.Set("fill_value", Value());
  value.Set("filters", Value());
  value.Set("order", "C");
  value.Set("shape", Value::ArrayOf(array.shape));
  value.Set("zarr_format", 2);
  return ToJson(value, 4);
}

Result<ArrayMetadata> ParseArrayMetadata(std::string_view json_text) {
  NEMO_ASSIGN_OR_RETURN(const Value object, ParseJson(json_text));
  NEMO_ASSIGN_OR_RETURN(const int64_t version, object.GetInt("zarr_format"));
  if (version != 2) return Unsupported(Format("zarr_format {}; version 2 is read", version));
  ArrayMetadata array;
  NEMO_ASSIGN_OR_RETURN(array.shape, object.GetIntList("shape"));
  NEMO_ASSIGN_OR_RETURN(array.chunk_shape, object.GetIntList("chunks"));
  NEMO_ASSIGN_OR_RETURN(const std::string dtype, object.GetString("dtype"));
  NEMO_ASSIGN_OR_RETURN(array.dtype, ParseZarrDType(dtype));
  NEMO_RETURN_IF_ERROR(CheckNoCodec(object, "compressor"));
  NEMO_RETURN_IF_ERROR(CheckNoCodec(object, "filters"));
  NEMO_ASSIGN_OR_RETURN(const std::string order, object.GetString("order"));
  if (order != "C") return Unsupported(Format("order '{}'; C (row-major) is read", order));
  NEMO_ASSIGN_OR_RETURN(array.separator, ParseSeparator(object));
  NEMO_RETURN_IF_ERROR(SetGrid(array));
  return array;
}

}  // namespace nemo::zarr
