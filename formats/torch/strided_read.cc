// Boxes of strided tensors: whole runs where the tensor is row-major, else along the axis whose
// elements lie closest together.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "formats/torch/tensor.h"
#include "libcore/base/format.h"
#include "libcore/tensor/dense.h"

namespace nemo::torch {
namespace {

constexpr int64_t kMaxSpanBytes = int64_t{1} << 20;

bool IsRowMajor(const StridedTensor& tensor) {
  int64_t stride = 1;
  for (size_t axis = tensor.shape.size(); axis-- > 0;) {
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != stride) return false;
    stride *= tensor.shape[axis];
  }
  return true;
}

/// Axes by falling stride: in this order the storage is read forwards.
std::vector<size_t> ReadingOrder(const StridedTensor& tensor) {
  std::vector<size_t> order(tensor.shape.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return tensor.strides[a] > tensor.strides[b]; });
  return order;
}

/// Moves elements along one axis from the storage to their places in `out`.
class LineReader {
 public:
  LineReader(const StridedTensor& tensor, int64_t stride, std::span<std::byte> out,
             int64_t out_stride)
      : storage_(*tensor.storage),
        item_size_(SizeOf(tensor.dtype)),
        stride_(stride),
        out_(out),
        out_stride_(out_stride) {
    const int64_t step_bytes = std::max<int64_t>(stride, 1) * item_size_;
    per_span_ = std::max<int64_t>(1, kMaxSpanBytes / step_bytes);
  }

  /// `count` elements from storage element `from` on, to element `to` of out.
  Status Move(int64_t from, int64_t to, int64_t count) {
    for (int64_t done = 0; done < count; done += per_span_) {
      const int64_t part = std::min(per_span_, count - done);
      buffer_.resize(static_cast<size_t>(((part - 1) * stride_ + 1) * item_size_));
      NEMO_RETURN_IF_ERROR(storage_.ReadAt((from + done * stride_) * item_size_, buffer_));
      for (int64_t i = 0; i < part; ++i) {
        std::memcpy(out_.data() + (to + (done + i) * out_stride_) * item_size_,
                    buffer_.data() + i * stride_ * item_size_, static_cast<size_t>(item_size_));
      }
    }
    return OkStatus();
  }

 private:
  const RandomAccessFile& storage_;
  int64_t item_size_, stride_;
  std::span<std::byte> out_;
  int64_t out_stride_;
  int64_t per_span_;
  std::vector<std::byte> buffer_;
};

Status ReadStrided(const StridedTensor& tensor, const Box& box, std::span<std::byte> out) {
  std::vector<int64_t> out_strides(box.extent.size());
  int64_t out_stride = 1;
  for (size_t axis = box.extent.size(); axis-- > 0;) {
    out_strides[axis] = out_stride;
    out_stride *= box.extent[axis];
  }
  const std::vector<size_t> order = ReadingOrder(tensor);
  const size_t line = order.back();
  Shape outer;
  for (size_t i = 0; i + 1 < order.size(); ++i) outer.push_back(box.extent[order[i]]);

  LineReader reader(tensor, tensor.strides[line], out, out_strides[line]);
  const int64_t num_lines = NumElements(outer);
  for (int64_t i = 0; i < num_lines; ++i) {
    const std::vector<int64_t> index = IndexOf(outer, i);
    int64_t from = tensor.offset + box.offset[line] * tensor.strides[line];
    int64_t to = 0;
    for (size_t k = 0; k < index.size(); ++k) {
      from += (box.offset[order[k]] + index[k]) * tensor.strides[order[k]];
      to += index[k] * out_strides[order[k]];
    }
    NEMO_RETURN_IF_ERROR(reader.Move(from, to, box.extent[line]));
  }
  return OkStatus();
}

}  // namespace

Status ReadTensor(const StridedTensor& tensor, const Box& box, std::span<std::byte> out) {
  if (NumElements(box) == 0) return OkStatus();
  const int64_t item_size = SizeOf(tensor.dtype);
  // Else one element and a stride of 0 are a model of any size, and reading it takes as long.
  if (NumElements(tensor.shape) > tensor.storage->size_bytes() / item_size) {
    return Unsupported(Format(
        "{}: a tensor of {} elements that repeats the {} bytes of its storage (an expanded one); "
        "save it contiguous",
        tensor.storage->name(), NumElements(tensor.shape), tensor.storage->size_bytes()));
  }
  if (IsRowMajor(tensor)) {
    return ReadBox(*tensor.storage, tensor.offset * item_size, tensor.shape, box, item_size, out);
  }
  return ReadStrided(tensor, box, out);
}

int64_t PhaseOfTensor(const StridedTensor& tensor, const Box& box) {
  if (!IsRowMajor(tensor)) return 0;
  const int64_t item_size = SizeOf(tensor.dtype);
  return PhaseOfBox(*tensor.storage, tensor.offset * item_size, tensor.shape, box, item_size);
}

}  // namespace nemo::torch
