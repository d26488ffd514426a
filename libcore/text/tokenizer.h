// Tokenizer: text <-> token ids. SentencePiece (tokenizer.cc) is its one form, and this folder its
// door.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

/// A vocabulary. Thread-safe. Ids run from 0 to vocab_size() - 1.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual int64_t vocab_size() const = 0;
  /// The ids of `text`, without bos. Text that is not UTF-8 is encoded with U+FFFD for each bad
  /// byte.
  virtual Result<std::vector<int32_t>> Encode(std::string_view text) const = 0;
  /// The text of `ids`; control pieces (bos, eos, pad) have none. Bytes that do not form a
  /// character become U+FFFD. kInvalidArgument: an id outside the vocabulary.
  virtual Result<std::string> Decode(std::span<const int32_t> ids) const = 0;
  /// The piece as the vocabulary spells it, with the word-start mark U+2581: "\u2581the", "<0x0A>",
  /// "</s>". NEMO_CHECKs the id.
  virtual const std::string& Piece(int32_t id) const = 0;
  virtual bool IsControl(int32_t id) const = 0;
  /// A byte-fallback piece: one byte of a character that has no piece of its own.
  virtual bool IsByte(int32_t id) const = 0;
  /// Special ids, -1 when the vocabulary has none.
  virtual int32_t unk_id() const = 0;
  virtual int32_t bos_id() const = 0;
  virtual int32_t eos_id() const = 0;
  virtual int32_t pad_id() const = 0;
};

/// A SentencePiece model (the bytes of tokenizer.model). kCorruption: bytes that are no model, or
/// one whose tables lead outside themselves.
Result<std::unique_ptr<Tokenizer>> LoadSentencePiece(std::string_view model_bytes);

/// The ids a model is fed for a prompt: those of `text`, bos in front if `add_bos`. An encoding to
/// nothing becomes bos (eos where the vocabulary has no bos), since a model cannot be asked without
/// a token. kInvalidArgument: bos is wanted and the vocabulary has none.
Result<std::vector<int32_t>> EncodePrompt(const Tokenizer& tokenizer, std::string_view text,
                                          bool add_bos);

/// Characters (code points) of UTF-8 `text`; bytes that start no character count one each.
int64_t CountCharacters(std::string_view text);

}  // namespace nemo
