// Continuation: the generated text of one choice as it grows, without the stop string that ends it
// and what follows; text that may still become a stop string is held back. A streamed answer and a
// whole one take the same way through it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/runtime/request.h"

namespace nemo {

/// A token and what is to be told of it.
struct NotedToken {
  int32_t id = 0;
  int64_t text_begin = 0;  ///< characters of the choice's generated text before it
  double logprob = 0;
  std::vector<TokenLogprob> top_logprobs;
};

class Continuation {
 public:
  struct Part {
    std::string text;
    std::vector<NotedToken> tokens;
  };

  explicit Continuation(std::vector<std::string> stops) : stops_(std::move(stops)) {}

  /// A token and the text that became complete with it (whole characters).
  void Add(std::string_view text, NotedToken token);
  /// No more will come: what was held back may go.
  void Finish();
  /// What may go out and has not been taken. A token goes with the last of its text, and does not
  /// go at all when its text begins behind the cut.
  Part Take();
  /// A stop string was met.
  bool stopped() const { return stopped_; }

 private:
  struct Waiting {
    NotedToken token;
    int64_t begin = 0, end = 0;  // bytes of the generated text
  };

  /// Lets the first `count` held bytes go, and the tokens that end there.
  void Release(size_t count);

  std::vector<std::string> stops_;
  std::string held_;
  std::vector<Waiting> waiting_;
  int64_t num_bytes_ = 0, num_characters_ = 0, num_released_ = 0;
  bool stopped_ = false;
  Part part_;
};

}  // namespace nemo
