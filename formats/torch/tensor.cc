#include "formats/torch/tensor.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "formats/torch/storage_id.h"
#include "libcore/base/format.h"
#include "libcore/tensor/spec.h"

namespace nemo::torch {
namespace {

using Kind = PickleNode::Kind;
using Items = std::span<const PickleNode* const>;

constexpr int kMaxWrappers = 8;

/// A function of torch and what it would be called with.
struct Call {
  const PickleNode* function;  // a global
  Items args;

  bool Is(std::string_view name) const { return function->IsGlobal("torch._utils", name); }
  bool IsParameter() const {
    return Is("_rebuild_parameter") || Is("_rebuild_parameter_with_state");
  }
  bool IsFromType() const {
    return function->IsGlobal("torch", "_rebuild_from_type_v2") ||
           function->IsGlobal("torch._tensor", "_rebuild_from_type_v2");
  }
  bool IsTensor() const { return Is("_rebuild_tensor_v2") || Is("_rebuild_tensor_v3"); }
};

/// The call that makes the plain tensor inside of parameters and tensors of a class of their own.
Result<Call> Unwrap(const PickleNode& node) {
  Call call{node.callable(), node.args()->items()};
  for (int i = 0; i < kMaxWrappers && !call.IsTensor(); ++i) {
    if (call.IsParameter() && !call.args.empty() && call.args[0]->Is(Kind::kObject)) {
      call = {call.args[0]->callable(), call.args[0]->args()->items()};
    } else if (call.IsFromType() && call.args.size() >= 3 && call.args[0]->Is(Kind::kGlobal) &&
               call.args[2]->Is(Kind::kTuple)) {
      call = {call.args[0], call.args[2]->items()};
    } else {
      break;
    }
  }
  if (call.IsTensor()) return call;
  return Corruption(Format("expected a tensor, found {} with {} arguments",
                           call.function->Describe(), call.args.size()));
}

/// The fields of a rebuild function: (storage, offset, size, stride, requires_grad, hooks [,
/// dtype]).
struct Fields {
  StorageId storage;
  DType dtype;
  int64_t offset;
  Shape shape;
  std::vector<int64_t> strides;
};

Result<Fields> ParseFields(const Call& call) {
  const bool untyped = call.Is("_rebuild_tensor_v3");
  const Items args = call.args;
  if (args.size() < (untyped ? 7u : 4u)) {
    return Corruption(Format("{} with {} arguments", call.function->Describe(), args.size()));
  }
  Fields fields{};
  NEMO_ASSIGN_OR_RETURN(fields.storage, ParseStorageId(*args[0]));
  NEMO_ASSIGN_OR_RETURN(fields.dtype,
                        untyped ? ParseTorchDType(*args[6]) : StorageDType(*fields.storage.type));
  NEMO_ASSIGN_OR_RETURN(fields.offset, args[1]->AsInt());
  NEMO_ASSIGN_OR_RETURN(fields.shape, args[2]->AsIntList());
  NEMO_ASSIGN_OR_RETURN(fields.strides, args[3]->AsIntList());
  if (fields.offset < 0 || fields.storage.offset < 0 ||
      __builtin_add_overflow(fields.offset, fields.storage.offset, &fields.offset)) {
    return Corruption(Format("a storage offset of {}", fields.offset));
  }
  return fields;
}

/// One past the last element, counted in the storage; 0 when there are no elements.
Result<int64_t> EndOf(const Fields& fields) {
  NEMO_RETURN_IF_ERROR(CheckSpec({"", fields.dtype, fields.shape}));
  if (fields.strides.size() != fields.shape.size()) {
    return Corruption(
        Format("shape {} with strides {}", FormatList(fields.shape), FormatList(fields.strides)));
  }
  int64_t last = fields.offset;
  for (size_t axis = 0; axis < fields.shape.size(); ++axis) {
    if (fields.strides[axis] < 0) {
      return Corruption(Format("strides {}: a negative stride, which torch does not have",
                               FormatList(fields.strides)));
    }
    int64_t steps = 0;
    if (__builtin_mul_overflow(std::max<int64_t>(fields.shape[axis] - 1, 0), fields.strides[axis],
                               &steps) ||
        __builtin_add_overflow(last, steps, &last)) {
      return Corruption(Format("shape {} with strides {} is not possible", FormatList(fields.shape),
                               FormatList(fields.strides)));
    }
  }
  if (last == INT64_MAX) return Corruption(Format("a storage offset of {}", fields.offset));
  return NumElements(fields.shape) == 0 ? 0 : last + 1;
}

Status CheckRange(const Fields& fields, int64_t end, int64_t storage_bytes, bool untyped) {
  const int64_t item_size = SizeOf(fields.dtype);
  const int64_t count = untyped ? fields.storage.count / item_size : fields.storage.count;
  if (end > count || end > storage_bytes / item_size) {
    return Corruption(
        Format("shape {} with strides {} from element {} on needs a storage of {} elements, and "
               "'{}' is too small: {} elements, {} bytes; the save or the copy is incomplete",
               FormatList(fields.shape), FormatList(fields.strides), fields.offset, end,
               fields.storage.key.substr(0, 100), count, storage_bytes));
  }
  return OkStatus();
}

}  // namespace

bool IsTensor(const PickleNode& node) {
  if (!node.Is(Kind::kObject)) return false;
  const Call call{node.callable(), node.args()->items()};
  return call.IsTensor() || call.IsParameter() || call.IsFromType();
}

Result<StridedTensor> TensorOf(const TorchFile& file, const PickleNode& node) {
  if (!IsTensor(node)) return Corruption(Format("expected a tensor, found {}", node.Describe()));
  NEMO_ASSIGN_OR_RETURN(const Call call, Unwrap(node));
  NEMO_ASSIGN_OR_RETURN(Fields fields, ParseFields(call));
  NEMO_ASSIGN_OR_RETURN(const int64_t end, EndOf(fields));
  const auto storage = file.storages.find(fields.storage.key);
  if (storage == file.storages.end()) {
    return Corruption(Format("its storage '{}' is missing; the save or the copy is incomplete",
                             fields.storage.key.substr(0, 100)));
  }
  NEMO_RETURN_IF_ERROR(
      CheckRange(fields, end, storage->second->size_bytes(), call.Is("_rebuild_tensor_v3")));
  return StridedTensor{fields.dtype, std::move(fields.shape), std::move(fields.strides),
                       fields.offset, storage->second};
}

}  // namespace nemo::torch
