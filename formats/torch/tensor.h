// Tensors of a torch file: which bytes of which storage a pickled tensor is.
// Facts: torch/_utils.py (_rebuild_tensor_v2 and its like), torch/serialization.py (persistent
// ids).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "formats/torch/torch_file.h"
#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/box.h"
#include "libcore/tensor/dtype.h"

namespace nemo::torch {

/// Element [i, j, ...] lies at element offset + i * strides[0] + j * strides[1] + ... of the
/// storage.
struct StridedTensor {
  DType dtype = DType::kBF16;
  Shape shape;
  std::vector<int64_t> strides;  ///< in elements, not negative
  int64_t offset = 0;            ///< in elements
  std::shared_ptr<RandomAccessFile> storage;
};

/// True when Python would rebuild a tensor, parameter or subclass of tensor from `node`.
bool IsTensor(const PickleNode& node);

/// What `node` (IsTensor) describes; every element is known to lie in its storage. kCorruption:
/// fields of another kind, a storage that is missing or too short, a negative stride, an impossible
/// shape. kUnsupported: an element type that this build does not know.
Result<StridedTensor> TensorOf(const TorchFile& file, const PickleNode& node);

/// Copies `box` to `out`, row-major and dense, as TensorSource::Read does. Takes at most a MiB
/// besides. kUnsupported: more elements than the storage has.
Status ReadTensor(const StridedTensor& tensor, const Box& box, std::span<std::byte> out);
/// TensorSource::PhaseOf.
int64_t PhaseOfTensor(const StridedTensor& tensor, const Box& box);

}  // namespace nemo::torch
