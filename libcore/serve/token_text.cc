#include "libcore/serve/token_text.h"

#include <charconv>

#include "libcore/base/format.h"
#include "libcore/text/decode_stream.h"

namespace nemo {
namespace {

constexpr std::string_view kWordStart = "\u2581";

/// Of "<0xE6>"; 0 of a piece that a strange vocabulary spells otherwise.
unsigned char ByteOf(const std::string& piece) {
  unsigned char byte = 0;
  if (piece.size() >= 5) std::from_chars(piece.data() + 3, piece.data() + 5, byte, 16);
  return byte;
}

std::string WithBlanks(std::string_view piece) {
  std::string text;
  while (!piece.empty()) {
    const bool mark = piece.starts_with(kWordStart);
    text += mark ? ' ' : piece.front();
    piece.remove_prefix(mark ? kWordStart.size() : 1);
  }
  return text;
}

}  // namespace

std::string TokenName(const Tokenizer& tokenizer, int32_t id) {
  const std::string& piece = tokenizer.Piece(id);
  if (!tokenizer.IsByte(id)) return WithBlanks(piece);
  const unsigned char byte = ByteOf(piece);
  return byte < 0x80 ? std::string(1, static_cast<char>(byte)) : Format("bytes:\\x{:02x}", byte);
}

std::string TokenBytes(const Tokenizer& tokenizer, int32_t id) {
  if (tokenizer.IsControl(id)) return "";
  const std::string& piece = tokenizer.Piece(id);
  return tokenizer.IsByte(id) ? std::string(1, static_cast<char>(ByteOf(piece)))
                              : WithBlanks(piece);
}

Result<std::vector<int32_t>> EncodeWithSpecials(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids;
  const auto take = [&](int32_t id) {
    if (id < 0 || tokenizer.Piece(id).empty() || !text.starts_with(tokenizer.Piece(id))) {
      return false;
    }
    ids.push_back(id);
    text.remove_prefix(tokenizer.Piece(id).size());
    return true;
  };
  while (take(tokenizer.bos_id()) || take(tokenizer.eos_id())) continue;
  NEMO_ASSIGN_OR_RETURN(const std::vector<int32_t> rest, tokenizer.Encode(text));
  ids.insert(ids.end(), rest.begin(), rest.end());
  return ids;
}

Result<std::vector<int64_t>> TextOffsets(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  DecodeStream stream(tokenizer);
  std::vector<int64_t> offsets = {0};
  for (const int32_t id : ids) {
    NEMO_ASSIGN_OR_RETURN(const std::string text, stream.Add(id));
    offsets.push_back(offsets.back() + CountCharacters(text));
  }
  NEMO_ASSIGN_OR_RETURN(const std::string rest, stream.Finish());
  offsets.back() += CountCharacters(rest);
  return offsets;
}

}  // namespace nemo
