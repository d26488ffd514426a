#include "formats/torch/claimed_ranges.h"

#include <algorithm>

#include "libcore/base/check.h"

namespace nemo::torch {
namespace {

/// Adds `range`, which does not begin before the end of the last of `ranges`.
void Append(ByteRange range, std::vector<ByteRange>& ranges) {
  if (range.begin == range.end) return;
  if (!ranges.empty() && ranges.back().end == range.begin) {
    ranges.back().end = range.end;
  } else {
    ranges.push_back(range);
  }
}

}  // namespace

std::vector<ByteRange> ClaimedRanges::Unclaimed(ByteRange range) const {
  NEMO_CHECK(range.begin >= 0 && range.begin <= range.end && range.end <= size_bytes_);
  std::vector<ByteRange> fresh;
  if (empty()) {
    Append(range, fresh);
    return fresh;
  }
  for (int64_t at = range.begin; at < range.end;) {
    const int64_t page_begin = at / kPageBytes * kPageBytes;
    const int64_t end = std::min(range.end, page_begin + kPageBytes);
    const Page& page = pages_[static_cast<size_t>(at / kPageBytes)];
    auto piece = std::upper_bound(
        page.begin(), page.end(), at - page_begin,
        [](int64_t offset, const Piece& p) { return offset < static_cast<int64_t>(p.end); });
    for (; piece != page.end() && page_begin + piece->begin < end; ++piece) {
      Append({at, std::max(at, page_begin + piece->begin)}, fresh);
      at = page_begin + piece->end;
    }
    if (at < end) Append({at, end}, fresh);
    at = end;
  }
  return fresh;
}

std::vector<ByteRange> ClaimedRanges::Claim(ByteRange range) {
  std::vector<ByteRange> fresh = Unclaimed(range);
  if (fresh.empty()) return fresh;
  if (empty()) pages_.resize(static_cast<size_t>((size_bytes_ + kPageBytes - 1) / kPageBytes));
  for (int64_t at = range.begin; at < range.end;) {
    const int64_t page_begin = at / kPageBytes * kPageBytes;
    const int64_t end = std::min(range.end, page_begin + kPageBytes);
    ClaimInPage(pages_[static_cast<size_t>(at / kPageBytes)],
                {static_cast<uint32_t>(at - page_begin), static_cast<uint32_t>(end - page_begin)});
    at = end;
  }
  return fresh;
}

/// Those that `piece` meets or touches become one with it.
void ClaimedRanges::ClaimInPage(Page& page, Piece piece) {
  const auto first = std::lower_bound(page.begin(), page.end(), piece.begin,
                                      [](const Piece& p, uint32_t begin) { return p.end < begin; });
  auto last = first;
  while (last != page.end() && last->begin <= piece.end) {
    piece.begin = std::min(piece.begin, last->begin);
    piece.end = std::max(piece.end, last->end);
    ++last;
  }
  if (first == last) {
    page.insert(first, piece);
    return;
  }
  *first = piece;
  page.erase(first + 1, last);
}

}  // namespace nemo::torch
