// PageBook: who has which pages of the KV cache, and what stands in them. Pure bookkeeping, without
// the memory itself: ranks that make the same calls have the same books.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Pages that `num_tokens` tokens take.
inline int64_t PagesFor(int64_t num_tokens) { return (num_tokens + kPageTokens - 1) / kPageTokens; }

/// kInvalidArgument: `num_tokens` tokens never fit `num_pages` pages, with the numbers.
Status CheckPages(int64_t num_tokens, int64_t num_pages);

/// The key of a page whose sequence begins with the pages of `parent_key` (0: none) and goes on
/// with `token_ids`.
uint64_t PageKey(uint64_t parent_key, std::span<const int32_t> token_ids);

struct PageBookOptions {
  int64_t num_pages = 0;
  int64_t max_sequences = 0;        ///< slots
  int64_t max_sequence_tokens = 0;  ///< of one slot
  decltype(&PageKey) key = PageKey;
};

/// Sequences in flight have slots; a slot has pages. Full pages can be published: another sequence
/// that begins with the same tokens adopts them instead of feeding those tokens again. They are
/// found by a key, and the tokens themselves are compared, so two sequences whose keys are equal by
/// chance share nothing. A published page that no slot has keeps its contents until the page is
/// needed; the one that was used longest ago goes first. Free pages are handed out lowest first.
/// Not thread-safe.
class PageBook {
 public:
  explicit PageBook(const PageBookOptions& options);

  /// Makes room for tokens 0 ... num_tokens - 1 of the sequence in `slot`; keeps what it has.
  /// kInvalidArgument: longer than max_sequence_tokens. kUnavailable: out of pages; nothing
  /// changed.
  Status Reserve(int64_t slot, int64_t num_tokens);
  /// Gives back all pages of `slot`. Published ones can still be adopted.
  void Free(int64_t slot);

  /// `token_ids` begins with the sequence in `slot`, `num_fed` of whose tokens are fed. Takes
  /// published pages for those that follow, whole pages only and none that ends after `limit`
  /// tokens. Returns how many tokens need no feeding now: `num_fed` or more.
  int64_t Adopt(int64_t slot, std::span<const int32_t> token_ids, int64_t num_fed, int64_t limit);
  /// The first `num_fed` tokens of `token_ids` are fed into `slot`, or will be in the step being
  /// put together: publishes its full pages. Where the same tokens are published already the slot
  /// changes over to that page; only with `may_change`, which promises that no step still to run
  /// writes the slot's own page.
  void Publish(int64_t slot, std::span<const int32_t> token_ids, int64_t num_fed, bool may_change);

  int64_t num_pages() const { return options_.num_pages; }
  /// Pages that Reserve can give: free ones, and published ones that no slot has.
  int64_t free_pages() const { return std::ssize(free_) + std::ssize(unused_); }
  /// Published pages that no slot has.
  int64_t cached_pages() const { return std::ssize(unused_); }
  std::span<const int32_t> pages_of(int64_t slot) const { return slots_[slot].pages; }
  int64_t tokens_of(int64_t slot) const { return std::ssize(slots_[slot].pages) * kPageTokens; }
  const PageBookOptions& options() const { return options_; }
  /// Grows whenever the pages of a slot change.
  uint64_t version() const { return version_; }

 private:
  static constexpr int32_t kNone = -1;
  struct Page {
    int64_t num_users = 0;  // slots
    uint64_t key = 0;
    int32_t parent = kNone;          // the published page before it
    std::vector<int32_t> token_ids;  // empty: not published
    uint64_t unused_since = 0;       // key in unused_
  };
  struct Slot {
    std::vector<int32_t> pages;
    int64_t num_published = 0;  // of them, from the first on
  };

  int32_t TakeFreePage();
  void Use(int32_t page);
  void Drop(int32_t page);
  /// What follows the first `num_published` pages of `slot` when it goes on with `token_ids`.
  struct Place {
    uint64_t key;
    int32_t parent;
    int32_t page;  // kNone: not published
  };
  Place Find(const Slot& slot, std::span<const int32_t> token_ids) const;

  PageBookOptions options_;
  std::vector<Page> pages_;
  std::vector<Slot> slots_;
  std::set<int32_t> free_;
  // A page is published only after the one before it, and whoever uses it uses that one too. Slots
  // drop their last page first, so nothing here follows a page that is older: the oldest can go.
  std::map<uint64_t, int32_t> unused_;
  std::unordered_map<uint64_t, int32_t> by_key_;
  uint64_t clock_ = 0;
  uint64_t version_ = 0;
};

}  // namespace nemo
