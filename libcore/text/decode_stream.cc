#include "libcore/text/decode_stream.h"

#include <string_view>

namespace nemo {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

}  // namespace

Status DecodeStream::Skip(std::span<const int32_t> ids) {
  size_t complete = ids.size();
  NEMO_ASSIGN_OR_RETURN(const std::string text, tokenizer_.Decode(ids));
  if (text.ends_with(kReplacement)) {
    while (complete > 0 && tokenizer_.IsByte(ids[complete - 1])) --complete;
  }
  window_.assign(ids.begin(), ids.end());
  num_emitted_ = complete;
  return OkStatus();
}

Result<std::string> DecodeStream::Add(int32_t id) {
  window_.push_back(id);
  if (tokenizer_.IsByte(id)) {
    // A character that is still incomplete decodes to U+FFFD; more bytes may complete it.
    NEMO_ASSIGN_OR_RETURN(const std::string text,
                          tokenizer_.Decode(std::span(window_).subspan(num_emitted_)));
    if (text.ends_with(kReplacement)) return std::string();
  }
  return Emit();
}

Result<std::string> DecodeStream::Finish() { return Emit(); }

Result<std::string> DecodeStream::Emit() {
  const std::span<const int32_t> all(window_);
  NEMO_ASSIGN_OR_RETURN(const std::string before, tokenizer_.Decode(all.first(num_emitted_)));
  NEMO_ASSIGN_OR_RETURN(const std::string text, tokenizer_.Decode(all));
  NEMO_ASSIGN_OR_RETURN(const std::string last, tokenizer_.Decode(all.subspan(num_emitted_)));
  // What has just gone out is context enough for what follows once it has text of its own.
  if (!last.empty())
    window_.erase(window_.begin(), window_.begin() + static_cast<int64_t>(num_emitted_));
  num_emitted_ = window_.size();
  return text.substr(before.size());
}

}  // namespace nemo
