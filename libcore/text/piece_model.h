// What a SentencePiece model consists of, for those who write it down in another form.
// Facts: sentencepiece_model.proto.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

struct PieceModel {
  enum class Type { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };
  enum class Kind { kUnigram = 1, kBpe, kWord, kChar };
  struct Piece {
    std::string text;  ///< with U+2581 for a space
    float score = 0;
    Type type = Type::kNormal;
  };

  std::vector<Piece> pieces;  ///< by id
  Kind kind = Kind::kUnigram;
  bool add_dummy_prefix = true;  ///< a space in front of every text
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool treat_whitespace_as_suffix = false;
  bool has_chars_map = false;  ///< characters are normalised by a table
};

/// kCorruption: not a message of that kind, an unknown type of piece.
Result<PieceModel> ParsePieceModel(std::string_view model_bytes);

}  // namespace nemo
