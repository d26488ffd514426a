// What a pickled tensor says of its storage. Facts: torch/serialization.py (persistent_id).
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/torch/pickle.h"
#include "libcore/base/status.h"
#include "libcore/tensor/dtype.h"

namespace nemo::torch {

struct StorageId {
  const PickleNode* type = nullptr;  ///< "torch BFloat16Storage"
  std::string_view key;
  int64_t count = 0;  ///< elements; of untyped storages bytes
  int64_t offset =
      0;  ///< where a view of the storage begins (only in the stream form), in elements
};

/// From a persistent id ('storage', class, key, location, count [, view]). The location is where
/// the storage was, and does not matter. kCorruption: another kind or other fields.
Result<StorageId> ParseStorageId(const PickleNode& node);

/// The elements of a storage class ("torch HalfStorage"); kUnsupported names another.
Result<DType> StorageDType(const PickleNode& node);
/// A dtype as a value ("torch bfloat16"); kUnsupported names another.
Result<DType> ParseTorchDType(const PickleNode& node);

/// The class in module torch whose storages hold `dtype`: "BFloat16Storage".
std::string_view StorageClassName(DType dtype);
/// What torch calls `dtype`: "bfloat16".
std::string_view TorchDTypeName(DType dtype);

}  // namespace nemo::torch
