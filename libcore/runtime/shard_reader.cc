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
  const std::span<std::byte> stored =
      staging.stored.Get(count * SizeOf(spec.dtype), source_.PhaseOf(spec.name, box));
  NEMO_RETURN_IF_ERROR(source_.Read(spec.name, box, stored));
  CastToBF16(spec.dtype, stored.data(), count, out);
  return OkStatus();
}

/// What the runs have of rows [row_begin, row_end).
std::vector<ShardReader::Piece> ShardReader::PiecesOf(const TensorShard& shard, int64_t row_begin,
                                                      int64_t row_end) {
  std::vector<Piece> pieces;
  for (const RowRun& run : shard.runs) {
    const int64_t begin = std::max(run.to, row_begin);
    const int64_t end = std::min(run.to + run.count, row_end);
    if (begin >= end) continue;
    Piece& piece = pieces.emplace_back();
    piece.row = begin - row_begin;
    piece.box = {{run.from + begin - run.to}, {end - begin}};
    if (shard.shape.size() > 1) {
      piece.box.offset.push_back(shard.column_begin);
      piece.box.extent.push_back(shard.num_columns);
    }
  }
  return pieces;
}

Result<std::span<const BF16>> ShardReader::ReadRows(const TensorShard& shard, int64_t row_begin,
                                                    int64_t num_rows, Staging& staging) const {
  NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec, Find(shard));
  const std::vector<Piece> pieces = PiecesOf(shard, row_begin, row_begin + num_rows);
  const int64_t row_bytes = shard.num_columns * static_cast<int64_t>(sizeof(BF16));
  // The first piece is read without a copy; others where they happen to share its alignment.
  int64_t phase = 0;
  if (spec->dtype == DType::kBF16 && !pieces.empty()) {
    phase = source_.PhaseOf(spec->name, pieces[0].box) - pieces[0].row * row_bytes;
    phase = (phase % kDirectAlignment + kDirectAlignment) % kDirectAlignment;
    if (phase % static_cast<int64_t>(alignof(BF16)) != 0) phase = 0;
  }
  auto* const out = reinterpret_cast<BF16*>(staging.rows.Get(num_rows * row_bytes, phase).data());
  const auto at = [&](int64_t row) { return out + row * shard.num_columns; };
  int64_t row = 0;  // the first that is not filled yet
  for (const Piece& piece : pieces) {
    std::fill(at(row), at(piece.row), BF16{0});
    NEMO_RETURN_IF_ERROR(ReadBox(*spec, piece.box, at(piece.row), staging));
    row = piece.row + piece.box.extent[0];
  }
  std::fill(at(row), at(num_rows), BF16{0});
  return std::span<const BF16>(out, static_cast<size_t>(num_rows * shard.num_columns));
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
