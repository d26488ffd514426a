#include "libcore/serve/continuation.h"

#include <algorithm>
#include <utility>

#include "libcore/text/tokenizer.h"

namespace nemo {
namespace {

/// Where the first of them begins; npos.
size_t FindFirst(std::string_view text, const std::vector<std::string>& stops) {
  size_t first = std::string_view::npos;
  for (const std::string& stop : stops) first = std::min(first, text.find(stop));
  return first;
}

/// The longest end of `text` with which one of them may begin.
size_t LengthOfBeginning(std::string_view text, const std::vector<std::string>& stops) {
  size_t longest = 0;
  for (const std::string& stop : stops) {
    for (size_t n = std::min(text.size(), stop.size() - 1); n > longest; --n) {
      if (text.ends_with(std::string_view(stop).substr(0, n))) longest = n;
    }
  }
  return longest;
}

}  // namespace

void Continuation::Add(std::string_view text, NotedToken token) {
  if (stopped_) return;
  token.text_begin = num_characters_;
  const int64_t begin = num_bytes_;
  num_bytes_ += std::ssize(text);
  num_characters_ += CountCharacters(text);
  waiting_.push_back({std::move(token), begin, num_bytes_});
  held_ += text;
  const size_t stop = FindFirst(held_, stops_);
  stopped_ = stop != std::string::npos;
  Release(stopped_ ? stop : held_.size() - LengthOfBeginning(held_, stops_));
  if (!stopped_) return;
  for (Waiting& w : waiting_) {
    if (w.begin < num_released_) part_.tokens.push_back(std::move(w.token));
  }
  waiting_.clear();
  held_.clear();
}

void Continuation::Finish() { Release(held_.size()); }

Continuation::Part Continuation::Take() { return std::exchange(part_, {}); }

void Continuation::Release(size_t count) {
  part_.text += held_.substr(0, count);
  held_.erase(0, count);
  num_released_ += static_cast<int64_t>(count);
  const auto rest = std::find_if(waiting_.begin(), waiting_.end(),
                                 [&](const Waiting& w) { return w.end > num_released_; });
  for (auto w = waiting_.begin(); w != rest; ++w) part_.tokens.push_back(std::move(w->token));
  waiting_.erase(waiting_.begin(), rest);
}

}  // namespace nemo
