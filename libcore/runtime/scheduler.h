// Scheduler: requests in, batches for the engine out. Pure arithmetic over tokens and pages: the
// same calls give the same decisions, so every rank runs its own and they agree.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/page_book.h"

namespace nemo {

struct SchedulerOptions {
  int64_t token_budget = 256;  ///< tokens of one step
  int64_t prefill_chunk =
      0;  ///< most prompt tokens of one request in a step; 0: whole pages, up to the budget
  int64_t max_batch_size = 8;  ///< requests in flight: slots
  int64_t num_groups = 1;      ///< steps in flight: each gets its share of the requests
  bool prefix_cache = true;    ///< whether equal beginnings share pages
};

/// Tokens [start, start + count) of request `id` are to be fed in this step.
struct ScheduledSpan {
  int64_t id = 0;
  int64_t slot = 0;
  int64_t start = 0;
  int64_t count = 0;
  bool operator==(const ScheduledSpan&) const = default;
};

/// First come, first served. A request enters when a slot and pages for the tokens it has are free,
/// and one for each running request that will need more. When one that runs needs a page and none
/// is left, the newest has to leave: it gives up its pages, and later its tokens, those that were
/// generated too, are fed again. A request is pushed out by older ones only, so the oldest always
/// goes on and everybody has his turn as the oldest. Each step: running decodes, then prompt
/// chunks, both in order of entry, within the budget.
class Scheduler {
 public:
  /// Slots and pages are `book`'s, which must live as long. kInvalidArgument: an option below 1, or
  /// more requests in flight than the budget has tokens or the book has slots.
  static Result<Scheduler> Create(const SchedulerOptions& options, PageBook& book);

  /// Request `id` (new) has `token_ids` to feed now and at most `max_tokens` in all. Rows of logits
  /// are wanted from position `first_row` on, so tokens from there on are fed even where their
  /// pages are known; so is the last one in any case. kInvalidArgument: the KV cache can never hold
  /// it, with the numbers.
  Status Add(int64_t id, std::vector<int32_t> token_ids, int64_t max_tokens, int64_t first_row);
  /// The spans of the next step; empty when nothing can run now. Their pages are reserved, and they
  /// count as fed: of each position the row of logits is wanted once, though a token may be fed
  /// again.
  std::vector<ScheduledSpan> Next();
  /// Request `id`, all of whose tokens were fed once, has one more.
  void Append(int64_t id, int32_t token_id);
  /// Request `id` is done or given up, wherever it is: its slot and pages are free.
  void Finish(int64_t id);

  bool idle() const { return waiting_.empty() && running_.empty(); }
  int64_t num_waiting() const { return std::ssize(waiting_); }
  int64_t num_running() const { return std::ssize(running_); }

  /// What happened so far.
  struct Counts {
    int64_t preemptions = 0;
    int64_t reused_tokens = 0;  ///< not fed because their pages were known
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Entry {
    int64_t id = 0;
    std::vector<int32_t> token_ids;
    int64_t max_tokens = 0;
    int64_t first_row = 0;  // grows when rows have been asked for
    int64_t num_fed = 0;
    int64_t slot = -1;
    bool decoding = false;

    int64_t num_tokens() const { return std::ssize(token_ids); }
    int64_t num_unfed() const { return num_tokens() - num_fed; }
  };

  Scheduler(const SchedulerOptions& options, PageBook& book);
  void FeedDecodes(std::vector<ScheduledSpan>* spans, int64_t* budget);
  void FeedPrompts(std::vector<ScheduledSpan>* spans, int64_t* budget);
  void Feed(Entry& entry, int64_t count, std::vector<ScheduledSpan>* spans, int64_t* budget);
  /// How many of the entry's tokens to feed with `budget` left.
  int64_t ChunkOf(const Entry& entry, int64_t budget, bool must_advance) const;
  /// How many of the running requests that are (or are not) decoding may share a step.
  int64_t ShareOfStep(bool decoding) const;
  /// Pages for all tokens of running_[index]; newer requests leave when it must be. False: it is
  /// the newest, and there are none.
  bool ReservePages(size_t index);
  void Admit();
  void PreemptNewest();
  /// Running requests that have not yet the pages of their longest life.
  int64_t NumGrowing() const;
  void Adopt(Entry& entry);
  void ReleaseSlot(Entry& entry);

  SchedulerOptions options_;
  PageBook* book_;
  std::deque<Entry> waiting_;        // in order of arrival
  std::vector<Entry> running_;       // in order of arrival, and before all that wait
  std::vector<int64_t> free_slots_;  // descending: the lowest is at the back
  bool short_of_pages_ = false;      // in the step being put together
  Counts counts_;
};

}  // namespace nemo
