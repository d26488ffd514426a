#include "libcore/runtime/page_book.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"

namespace nemo {

Status CheckPages(int64_t num_tokens, int64_t num_pages) {
  const int64_t needed = PagesFor(num_tokens);
  if (needed <= num_pages) return OkStatus();
  return InvalidArgument(
      Format("a request of up to {} tokens needs {} KV pages of {} tokens, and there are {}; "
             "shorten the prompt, generate fewer tokens, or give the KV cache more memory",
             num_tokens, needed, kPageTokens, num_pages));
}

uint64_t PageKey(uint64_t parent_key, std::span<const int32_t> token_ids) {
  // The finisher of SplitMix64 over each token; whoever finds a page compares its tokens as well.
  uint64_t key = parent_key;
  for (const int32_t id : token_ids) {
    key += 0x9E3779B97F4A7C15 + static_cast<uint32_t>(id);
    key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9;
    key = (key ^ (key >> 27)) * 0x94D049BB133111EB;
    key ^= key >> 31;
  }
  return key;
}

PageBook::PageBook(const PageBookOptions& options) : options_(options) {
  pages_.resize(options.num_pages);
  slots_.resize(options.max_sequences);
  for (int64_t page = 0; page < options.num_pages; ++page) {
    free_.insert(free_.end(), static_cast<int32_t>(page));
  }
}

Status PageBook::Reserve(int64_t slot, int64_t num_tokens) {
  NEMO_CHECK(slot >= 0 && slot < options_.max_sequences);
  if (num_tokens > options_.max_sequence_tokens) {
    return InvalidArgument(Format("{} tokens in a sequence; the KV cache was made for {}",
                                  num_tokens, options_.max_sequence_tokens));
  }
  std::vector<int32_t>& pages = slots_[slot].pages;
  const int64_t missing = PagesFor(num_tokens) - std::ssize(pages);
  if (missing <= 0) return OkStatus();
  if (missing > free_pages()) {
    return Unavailable(
        Format("KV cache: {} more pages of {} tokens are needed, {} of {} are free; run fewer "
               "or shorter sequences at once, or give the cache more pages",
               missing, kPageTokens, free_pages(), options_.num_pages));
  }
  for (int64_t i = 0; i < missing; ++i) pages.push_back(TakeFreePage());
  ++version_;
  return OkStatus();
}

int32_t PageBook::TakeFreePage() {
  int32_t page = kNone;
  if (!free_.empty()) {
    page = free_.extract(free_.begin()).value();
  } else {
    page = unused_.extract(unused_.begin()).mapped();
    by_key_.erase(pages_[page].key);
    pages_[page] = {};
  }
  pages_[page].num_users = 1;
  return page;
}

void PageBook::Use(int32_t page) {
  if (pages_[page].num_users++ == 0) unused_.erase(pages_[page].unused_since);
}

void PageBook::Drop(int32_t page) {
  Page& p = pages_[page];
  if (--p.num_users > 0) return;
  if (p.token_ids.empty()) {
    free_.insert(page);
  } else {
    p.unused_since = ++clock_;
    unused_.emplace(p.unused_since, page);
  }
}

void PageBook::Free(int64_t slot) {
  NEMO_CHECK(slot >= 0 && slot < options_.max_sequences);
  Slot& s = slots_[slot];
  if (s.pages.empty()) return;
  for (; !s.pages.empty(); s.pages.pop_back()) Drop(s.pages.back());
  s.num_published = 0;
  ++version_;
}

PageBook::Place PageBook::Find(const Slot& slot, std::span<const int32_t> token_ids) const {
  const int64_t index = slot.num_published;
  Place place = {0, index > 0 ? slot.pages[index - 1] : kNone, kNone};
  const auto ids = token_ids.subspan(index * kPageTokens, kPageTokens);
  place.key = options_.key(index > 0 ? pages_[place.parent].key : 0, ids);
  if (const auto found = by_key_.find(place.key); found != by_key_.end()) {
    const Page& page = pages_[found->second];
    // The page before it is known by its place, not by its key, so the whole beginning is equal.
    if (page.parent == place.parent && std::ranges::equal(page.token_ids, ids)) {
      place.page = found->second;
    }
  }
  return place;
}

int64_t PageBook::Adopt(int64_t slot, std::span<const int32_t> token_ids, int64_t num_fed,
                        int64_t limit) {
  Slot& s = slots_[slot];
  limit = std::min(limit, std::ssize(token_ids));
  while (num_fed == s.num_published * kPageTokens && num_fed + kPageTokens <= limit) {
    const int32_t page = Find(s, token_ids).page;
    if (page == kNone) break;
    Use(page);
    if (s.num_published < std::ssize(s.pages)) {
      Drop(std::exchange(s.pages[s.num_published], page));
    } else {
      s.pages.push_back(page);
    }
    ++s.num_published;
    num_fed += kPageTokens;
    ++version_;
  }
  return num_fed;
}

void PageBook::Publish(int64_t slot, std::span<const int32_t> token_ids, int64_t num_fed,
                       bool may_change) {
  Slot& s = slots_[slot];
  NEMO_CHECK(num_fed <= std::ssize(token_ids));
  for (; (s.num_published + 1) * kPageTokens <= num_fed; ++s.num_published) {
    const Place place = Find(s, token_ids);
    int32_t& own = s.pages[s.num_published];
    if (place.page != kNone) {
      if (!may_change) return;
      Use(place.page);
      Drop(std::exchange(own, place.page));
      ++version_;
      continue;
    }
    if (!by_key_.emplace(place.key, own).second) return;  // the key is another's
    const auto ids = token_ids.subspan(s.num_published * kPageTokens, kPageTokens);
    pages_[own].key = place.key;
    pages_[own].parent = place.parent;
    pages_[own].token_ids.assign(ids.begin(), ids.end());
  }
}

}  // namespace nemo
