#include "libcore/tensor/spec.h"

#include "libcore/base/format.h"

namespace nemo {

Status CheckSpec(const TensorSpec& spec) {
  const Result<int64_t> count = CheckedNumElements(spec.shape);
  if (!count) return count.error().At("tensor " + spec.name);
  int64_t bytes = 0;
  if (__builtin_mul_overflow(*count, SizeOf(spec.dtype), &bytes)) {
    return Corruption(Format("tensor {}: shape {} has more bytes than 64 bits can count", spec.name,
                             FormatList(spec.shape)));
  }
  return OkStatus();
}

Status CheckBox(const TensorSpec& spec, const Box& box, int64_t size_bytes) {
  if (!Contains(spec.shape, box)) {
    return InvalidArgument(Format("tensor {}: box {} leaves the shape {}", spec.name, ToString(box),
                                  FormatList(spec.shape)));
  }
  const int64_t needed = NumElements(box) * SizeOf(spec.dtype);
  if (needed != size_bytes) {
    return InvalidArgument(Format("tensor {}: box {} has {} bytes, the buffer {}", spec.name,
                                  ToString(box), needed, size_bytes));
  }
  return OkStatus();
}

}  // namespace nemo
