#include "libcore/convert/block_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "libcore/base/check.h"
#include "libcore/tensor/cast.h"
#include "libcore/tensor/dense.h"

namespace nemo {

Status BlockReader::Fill(const WorkGroup& group, const Box& block,
                         std::span<const std::span<std::byte>> outs, BlockMemory& memory) const {
  if (group.members.size() > 1) return FillShared(group, block, outs, memory);
  const PlanIndex& only = group.members.front();
  return FillAlone(plan_.files[only.file].tensors[only.tensor], block, outs.front(), memory);
}

/// Reads what the moves bring into `block`. Targets are whole rows, so that each lands in one
/// piece.
Status BlockReader::FillAlone(const PlannedTensor& planned, const Box& block,
                              std::span<std::byte> out, BlockMemory& memory) const {
  const TensorSpec& spec = planned.tensor.spec;
  if (spec.shape.empty()) {
    return ReadMove(planned.moves.front(), planned.moves.front().source, spec.dtype, out, memory);
  }
  const int64_t row_bytes = std::ssize(out) / block.extent[0];
  for (const Move& move : planned.moves) {
    const std::optional<Box> part = Intersect(move.target, block);
    if (!part) continue;
    NEMO_CHECK(std::equal(part->extent.begin() + 1, part->extent.end(), spec.shape.begin() + 1));
    const auto rows =
        out.subspan(static_cast<size_t>((part->offset[0] - block.offset[0]) * row_bytes),
                    static_cast<size_t>(part->extent[0] * row_bytes));
    if (move.source_name.empty()) {
      std::memset(rows.data(), 0, rows.size());
      continue;
    }
    Box from = move.source;
    from.offset[0] += part->offset[0] - move.target.offset[0];
    from.extent[0] = part->extent[0];
    NEMO_RETURN_IF_ERROR(ReadMove(move, from, spec.dtype, rows, memory));
  }
  return OkStatus();
}

/// Reads the rows once for all and deals them out.
Status BlockReader::FillShared(const WorkGroup& group, const Box& block,
                               std::span<const std::span<std::byte>> outs,
                               BlockMemory& memory) const {
  const PlanIndex& first = group.members.front();
  const DType dtype = plan_.files[first.file].tensors[first.tensor].tensor.spec.dtype;
  Box from = group.shared.source;
  from.offset[0] += block.offset[0];
  from.extent[0] = block.extent[0];
  const int64_t phase = source_.PhaseOf(group.shared.source_name, from);
  const auto rows = memory.shared.Get(NumElements(from) * SizeOf(dtype), phase);
  NEMO_RETURN_IF_ERROR(ReadMove(group.shared, from, dtype, rows, memory));
  for (size_t i = 0; i < outs.size(); ++i) {
    Box place = group.place_in_shared[i];
    place.offset[0] = 0;
    place.extent[0] = block.extent[0];
    CopyBox(rows.data(), from.extent, place, outs[i].data(), block.extent, Box::Whole(block.extent),
            SizeOf(dtype));
  }
  return OkStatus();
}

/// Reads `from` of the move's source as elements of `dtype`, transformed as the move says.
Status BlockReader::ReadMove(const Move& move, const Box& from, DType dtype,
                             std::span<std::byte> out, BlockMemory& memory) const {
  const TensorSpec* stored = FindSpec(source_.specs(), move.source_name);
  const bool copy = move.transform == Transform::kCopy;
  if (stored == nullptr || (copy && stored->dtype == dtype)) {
    read_bytes_ += std::ssize(out);
    return source_.Read(move.source_name, from, out);
  }
  NEMO_CHECK(dtype == DType::kBF16 && CanCastToBF16(stored->dtype));
  const int64_t count = NumElements(from);
  const auto raw =
      memory.stored.Get(count * SizeOf(stored->dtype), source_.PhaseOf(move.source_name, from));
  NEMO_RETURN_IF_ERROR(source_.Read(move.source_name, from, raw));
  read_bytes_ += std::ssize(raw);
  const auto convert = copy ? CastToBF16 : AddOneToBF16;
  convert(stored->dtype, raw.data(), count, reinterpret_cast<BF16*>(out.data()));
  return OkStatus();
}

}  // namespace nemo
