#include "libcore/runtime/token_draws.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace nemo {
namespace {

constexpr int64_t kLimits[] = {128, 2048, std::numeric_limits<int64_t>::max()};
constexpr int64_t kSpare = 32;  // the first list of a top-k goes that far beyond it, for ties

constexpr int32_t kNone = -1;       // no token can be chosen
constexpr int32_t kUndecided = -2;  // the lists were too short

template <typename T>
void Append(const T* values, size_t count, std::vector<std::byte>& bytes) {
  const auto* begin = reinterpret_cast<const std::byte*>(values);
  bytes.insert(bytes.end(), begin, begin + count * sizeof(T));
}

void Shorten(ShardList& list, int64_t limit) {
  if (std::ssize(list.best) <= limit) return;
  list.best.resize(limit);
  list.complete = false;
}

/// The parts of one rank for the rows of a round, one after the other.
void AppendPart(const ShardList& part, std::vector<std::byte>& bytes) {
  const int64_t head[] = {std::ssize(part.best), std::ssize(part.chunks), part.complete ? 1 : 0};
  Append(head, std::size(head), bytes);
  Append(part.best.data(), part.best.size(), bytes);
  Append(part.chunks.data(), part.chunks.size(), bytes);
}

class PartReader {
 public:
  explicit PartReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// False: the bytes end before the part does.
  bool Read(ShardList* part) {
    int64_t head[3];
    if (!Take(head, std::size(head))) return false;
    if (head[0] < 0 || head[1] < 0 || std::cmp_greater(head[0], bytes_.size()) ||
        std::cmp_greater(head[1], bytes_.size())) {
      return false;
    }
    part->best.resize(head[0]);
    part->chunks.resize(head[1]);
    part->complete = head[2] != 0;
    return Take(part->best.data(), part->best.size()) &&
           Take(part->chunks.data(), part->chunks.size());
  }

 private:
  template <typename T>
  bool Take(T* values, size_t count) {
    const size_t size = count * sizeof(T);
    if (size > bytes_.size()) return false;
    if (size > 0) std::memcpy(values, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return true;
  }

  std::span<const std::byte> bytes_;
};

/// Parts of any size from all ranks, in rank order.
Result<std::vector<std::vector<std::byte>>> Gather(Communicator& tp, std::vector<std::byte> mine) {
  const uint64_t size = mine.size();
  std::vector<uint64_t> sizes(tp.size());
  NEMO_RETURN_IF_ERROR(
      tp.AllGather(std::as_bytes(std::span(&size, 1)), std::as_writable_bytes(std::span(sizes))));
  const uint64_t longest = *std::ranges::max_element(sizes);
  mine.resize(longest);
  std::vector<std::byte> all(longest * tp.size());
  NEMO_RETURN_IF_ERROR(tp.AllGather(mine, all));
  std::vector<std::vector<std::byte>> parts;
  for (int rank = 0; rank < tp.size(); ++rank) {
    const auto begin = all.begin() + static_cast<int64_t>(longest) * rank;
    parts.emplace_back(begin, begin + static_cast<int64_t>(sizes[rank]));
  }
  return parts;
}

/// One verdict per draw of the round, from the parts of all ranks: the same on each, for their
/// arithmetic is the same everywhere.
Result<std::vector<int32_t>> ConcludeAll(const std::vector<std::vector<std::byte>>& gathered,
                                         std::span<const TokenDraw* const> draws,
                                         std::span<const size_t> round) {
  std::vector<PartReader> readers(gathered.begin(), gathered.end());
  std::vector<int32_t> verdicts;
  for (const size_t index : round) {
    std::vector<ShardList> parts(readers.size());
    for (size_t rank = 0; rank < readers.size(); ++rank) {
      if (!readers[rank].Read(&parts[rank])) {
        return Unavailable("a tensor rank's part of a choice is cut short; its program differs");
      }
    }
    verdicts.push_back(Conclude(*draws[index], parts).value_or(kUndecided));
  }
  return verdicts;
}

}  // namespace

Result<std::vector<int32_t>> DrawTokens(Communicator& tp, std::span<const TokenDraw* const> draws,
                                        const ListsOfDraws& lists_of) {
  std::vector<int32_t> tokens(draws.size(), kUndecided);
  for (const int64_t limit : kLimits) {
    std::vector<size_t> round;
    for (size_t i = 0; i < draws.size(); ++i) {
      // A list of k shows the k-th only when it goes on beyond it.
      if (tokens[i] == kUndecided && draws[i]->params.top_k < limit) round.push_back(i);
    }
    if (round.empty()) continue;
    NEMO_ASSIGN_OR_RETURN(std::vector<ShardList> lists, lists_of(round, limit));
    std::vector<std::byte> mine;
    for (size_t i = 0; i < round.size(); ++i) {
      const int64_t top_k = draws[round[i]]->params.top_k;
      if (limit == kLimits[0] && top_k > 0) Shorten(lists[i], top_k + kSpare);
      AppendPart(lists[i], mine);
    }
    NEMO_ASSIGN_OR_RETURN(const auto gathered, Gather(tp, std::move(mine)));
    NEMO_ASSIGN_OR_RETURN(const std::vector<int32_t> verdicts, ConcludeAll(gathered, draws, round));
    for (size_t i = 0; i < round.size(); ++i) tokens[round[i]] = verdicts[i];
  }
  if (std::ranges::any_of(tokens, [](int32_t token) { return token <= kNone; })) {
    return Corruption("no token is left to choose from: the logits are not finite numbers");
  }
  return tokens;
}

}  // namespace nemo
