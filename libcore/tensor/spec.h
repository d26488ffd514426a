// TensorSpec: name, dtype, shape. A promise about bytes, not the bytes.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/tensor/box.h"
#include "libcore/tensor/dtype.h"

namespace nemo {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kBF16;
  Shape shape;

  /// Elements times element size.
  int64_t size_bytes() const { return NumElements(shape) * SizeOf(dtype); }
  bool operator==(const TensorSpec&) const = default;
};

/// `box` lies inside the tensor, and a buffer of `size_bytes` holds exactly its elements.
/// kInvalidArgument names the tensor.
Status CheckBox(const TensorSpec& spec, const Box& box, int64_t size_bytes);

/// Shape, element count and byte count are sound and fit int64. kCorruption names the tensor.
Status CheckSpec(const TensorSpec& spec);

}  // namespace nemo
