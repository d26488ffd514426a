#include "libcore/tensor/box.h"

#include <algorithm>

#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo {

Result<int64_t> CheckedNumElements(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count)) {
      return Corruption(Format("shape {} is not possible", FormatList(shape)));
    }
  }
  return count;
}

int64_t NumElements(const Shape& shape) {
  const Result<int64_t> count = CheckedNumElements(shape);
  NEMO_CHECK(count.has_value());
  return *count;
}

Box Box::Whole(const Shape& shape) { return Box{std::vector<int64_t>(shape.size(), 0), shape}; }

int64_t NumElements(const Box& box) { return NumElements(box.extent); }

bool Contains(const Shape& shape, const Box& box) {
  if (box.offset.size() != shape.size() || box.extent.size() != shape.size()) return false;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (box.offset[axis] < 0 || box.extent[axis] < 0 || box.offset[axis] > shape[axis] ||
        box.extent[axis] > shape[axis] - box.offset[axis]) {
      return false;
    }
  }
  return true;
}

std::optional<Box> Intersect(const Box& a, const Box& b) {
  NEMO_CHECK(a.rank() == b.rank());
  Box out = a;
  for (size_t axis = 0; axis < a.extent.size(); ++axis) {
    const int64_t begin = std::max(a.offset[axis], b.offset[axis]);
    const int64_t end = std::min(a.offset[axis] + a.extent[axis], b.offset[axis] + b.extent[axis]);
    if (begin >= end) return std::nullopt;
    out.offset[axis] = begin;
    out.extent[axis] = end - begin;
  }
  return out;
}

Box RelativeTo(const Box& box, const std::vector<int64_t>& origin) {
  NEMO_CHECK(box.offset.size() == origin.size());
  Box out = box;
  for (size_t axis = 0; axis < origin.size(); ++axis) out.offset[axis] -= origin[axis];
  return out;
}

std::string ToString(const Box& box) {
  std::string text = "[";
  for (size_t axis = 0; axis < box.extent.size(); ++axis) {
    text += Format("{}{}:{}", axis == 0 ? "" : ", ", box.offset[axis],
                   box.offset[axis] + box.extent[axis]);
  }
  return text + "]";
}

std::vector<int64_t> IndexOf(const Shape& shape, int64_t linear) {
  std::vector<int64_t> index(shape.size());
  for (size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = linear % shape[axis];
    linear /= shape[axis];
  }
  return index;
}

}  // namespace nemo
