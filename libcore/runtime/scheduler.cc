#include "libcore/runtime/scheduler.h"

#include <algorithm>
#include <functional>

#include "libcore/base/format.h"
#include "libcore/runtime/kv_cache.h"

namespace nemo {

Result<Scheduler> Scheduler::Create(const SchedulerOptions& options) {
  if (options.token_budget < 1 || options.max_batch_size < 1 || options.num_pages < 1 ||
      options.prefill_chunk < 0) {
    return InvalidArgument(Format(
        "scheduler: a budget of {} tokens, prompt chunks of {}, {} requests at once and "
        "{} KV pages; all must be positive (chunks may be 0)",
        options.token_budget, options.prefill_chunk, options.max_batch_size, options.num_pages));
  }
  if (options.max_batch_size > options.token_budget) {
    return InvalidArgument(
        Format("{} requests at once need a budget of as many tokens per step; it is {}",
               options.max_batch_size, options.token_budget));
  }
  return Scheduler(options);
}

Scheduler::Scheduler(const SchedulerOptions& options)
    : options_(options), free_pages_(options.num_pages) {
  for (int64_t slot = options.max_batch_size - 1; slot >= 0; --slot) free_slots_.push_back(slot);
}

Status Scheduler::Add(int64_t id, int64_t num_tokens, int64_t max_tokens) {
  NEMO_CHECK(num_tokens >= 1 && max_tokens >= num_tokens);
  const int64_t pages = PagesFor(max_tokens);
  if (pages > options_.num_pages) {
    return InvalidArgument(
        Format("a request of up to {} tokens needs {} KV pages of {} tokens, and there are {}",
               max_tokens, pages, kPageTokens, options_.num_pages));
  }
  waiting_.push_back({id, num_tokens, pages});
  return OkStatus();
}

void Scheduler::Admit() {
  while (!waiting_.empty() && !free_slots_.empty() && waiting_.front().num_pages <= free_pages_) {
    Entry entry = waiting_.front();
    waiting_.pop_front();
    entry.slot = free_slots_.back();
    free_slots_.pop_back();
    free_pages_ -= entry.num_pages;
    running_.push_back(entry);
  }
}

int64_t Scheduler::ChunkOf(const Entry& entry, int64_t budget, bool first_of_step) const {
  const int64_t left = entry.num_tokens - entry.num_fed;
  if (options_.prefill_chunk > 0) return std::min({left, budget, options_.prefill_chunk});
  if (left <= budget) return left;
  const int64_t end = (entry.num_fed + budget) / kPageTokens * kPageTokens;
  if (end > entry.num_fed) return end - entry.num_fed;
  return first_of_step ? budget : 0;  // a budget below a page must still move on
}

std::vector<ScheduledSpan> Scheduler::Next() {
  Admit();
  int64_t budget = options_.token_budget;
  std::vector<ScheduledSpan> spans;
  for (const bool decoding : {true, false}) {
    for (Entry& entry : running_) {
      if (entry.decoding != decoding || entry.num_fed == entry.num_tokens || budget == 0) continue;
      const int64_t count = ChunkOf(entry, budget, spans.empty());
      if (count == 0) continue;
      spans.push_back({entry.id, entry.slot, entry.num_fed, count});
      entry.num_fed += count;
      budget -= count;
    }
  }
  return spans;
}

void Scheduler::Append(int64_t id) {
  const auto entry =
      std::find_if(running_.begin(), running_.end(), [id](const Entry& e) { return e.id == id; });
  NEMO_CHECK(entry != running_.end() && entry->num_fed == entry->num_tokens);
  ++entry->num_tokens;
  entry->decoding = true;
}

void Scheduler::Finish(int64_t id) {
  const auto is_it = [id](const Entry& e) { return e.id == id; };
  std::erase_if(waiting_, is_it);
  const auto entry = std::find_if(running_.begin(), running_.end(), is_it);
  if (entry == running_.end()) return;
  free_slots_.push_back(entry->slot);
  std::sort(free_slots_.begin(), free_slots_.end(), std::greater<>());
  free_pages_ += entry->num_pages;
  running_.erase(entry);
}

}  // namespace nemo
