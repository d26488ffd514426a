#include "libcore/runtime/scheduler.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "libcore/base/format.h"

namespace nemo {

Result<Scheduler> Scheduler::Create(const SchedulerOptions& options, PageBook& book) {
  if (options.token_budget < 1 || options.max_batch_size < 1 || options.num_groups < 1 ||
      options.prefill_chunk < 0) {
    return InvalidArgument(Format(
        "scheduler: a budget of {} tokens, prompt chunks of {}, {} requests at once and "
        "{} steps in flight; all must be positive (chunks may be 0)",
        options.token_budget, options.prefill_chunk, options.max_batch_size, options.num_groups));
  }
  if (options.max_batch_size > options.token_budget) {
    return InvalidArgument(
        Format("{} requests at once need a budget of as many tokens per step; it is {}",
               options.max_batch_size, options.token_budget));
  }
  if (options.max_batch_size > book.options().max_sequences) {
    return InvalidArgument(Format("{} requests at once; the KV cache has {} slots",
                                  options.max_batch_size, book.options().max_sequences));
  }
  return Scheduler(options, book);
}

Scheduler::Scheduler(const SchedulerOptions& options, PageBook& book)
    : options_(options), book_(&book) {
  for (int64_t slot = options.max_batch_size - 1; slot >= 0; --slot) free_slots_.push_back(slot);
}

Status Scheduler::Add(int64_t id, std::vector<int32_t> token_ids, int64_t max_tokens,
                      int64_t first_row) {
  NEMO_CHECK(!token_ids.empty() && max_tokens >= std::ssize(token_ids));
  NEMO_RETURN_IF_ERROR(CheckPages(max_tokens, book_->num_pages()));
  waiting_.push_back({id, std::move(token_ids), max_tokens, first_row});
  return OkStatus();
}

std::vector<ScheduledSpan> Scheduler::Next() {
  // All steps so far were put together before this one, so what they write is in its place when
  // this one runs.
  for (Entry& entry : running_) {
    if (!options_.prefix_cache) break;
    book_->Publish(entry.slot, entry.token_ids, entry.num_fed, /*may_change=*/true);
  }
  std::vector<ScheduledSpan> spans;
  int64_t budget = options_.token_budget;
  short_of_pages_ = false;
  FeedDecodes(&spans, &budget);
  // Who would enter now would be the first to leave again.
  if (!short_of_pages_) Admit();
  FeedPrompts(&spans, &budget);
  return spans;
}

int64_t Scheduler::ShareOfStep(bool decoding) const {
  const int64_t count = std::count_if(running_.begin(), running_.end(),
                                      [&](const Entry& e) { return e.decoding == decoding; });
  return (count + options_.num_groups - 1) / options_.num_groups;
}

void Scheduler::FeedDecodes(std::vector<ScheduledSpan>* spans, int64_t* budget) {
  const int64_t share = ShareOfStep(/*decoding=*/true);
  for (size_t i = 0; i < running_.size() && std::ssize(*spans) < share; ++i) {
    if (!running_[i].decoding || running_[i].num_unfed() == 0 || *budget == 0) continue;
    if (ReservePages(i)) Feed(running_[i], running_[i].num_unfed(), spans, budget);
  }
}

void Scheduler::FeedPrompts(std::vector<ScheduledSpan>* spans, int64_t* budget) {
  int64_t left = ShareOfStep(/*decoding=*/false);
  for (Entry& entry : running_) {
    if (left == 0 || *budget == 0) break;
    if (entry.decoding || entry.num_unfed() == 0) continue;
    Adopt(entry);
    const bool must_advance = spans->empty() || &entry == &running_.front();
    const int64_t count = ChunkOf(entry, *budget, must_advance);
    if (count == 0) continue;
    Feed(entry, count, spans, budget);
    --left;
  }
}

void Scheduler::Feed(Entry& entry, int64_t count, std::vector<ScheduledSpan>* spans,
                     int64_t* budget) {
  spans->push_back({entry.id, entry.slot, entry.num_fed, count});
  entry.num_fed += count;
  entry.first_row = std::max(entry.first_row, entry.num_fed);
  // All it entered with is fed; the token that came since is fed as any other chosen one.
  if (entry.num_unfed() > 0 && entry.num_fed == book_->tokens_of(entry.slot)) entry.decoding = true;
  *budget -= count;
  // Others may read these pages in this step already: it writes keys and values before it reads
  // any.
  if (options_.prefix_cache) {
    book_->Publish(entry.slot, entry.token_ids, entry.num_fed, /*may_change=*/false);
  }
}

int64_t Scheduler::ChunkOf(const Entry& entry, int64_t budget, bool must_advance) const {
  const int64_t left = std::min(entry.num_unfed(), book_->tokens_of(entry.slot) - entry.num_fed);
  if (options_.prefill_chunk > 0) return std::min({left, budget, options_.prefill_chunk});
  if (left <= budget) return left;
  const int64_t end = (entry.num_fed + budget) / kPageTokens * kPageTokens;
  if (end > entry.num_fed) return end - entry.num_fed;
  return must_advance ? budget : 0;  // a budget below a page must still move on
}

bool Scheduler::ReservePages(size_t index) {
  while (!book_->Reserve(running_[index].slot, running_[index].num_tokens()).ok()) {
    short_of_pages_ = true;
    if (index + 1 == running_.size()) return false;
    PreemptNewest();
  }
  return true;
}

void Scheduler::PreemptNewest() {
  Entry entry = std::move(running_.back());
  running_.pop_back();
  ReleaseSlot(entry);
  entry.num_fed = 0;
  entry.decoding = false;
  waiting_.push_front(std::move(entry));
  ++counts_.preemptions;
}

int64_t Scheduler::NumGrowing() const {
  return std::ranges::count_if(running_, [&](const Entry& e) {
    return PagesFor(e.max_tokens) > std::ssize(book_->pages_of(e.slot));
  });
}

void Scheduler::Admit() {
  while (!waiting_.empty() && !free_slots_.empty()) {
    Entry& entry = waiting_.front();
    entry.slot = free_slots_.back();
    free_slots_.pop_back();
    const Counts before = counts_;
    Adopt(entry);
    // A page is left for each that grows, or the next of them to need one would push it out again.
    const int64_t needed =
        PagesFor(entry.num_tokens()) - std::ssize(book_->pages_of(entry.slot)) + NumGrowing();
    if (needed > book_->free_pages() || !book_->Reserve(entry.slot, entry.num_tokens()).ok()) {
      ReleaseSlot(entry);
      entry.num_fed = 0;
      counts_ = before;
      return;
    }
    running_.push_back(std::move(entry));
    waiting_.pop_front();
  }
}

void Scheduler::Adopt(Entry& entry) {
  if (!options_.prefix_cache) return;
  const int64_t limit = std::min(entry.first_row, entry.num_tokens() - 1);
  const int64_t known = book_->Adopt(entry.slot, entry.token_ids, entry.num_fed, limit);
  counts_.reused_tokens += known - entry.num_fed;
  entry.num_fed = known;
}

void Scheduler::ReleaseSlot(Entry& entry) {
  book_->Free(entry.slot);
  free_slots_.push_back(std::exchange(entry.slot, -1));
  std::sort(free_slots_.begin(), free_slots_.end(), std::greater<>());
}

void Scheduler::Append(int64_t id, int32_t token_id) {
  const auto is_it = [id](const Entry& e) { return e.id == id; };
  auto running = std::find_if(running_.begin(), running_.end(), is_it);
  if (running != running_.end()) {
    // One that was pushed out since, and entered again, is not done with its older tokens yet.
    running->decoding = running->num_unfed() == 0;
    running->token_ids.push_back(token_id);
    return;
  }
  const auto waiting = std::find_if(waiting_.begin(), waiting_.end(), is_it);
  NEMO_CHECK(waiting != waiting_.end());
  waiting->token_ids.push_back(token_id);
}

void Scheduler::Finish(int64_t id) {
  const auto is_it = [id](const Entry& e) { return e.id == id; };
  std::erase_if(waiting_, is_it);
  const auto entry = std::find_if(running_.begin(), running_.end(), is_it);
  if (entry == running_.end()) return;
  ReleaseSlot(*entry);
  running_.erase(entry);
}

}  // namespace nemo
