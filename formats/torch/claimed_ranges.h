// Which bytes of a file have been seen: disjoint ranges that grow as it is read in any order.
#pragma once

#include <cstdint>
#include <vector>

namespace nemo::torch {

struct ByteRange {
  int64_t begin = 0, end = 0;  ///< not empty
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// Bytes of a file of fixed size, each claimed once. Not thread-safe. Takes 8 bytes for each
/// disjoint range and 24 for each MiB of the file; claiming costs time in the number of ranges
/// within one MiB only, so a matrix that is read in column blocks is no worse than one in row
/// blocks.
class ClaimedRanges {
 public:
  explicit ClaimedRanges(int64_t size_bytes) : size_bytes_(size_bytes) {}

  /// Claims `range`, which lies inside the file; returns those parts of it that were not claimed
  /// before, ascending, as few as possible.
  std::vector<ByteRange> Claim(ByteRange range);
  /// What Claim would return.
  std::vector<ByteRange> Unclaimed(ByteRange range) const;
  bool empty() const { return pages_.empty(); }

 private:
  static constexpr int64_t kPageBytes = int64_t{1} << 20;
  /// A claimed range of one page, counted from the page's beginning.
  struct Piece {
    uint32_t begin, end;
  };
  using Page = std::vector<Piece>;  // ascending, disjoint, not touching

  static void ClaimInPage(Page& page, Piece piece);

  int64_t size_bytes_;
  std::vector<Page> pages_;  // none before the first claim
};

}  // namespace nemo::torch
