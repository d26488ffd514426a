#include "libcore/tensor/dense.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "libcore/base/check.h"

namespace nemo {
namespace {

/// Row-major strides in bytes.
std::vector<int64_t> StridesOf(const Shape& shape, int64_t item_size) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = item_size;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

int64_t OffsetOf(const std::vector<int64_t>& offset, const std::vector<int64_t>& strides) {
  int64_t sum = 0;
  for (size_t axis = 0; axis < offset.size(); ++axis) sum += offset[axis] * strides[axis];
  return sum;
}

/// The first axis from which on `box` spans all of `shape` except perhaps that axis itself:
/// everything from it on is one contiguous run.
size_t RunAxis(const Shape& shape, const Box& box) {
  size_t axis = shape.size();
  while (axis > 0) {
    --axis;
    if (box.extent[axis] != shape[axis]) break;
  }
  return axis;
}

}  // namespace

Status ForEachRun(const Shape& shape, const Box& box, int64_t item_size,
                  const std::function<Status(int64_t, int64_t, int64_t)>& visit) {
  NEMO_CHECK(Contains(shape, box));
  if (NumElements(box) == 0) return OkStatus();
  if (shape.empty()) return visit(0, 0, item_size);
  const std::vector<int64_t> strides = StridesOf(shape, item_size);
  const size_t run_axis = RunAxis(shape, box);
  const int64_t run_bytes = box.extent[run_axis] * strides[run_axis];

  std::vector<int64_t> index = box.offset;
  int64_t box_offset = 0;
  while (true) {
    NEMO_RETURN_IF_ERROR(visit(OffsetOf(index, strides), box_offset, run_bytes));
    box_offset += run_bytes;
    size_t axis = run_axis;
    while (axis > 0) {
      --axis;
      if (++index[axis] < box.offset[axis] + box.extent[axis]) break;
      index[axis] = box.offset[axis];
      if (axis == 0) return OkStatus();
    }
    if (run_axis == 0) return OkStatus();
  }
}

Status ReadBox(const RandomAccessFile& file, int64_t array_offset_bytes, const Shape& shape,
               const Box& box, int64_t item_size, std::span<std::byte> out) {
  return ForEachRun(shape, box, item_size, [&](int64_t at, int64_t to, int64_t size) {
    return file.ReadAt(array_offset_bytes + at,
                       out.subspan(static_cast<size_t>(to), static_cast<size_t>(size)));
  });
}

void CopyBox(const std::byte* from, const Shape& from_shape, const Box& from_box, std::byte* to,
             const Shape& to_shape, const Box& to_box, int64_t item_size) {
  NEMO_CHECK(from_box.extent == to_box.extent && Contains(from_shape, from_box) &&
             Contains(to_shape, to_box));
  const int64_t count = NumElements(from_box);
  if (count == 0) return;
  if (from_shape.empty()) {
    std::memcpy(to, from, static_cast<size_t>(item_size));
    return;
  }
  const std::vector<int64_t> from_strides = StridesOf(from_shape, item_size);
  const std::vector<int64_t> to_strides = StridesOf(to_shape, item_size);
  const size_t run_axis = std::max(RunAxis(from_shape, from_box), RunAxis(to_shape, to_box));
  // Both sides are contiguous from run_axis on, with equal extents.
  int64_t run_bytes = item_size;
  int64_t num_runs = 1;
  for (size_t axis = 0; axis < from_shape.size(); ++axis) {
    (axis >= run_axis ? run_bytes : num_runs) *= from_box.extent[axis];
  }
  Shape outer(from_box.extent.begin(), from_box.extent.begin() + static_cast<int64_t>(run_axis));
  for (int64_t run = 0; run < num_runs; ++run) {
    std::vector<int64_t> at = IndexOf(outer, run);
    int64_t from_offset = OffsetOf(from_box.offset, from_strides);
    int64_t to_offset = OffsetOf(to_box.offset, to_strides);
    for (size_t axis = 0; axis < run_axis; ++axis) {
      from_offset += at[axis] * from_strides[axis];
      to_offset += at[axis] * to_strides[axis];
    }
    std::memcpy(to + to_offset, from + from_offset, static_cast<size_t>(run_bytes));
  }
}

}  // namespace nemo
