#include "libcore/text/decode_stream.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace nemo {
namespace {

/// The byte of a byte piece, "<0xE6>".
unsigned ByteOf(const Tokenizer& tokenizer, int32_t id) {
  const std::string& piece = tokenizer.Piece(id);
  unsigned byte = 0;
  std::from_chars(piece.data() + std::min<size_t>(3, piece.size()), piece.data() + piece.size(),
                  byte, 16);
  return byte;
}

/// The bytes of the character that `byte` begins; 1 if it begins none of several.
size_t CharacterBytes(unsigned byte) {
  if (byte >= 0xf0 && byte <= 0xf7) return 4;
  if (byte >= 0xe0) return byte <= 0xef ? 3 : 1;
  return byte >= 0xc0 ? 2 : 1;
}

/// How many ids at the end are the beginning of a character that more bytes may complete: at most
/// three, whatever stray bytes stand before them.
size_t NumIncomplete(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  for (size_t count = 1; count <= std::min<size_t>(3, ids.size()); ++count) {
    const int32_t id = ids[ids.size() - count];
    if (!tokenizer.IsByte(id)) return 0;
    const unsigned byte = ByteOf(tokenizer, id);
    if ((byte & 0xc0) == 0x80) continue;
    return CharacterBytes(byte) > count ? count : 0;
  }
  return 0;
}

}  // namespace

Status DecodeStream::Skip(std::span<const int32_t> ids) {
  // Whatever is no id is refused here.
  if (const auto text = tokenizer_.Decode(ids); !text) return text.error();
  window_.assign(ids.begin(), ids.end());
  num_emitted_ = ids.size() - NumIncomplete(tokenizer_, ids);
  return OkStatus();
}

Result<std::string> DecodeStream::Add(int32_t id) {
  window_.push_back(id);
  return Emit(window_.size() - NumIncomplete(tokenizer_, window_));
}

Result<std::string> DecodeStream::Finish() { return Emit(window_.size()); }

Result<std::string> DecodeStream::Emit(size_t end) {
  if (end <= num_emitted_) return std::string();
  const std::span<const int32_t> all = std::span<const int32_t>(window_).first(end);
  NEMO_ASSIGN_OR_RETURN(const std::string before, tokenizer_.Decode(all.first(num_emitted_)));
  NEMO_ASSIGN_OR_RETURN(const std::string text, tokenizer_.Decode(all));
  NEMO_ASSIGN_OR_RETURN(const std::string last, tokenizer_.Decode(all.subspan(num_emitted_)));
  const auto emitted = window_.begin() + static_cast<int64_t>(num_emitted_);
  const bool is_seen = text.size() > before.size() || tokenizer_.IsControl(window_[end - 1]);
  if (!last.empty()) {
    // What has just gone out is context enough for what follows once it has text of its own.
    num_emitted_ = end - num_emitted_;
    window_.erase(window_.begin(), emitted);
  } else if (is_seen && num_emitted_ > 0 && !tokenizer_.IsByte(window_[num_emitted_ - 1])) {
    // A blank or a control piece changes nothing for what follows, unless it parts two bytes.
    window_.erase(emitted, window_.begin() + static_cast<int64_t>(end));
  } else {
    num_emitted_ = end;
  }
  return text.substr(before.size());
}

}  // namespace nemo
