// Dense row-major arrays: moving a box between a big array, a small one and a file with as few and
// as long runs as the shapes allow.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/box.h"

namespace nemo {

/// Calls visit(array_offset_bytes, box_offset_bytes, size_bytes) for each longest contiguous run of
/// `box` inside a dense row-major array of `shape`, in order. Stops at the first error.
Status ForEachRun(const Shape& shape, const Box& box, int64_t item_size,
                  const std::function<Status(int64_t, int64_t, int64_t)>& visit);

/// Reads `box` of the dense array of `shape` that starts at `array_offset_bytes` of `file` into
/// dense `out`. Short runs that make up much of their rows are gathered from whole rows, read in
/// blocks of 1 MiB.
Status ReadBox(const RandomAccessFile& file, int64_t array_offset_bytes, const Shape& shape,
               const Box& box, int64_t item_size, std::span<std::byte> out);

/// RandomAccessFile::PhaseAt of the first byte of `box`; 0 for a box of no elements.
int64_t PhaseOfBox(const RandomAccessFile& file, int64_t array_offset_bytes, const Shape& shape,
                   const Box& box, int64_t item_size);

/// Copies `from_box` of dense array `from` to `to_box` of dense array `to`; the boxes have equal
/// extents.
void CopyBox(const std::byte* from, const Shape& from_shape, const Box& from_box, std::byte* to,
             const Shape& to_shape, const Box& to_box, int64_t item_size);

}  // namespace nemo
