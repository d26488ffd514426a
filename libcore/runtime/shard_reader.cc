#include "libcore/runtime/shard_reader.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/tensor/cast.h"

namespace nemo {

Result<const TensorSpec*> ShardReader::Find(const TensorShard& shard) const {
  const TensorSpec* spec = FindSpec(source_.specs(), shard.name);
  if (spec == nullptr) return NotFound(Format("tensor {}: not in the checkpoint", shard.name));
  if (!CanCastToBF16(spec->dtype)) {
    return Corruption(Format("tensor {}: dtype {}; weights are BF16, F16 or F32", shard.name,
                             DTypeName(spec->dtype)));
  }
  Shape expected = shard.shape;
  if (shard.more_rows_ok && spec->shape.size() == expected.size() && spec->shape[0] > expected[0]) {
    expected[0] = spec->shape[0];
  }
  if (spec->shape != expected) {
    return Corruption(Format("tensor {}: shape {}, and the model's configuration makes it {}",
                             shard.name, FormatList(spec->shape), FormatList(expected)));
  }
  return spec;
}

Status ShardReader::ReadBox(const TensorSpec& spec, const Box& box, BF16* out,
                            Staging& staging) const {
  const int64_t count = NumElements(box);
  if (spec.dtype == DType::kBF16) {
    return source_.Read(spec.name, box, std::as_writable_bytes(std::span(out, count)));
  }
  const std::span<std::byte> stored = staging.stored.Get(count * SizeOf(spec.dtype));
  NEMO_RETURN_IF_ERROR(source_.Read(spec.name, box, stored));
  CastToBF16(spec.dtype, stored.data(), count, out);
  return OkStatus();
}

Result<std::span<const BF16>> ShardReader::ReadRows(const TensorShard& shard, int64_t row_begin,
                                                    int64_t num_rows, Staging& staging) const {
  NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec, Find(shard));
  const int64_t row_end = row_begin + num_rows;
  const int64_t num_elements = num_rows * shard.num_columns;
  auto* const out = reinterpret_cast<BF16*>(
      staging.rows.Get(num_elements * static_cast<int64_t>(sizeof(BF16))).data());
  int64_t row = row_begin;  // the first that is not filled yet
  const auto fill_zeros = [&](int64_t until) {
    std::fill(out + (row - row_begin) * shard.num_columns,
              out + (until - row_begin) * shard.num_columns, BF16{0});
  };
  for (const RowRun& run : shard.runs) {
    const int64_t begin = std::max(run.to, row_begin);
    const int64_t end = std::min(run.to + run.count, row_end);
    if (begin >= end) continue;
    fill_zeros(begin);
    Box box = {{run.from + begin - run.to}, {end - begin}};
    if (shard.shape.size() > 1) {
      box.offset.push_back(shard.column_begin);
      box.extent.push_back(shard.num_columns);
    }
    NEMO_RETURN_IF_ERROR(
        ReadBox(*spec, box, out + (begin - row_begin) * shard.num_columns, staging));
    row = end;
  }
  fill_zeros(row_end);
  return std::span<const BF16>(out, static_cast<size_t>(num_elements));
}

std::unique_ptr<ShardReader::Staging> StagingPool::Take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::make_unique<ShardReader::Staging>();
  std::unique_ptr<ShardReader::Staging> staging = std::move(free_.back());
  free_.pop_back();
  return staging;
}

void StagingPool::PutBack(std::unique_ptr<ShardReader::Staging> staging) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(staging));
}

}  // namespace nemo
