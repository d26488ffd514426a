#include "formats/torch/storage_id.h"

#include <algorithm>
#include <span>

#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

using Kind = PickleNode::Kind;
using Items = std::span<const PickleNode* const>;

/// torch numbers its storages; a long key could be repeated by many small references to it.
constexpr size_t kMaxKeyBytes = 255;

struct TorchType {
  std::string_view name;  // in module torch
  DType dtype;
};
constexpr TorchType kStorageClasses[] = {
    {"BFloat16Storage", DType::kBF16}, {"HalfStorage", DType::kF16}, {"FloatStorage", DType::kF32},
    {"DoubleStorage", DType::kF64},    {"ByteStorage", DType::kU8},  {"CharStorage", DType::kI8},
    {"ShortStorage", DType::kI16},     {"IntStorage", DType::kI32},  {"LongStorage", DType::kI64},
    {"BoolStorage", DType::kBool},
};
constexpr TorchType kDTypes[] = {
    {"bfloat16", DType::kBF16}, {"float16", DType::kF16}, {"half", DType::kF16},
    {"float32", DType::kF32},   {"float", DType::kF32},   {"float64", DType::kF64},
    {"double", DType::kF64},    {"uint8", DType::kU8},    {"int8", DType::kI8},
    {"int16", DType::kI16},     {"int32", DType::kI32},   {"int64", DType::kI64},
    {"bool", DType::kBool},
};

Result<DType> DTypeOf(const PickleNode& node, std::span<const TorchType> table) {
  const auto row = std::find_if(table.begin(), table.end(), [&](const TorchType& known) {
    return node.IsGlobal("torch", known.name);
  });
  if (row != table.end()) return row->dtype;
  return Unsupported(Format("elements of {}, which this build does not read", node.Describe()));
}

/// The first name of a type in `table`.
std::string_view NameOf(DType dtype, std::span<const TorchType> table) {
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const TorchType& known) { return known.dtype == dtype; });
  NEMO_CHECK(row != table.end());
  return row->name;
}

}  // namespace

Result<StorageId> ParseStorageId(const PickleNode& node) {
  if (!node.Is(Kind::kPersistentId)) {
    return Corruption(Format("expected a storage, found {}", node.Describe()));
  }
  NEMO_ASSIGN_OR_RETURN(const Items id, node.id()->AsItems(Kind::kTuple));
  if (id.size() != 5 && id.size() != 6) {
    return Corruption(Format("a persistent id of {} fields, expected 5", id.size()));
  }
  NEMO_ASSIGN_OR_RETURN(const std::string_view what, id[0]->AsText());
  if (what != "storage") return Corruption(Format("a persistent id of '{}'", what.substr(0, 100)));
  StorageId storage{id[1], "", 0, 0};
  NEMO_ASSIGN_OR_RETURN(storage.key, id[2]->AsText());
  if (storage.key.size() > kMaxKeyBytes) {
    return Corruption(Format("a storage key of {} bytes", storage.key.size()));
  }
  NEMO_ASSIGN_OR_RETURN(storage.count, id[4]->AsInt());
  if (id.size() == 6 && !id[5]->Is(Kind::kNone)) {
    NEMO_ASSIGN_OR_RETURN(const Items view, id[5]->AsItems(Kind::kTuple));
    if (view.size() != 3) return Corruption(Format("a view of {} fields, expected 3", view.size()));
    NEMO_ASSIGN_OR_RETURN(storage.offset, view[1]->AsInt());
  }
  return storage;
}

Result<DType> StorageDType(const PickleNode& node) { return DTypeOf(node, kStorageClasses); }

Result<DType> ParseTorchDType(const PickleNode& node) { return DTypeOf(node, kDTypes); }

std::string_view StorageClassName(DType dtype) { return NameOf(dtype, kStorageClasses); }

std::string_view TorchDTypeName(DType dtype) { return NameOf(dtype, kDTypes); }

}  // namespace nemo::torch
