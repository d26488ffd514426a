#include "libcore/tensor/dense.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "libcore/base/aligned_buffer.h"
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

/// A gather reads at most this much at once.
constexpr int64_t kGatherBytes = 1 << 20;
/// Runs as long as this are worth a read each.
constexpr int64_t kLongRunBytes = 256 << 10;

/// True for columns of a matrix (the last two axes, single elements of the others) that take at
/// least a quarter of each row, in runs too short for a read each: the disk is quicker with all.
bool ReadsRowsWhole(const Shape& shape, const Box& box, int64_t item_size) {
  if (shape.size() < 2 || NumElements(box) == 0) return false;
  const size_t rows = shape.size() - 2, cols = shape.size() - 1;
  for (size_t axis = 0; axis < rows; ++axis) {
    if (box.extent[axis] != 1) return false;
  }
  return box.extent[rows] > 1 && box.extent[cols] < shape[cols] &&
         box.extent[cols] * item_size < kLongRunBytes && box.extent[cols] >= shape[cols] / 4;
}

/// Reads blocks of whole rows, from the first wanted element to the last, and keeps the columns of
/// `box`.
Status GatherBox(const RandomAccessFile& file, int64_t array_offset_bytes, const Shape& shape,
                 const Box& box, int64_t item_size, std::span<std::byte> out) {
  const size_t rows = shape.size() - 2, cols = shape.size() - 1;
  const int64_t row_bytes = shape[cols] * item_size, run_bytes = box.extent[cols] * item_size;
  const int64_t begin = array_offset_bytes + OffsetOf(box.offset, StridesOf(shape, item_size));
  const int64_t rows_per_block = std::max<int64_t>(1, kGatherBytes / row_bytes);
  AlignedBuffer memory;
  for (int64_t row = 0; row < box.extent[rows]; row += rows_per_block) {
    const int64_t count = std::min(rows_per_block, box.extent[rows] - row);
    const int64_t at = begin + row * row_bytes;
    const auto block = memory.Get((count - 1) * row_bytes + run_bytes, file.PhaseAt(at));
    NEMO_RETURN_IF_ERROR(file.ReadAt(at, block));
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(out.data() + (row + i) * run_bytes, block.data() + i * row_bytes,
                  static_cast<size_t>(run_bytes));
    }
  }
  return OkStatus();
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
  if (ReadsRowsWhole(shape, box, item_size)) {
    return GatherBox(file, array_offset_bytes, shape, box, item_size, out);
  }
  return ForEachRun(shape, box, item_size, [&](int64_t at, int64_t to, int64_t size) {
    return file.ReadAt(array_offset_bytes + at,
                       out.subspan(static_cast<size_t>(to), static_cast<size_t>(size)));
  });
}

int64_t PhaseOfBox(const RandomAccessFile& file, int64_t array_offset_bytes, const Shape& shape,
                   const Box& box, int64_t item_size) {
  if (NumElements(box) == 0) return 0;
  return file.PhaseAt(array_offset_bytes + OffsetOf(box.offset, StridesOf(shape, item_size)));
}

void CopyBox(const std::byte* from, const Shape& from_shape, const Box& from_box, std::byte* to,
             const Shape& to_shape, const Box& to_box, int64_t item_size) {
  NEMO_CHECK(from_box.extent == to_box.extent && Contains(from_shape, from_box) &&
             Contains(to_shape, to_box));
  if (NumElements(from_box) == 0) return;
  const std::vector<int64_t> from_strides = StridesOf(from_shape, item_size);
  const std::vector<int64_t> to_strides = StridesOf(to_shape, item_size);
  // Both sides are contiguous from run_axis on, with equal extents; the axis before it is walked in
  // a loop of its own.
  const size_t run_axis = std::max(RunAxis(from_shape, from_box), RunAxis(to_shape, to_box));
  const size_t outer_axes = run_axis == 0 ? 0 : run_axis - 1;
  const int64_t num_runs = run_axis == 0 ? 1 : from_box.extent[outer_axes];
  const int64_t from_step = run_axis == 0 ? 0 : from_strides[outer_axes];
  const int64_t to_step = run_axis == 0 ? 0 : to_strides[outer_axes];
  int64_t run_bytes = item_size;
  for (size_t axis = run_axis; axis < from_shape.size(); ++axis) run_bytes *= from_box.extent[axis];
  const Shape outer(from_box.extent.begin(),
                    from_box.extent.begin() + static_cast<int64_t>(outer_axes));
  for (int64_t i = 0; i < NumElements(outer); ++i) {
    const std::vector<int64_t> at = IndexOf(outer, i);
    const std::byte* source = from + OffsetOf(from_box.offset, from_strides);
    std::byte* target = to + OffsetOf(to_box.offset, to_strides);
    for (size_t axis = 0; axis < outer_axes; ++axis) {
      source += at[axis] * from_strides[axis];
      target += at[axis] * to_strides[axis];
    }
    for (int64_t run = 0; run < num_runs; ++run, source += from_step, target += to_step) {
      std::memcpy(target, source, static_cast<size_t>(run_bytes));
    }
  }
}

}  // namespace nemo
