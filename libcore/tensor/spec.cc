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

}  // namespace nemo
