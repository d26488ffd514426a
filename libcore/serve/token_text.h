// How the OpenAI API names a single token, and text that becomes tokens there.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/text/tokenizer.h"

namespace nemo {

/// The piece with blanks for word-start marks: " the", "</s>". A byte that is a character by itself
/// is that character, any other is "bytes:\xe6", as OpenAI's completions have it.
std::string TokenName(const Tokenizer& tokenizer, int32_t id);

/// The bytes that the token adds to a text; none if it is a control piece.
std::string TokenBytes(const Tokenizer& tokenizer, int32_t id);

/// The ids of a text in which bos and eos, spelled as pieces ("<s>"), are taken for themselves
/// where they stand at the very beginning. That is how clients of other servers name them.
Result<std::vector<int32_t>> EncodeWithSpecials(const Tokenizer& tokenizer, std::string_view text);

/// For each of `ids` the characters of the whole text before it; the whole text's last.
Result<std::vector<int64_t>> TextOffsets(const Tokenizer& tokenizer, std::span<const int32_t> ids);

}  // namespace nemo
