#include "libcore/runtime/shard_reader.h"

#include <algorithm>
#include <new>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "libcore/tensor/cast.h"

namespace nemo {
namespace {

constexpr int64_t kBlockBytes = int64_t{8} << 20;

/// Reads `box` into `out` by way of a buffer in the stored dtype.
Status ReadConverted(const TensorSource& source, const TensorSpec& spec, const Box& box,
                     BF16* out) {
  const int64_t count = NumElements(box);
  std::vector<std::byte> stored(static_cast<size_t>(count * SizeOf(spec.dtype)));
  NEMO_RETURN_IF_ERROR(source.Read(spec.name, box, stored));
  CastToBF16(spec.dtype, stored.data(), count, out);
  return OkStatus();
}

}  // namespace

Result<const TensorSpec*> ShardReader::Find(const std::string& name, const Shape& shape,
                                            bool more_rows_ok) const {
  const TensorSpec* spec = FindSpec(source_.specs(), name);
  if (spec == nullptr) return NotFound(Format("tensor {}: not in the checkpoint", name));
  if (!CanCastToBF16(spec->dtype)) {
    return Corruption(
        Format("tensor {}: dtype {}; weights are BF16, F16 or F32", name, DTypeName(spec->dtype)));
  }
  Shape expected = shape;
  if (more_rows_ok && spec->shape.size() == shape.size() && spec->shape[0] > shape[0]) {
    expected[0] = spec->shape[0];
  }
  if (spec->shape != expected) {
    return Corruption(Format("tensor {}: shape {}, and the model's configuration makes it {}", name,
                             FormatList(spec->shape), FormatList(expected)));
  }
  return spec;
}

Status ShardReader::Reserve(int64_t num_elements) {
  if (num_elements <= capacity_) return OkStatus();
  staging_.reset();
  capacity_ = 0;
  staging_.reset(new (std::nothrow) BF16[static_cast<size_t>(num_elements)]);
  if (staging_ == nullptr) {
    return IoError(
        Format("out of memory: {} for one tensor's shard", FormatBytes(num_elements * 2)));
  }
  capacity_ = num_elements;
  return OkStatus();
}

Status ShardReader::ReadBox(const TensorSpec& spec, const Box& box, BF16* out) const {
  const int64_t row_elements = NumElements(box) / std::max<int64_t>(box.extent[0], 1);
  const int64_t rows_per_block =
      std::max<int64_t>(1, kBlockBytes / std::max<int64_t>(1, row_elements * SizeOf(spec.dtype)));
  const int64_t num_blocks = (box.extent[0] + rows_per_block - 1) / rows_per_block;
  return ParallelFor(threads_, num_blocks, [&](int64_t block) -> Status {
    Box part = box;
    part.offset[0] += block * rows_per_block;
    part.extent[0] = std::min(rows_per_block, box.extent[0] - block * rows_per_block);
    BF16* to = out + block * rows_per_block * row_elements;
    const int64_t count = NumElements(part);
    if (spec.dtype == DType::kBF16) {
      NEMO_RETURN_IF_ERROR(
          source_.Read(spec.name, part, std::as_writable_bytes(std::span(to, count))));
    } else {
      NEMO_RETURN_IF_ERROR(ReadConverted(source_, spec, part, to));
    }
    progress_.Add(count * static_cast<int64_t>(sizeof(BF16)));
    return OkStatus();
  });
}

Result<std::span<const BF16>> ShardReader::Read(const MatrixShard& shard) {
  NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec, Find(shard.name, shard.shape, shard.more_rows_ok));
  const int64_t num_elements = shard.num_rows * shard.num_columns;
  NEMO_RETURN_IF_ERROR(Reserve(num_elements));
  int64_t filled = 0;
  for (const RowRun& run : shard.runs) filled += run.count;
  if (filled != shard.num_rows) std::fill_n(staging_.get(), num_elements, BF16{0});
  for (const RowRun& run : shard.runs) {
    const Box box = {{run.from, shard.column_begin}, {run.count, shard.num_columns}};
    NEMO_RETURN_IF_ERROR(ReadBox(*spec, box, staging_.get() + run.to * shard.num_columns));
  }
  return std::span<const BF16>(staging_.get(), static_cast<size_t>(num_elements));
}

Result<std::span<const BF16>> ShardReader::ReadVector(const std::string& name, int64_t size) {
  NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec, Find(name, {size}, false));
  NEMO_RETURN_IF_ERROR(Reserve(size));
  NEMO_RETURN_IF_ERROR(ReadBox(*spec, Box::Whole({size}), staging_.get()));
  return std::span<const BF16>(staging_.get(), static_cast<size_t>(size));
}

}  // namespace nemo
