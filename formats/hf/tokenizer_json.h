// A SentencePiece model in the words of Hugging Face's tokenizers library, which is all that
// transformers loads for this architecture. Facts: tokenizers' JSON form; transformers'
// convert_slow_tokenizer.py (how merges follow from a vocabulary); docs/formats/hf.md.
#pragma once

#include <cstdint>
#include <string>

#include "formats/hf/config.h"
#include "libcore/base/value.h"
#include "libcore/text/piece_model.h"

namespace nemo::hf {

/// tokenizer.json of `model`: the ids of every text are SentencePiece's, but that the names of
/// control pieces (</s>) in a text stand for these pieces. Empty where that cannot be promised: not
/// BPE, no byte fallback, characters normalised, white space removed, unused pieces, pieces of more
/// than 512 bytes.
std::string TokenizerJson(const PieceModel& model);

/// tokenizer_config.json beside it.
Value TokenizerConfigValue(const PieceModel& model, int64_t max_tokens, const SpecialIds& ids);

}  // namespace nemo::hf
