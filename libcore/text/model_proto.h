// A look at a SentencePiece model before the library reads it. Facts: sentencepiece_model.proto
// (field numbers), the protocol buffer wire format, darts-clone's double array (units of 32 bits).
#pragma once

#include <string_view>

#include "libcore/base/status.h"

namespace nemo {

/// What the library takes on trust: that the normalisation table's trie stays inside itself and
/// that scores are numbers. kCorruption says which part is wrong. Everything else is the library's
/// own check.
Status CheckSentencePieceModel(std::string_view model_bytes);

}  // namespace nemo
