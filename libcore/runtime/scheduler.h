// Scheduler: requests in, batches for the engine out. Pure arithmetic over counts of tokens: the
// same calls give the same decisions, so every rank runs its own and they agree.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

struct SchedulerOptions {
  int64_t token_budget = 256;  ///< tokens of one step
  int64_t prefill_chunk =
      0;  ///< most prompt tokens of one request in a step; 0: whole pages, up to the budget
  int64_t max_batch_size = 8;  ///< requests in flight: slots
  int64_t num_pages = 0;       ///< of the KV cache
};

/// Tokens [start, start + count) of request `id` are to be fed in this step.
struct ScheduledSpan {
  int64_t id = 0;
  int64_t slot = 0;
  int64_t start = 0;
  int64_t count = 0;
  bool operator==(const ScheduledSpan&) const = default;
};

/// First come, first served. A request enters when a slot and the pages for all of its tokens are
/// free, so it never has to leave again before it is done. Each step: running decodes, then prompt
/// chunks, both in order of entry, within the budget.
class Scheduler {
 public:
  /// kInvalidArgument: an option below 1, or more requests in flight than the budget has tokens.
  static Result<Scheduler> Create(const SchedulerOptions& options);

  /// Request `id` (new) has `num_tokens` to feed now and at most `max_tokens` in all.
  /// kInvalidArgument: the KV cache can never hold it, with the numbers.
  Status Add(int64_t id, int64_t num_tokens, int64_t max_tokens);
  /// The spans of the next step; empty when nothing runs. They count as fed.
  std::vector<ScheduledSpan> Next();
  /// Request `id`, all of whose tokens are fed, has one more.
  void Append(int64_t id);
  /// Request `id` is done or given up, wherever it is: its slot and pages are free.
  void Finish(int64_t id);

  bool idle() const { return waiting_.empty() && running_.empty(); }
  int64_t num_waiting() const { return static_cast<int64_t>(waiting_.size()); }
  int64_t num_running() const { return static_cast<int64_t>(running_.size()); }

 private:
  struct Entry {
    int64_t id = 0;
    int64_t num_tokens = 0;  // known
    int64_t num_pages = 0;   // reserved for its life
    int64_t num_fed = 0;
    int64_t slot = -1;
    bool decoding = false;
  };

  explicit Scheduler(const SchedulerOptions& options);
  void Admit();
  /// How many of the entry's tokens to feed with `budget` left.
  int64_t ChunkOf(const Entry& entry, int64_t budget, bool first_of_step) const;

  SchedulerOptions options_;
  std::deque<Entry> waiting_;
  std::vector<Entry> running_;       // in order of entry
  std::vector<int64_t> free_slots_;  // descending: the lowest is at the back
  int64_t free_pages_ = 0;
};

}  // namespace nemo
