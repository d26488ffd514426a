// BlockReader: fills one block of the tensors of a group from the source.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/aligned_buffer.h"
#include "libcore/base/status.h"
#include "libcore/convert/work.h"
#include "libcore/layout/plan.h"
#include "libcore/tensor/source.h"

namespace nemo {

/// Memory of one thread, used again for block after block.
struct BlockMemory {
  std::vector<AlignedBuffer> members;
  AlignedBuffer shared;
  AlignedBuffer stored;  ///< before it is cast or transformed
};

/// Thread-safe: what changes lies in the caller's BlockMemory.
class BlockReader {
 public:
  BlockReader(const TensorSource& source, const Plan& plan) : source_(source), plan_(plan) {}

  /// Fills `outs` (parallel to the group's members; each dense, of `block`'s extent and the
  /// member's dtype) with `block` of every member. Errors of the source.
  Status Fill(const WorkGroup& group, const Box& block, std::span<const std::span<std::byte>> outs,
              BlockMemory& memory) const;

  /// Bytes asked of the source so far.
  int64_t read_bytes() const { return read_bytes_; }

 private:
  Status FillAlone(const PlannedTensor& planned, const Box& block, std::span<std::byte> out,
                   BlockMemory& memory) const;
  Status FillShared(const WorkGroup& group, const Box& block,
                    std::span<const std::span<std::byte>> outs, BlockMemory& memory) const;
  Status ReadMove(const Move& move, const Box& from, DType dtype, std::span<std::byte> out,
                  BlockMemory& memory) const;

  const TensorSource& source_;
  const Plan& plan_;
  mutable std::atomic<int64_t> read_bytes_{0};
};

}  // namespace nemo
