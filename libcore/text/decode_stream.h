// DecodeStream: the text of a growing sequence, piece by piece, for streaming.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/text/tokenizer.h"

namespace nemo {

/// Turns ids into text as they come, so that all parts together are exactly Decode of all ids.
/// Byte pieces are held back until their character is complete. Not thread-safe; refers to
/// `tokenizer`.
class DecodeStream {
 public:
  explicit DecodeStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  /// Begins with ids that are context only (the prompt): their text is not given out, except that
  /// of an incomplete character at their end, which comes when it is complete. At most once, first.
  Status Skip(std::span<const int32_t> ids);
  /// The text that `id` completes; empty while a character is incomplete. Cost: a few tokens'
  /// decoding.
  Result<std::string> Add(int32_t id);
  /// The rest: what was held back, with U+FFFD where it stayed incomplete.
  Result<std::string> Finish();

 private:
  /// What comes with the ids before `end`.
  Result<std::string> Emit(size_t end);

  const Tokenizer& tokenizer_;
  // window_ = some ids whose text went out, then the pending ones. The first part gives the library
  // the context it needs (a leading blank is text in the middle of a sequence only).
  std::vector<int32_t> window_;
  size_t num_emitted_ = 0;
};

}  // namespace nemo
