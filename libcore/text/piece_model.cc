#include "libcore/text/piece_model.h"

#include <cstring>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/text/proto_fields.h"

namespace nemo {
namespace {

constexpr uint64_t kPieces = 1, kTrainer = 2, kNormalizer = 3;

Result<PieceModel::Piece> ParsePiece(std::string_view message) {
  PieceModel::Piece piece;
  const Status status = ForEachField(message, [&](const ProtoField& field) -> Status {
    if (field.number == 1 && field.wire_type == 2) piece.text = field.bytes;
    if (field.number == 2 && field.wire_type == 5) {
      std::memcpy(&piece.score, field.bytes.data(), sizeof piece.score);
    }
    if (field.number == 3 && field.wire_type == 0) {
      if (field.value < 1 || field.value > 6) {
        return Corruption(Format("a piece of type {}", field.value));
      }
      piece.type = static_cast<PieceModel::Type>(field.value);
    }
    return OkStatus();
  });
  if (!status.ok()) return status;
  return piece;
}

Status TakeTrainer(const ProtoField& field, PieceModel& model) {
  if (field.wire_type != 0) return OkStatus();
  if (field.number == 24) model.treat_whitespace_as_suffix = field.value != 0;
  if (field.number != 3) return OkStatus();
  if (field.value < 1 || field.value > 4) {
    return Corruption(Format("a model of type {}", field.value));
  }
  model.kind = static_cast<PieceModel::Kind>(field.value);
  return OkStatus();
}

void TakeNormalizer(const ProtoField& field, PieceModel& model) {
  if (field.number == 2 && field.wire_type == 2) model.has_chars_map = !field.bytes.empty();
  if (field.wire_type != 0) return;
  if (field.number == 3) model.add_dummy_prefix = field.value != 0;
  if (field.number == 4) model.remove_extra_whitespaces = field.value != 0;
  if (field.number == 5) model.escape_whitespaces = field.value != 0;
}

}  // namespace

Result<PieceModel> ParsePieceModel(std::string_view model_bytes) {
  PieceModel model;
  const Status status = ForEachField(model_bytes, [&](const ProtoField& field) -> Status {
    if (field.wire_type != 2) return OkStatus();
    if (field.number == kPieces) {
      NEMO_ASSIGN_OR_RETURN(auto piece, ParsePiece(field.bytes));
      model.pieces.push_back(std::move(piece));
    }
    if (field.number == kTrainer) {
      return ForEachField(field.bytes,
                          [&](const ProtoField& inner) { return TakeTrainer(inner, model); });
    }
    if (field.number == kNormalizer) {
      return ForEachField(field.bytes, [&](const ProtoField& inner) {
        TakeNormalizer(inner, model);
        return OkStatus();
      });
    }
    return OkStatus();
  });
  if (!status.ok()) return status.At("SentencePiece model");
  return model;
}

}  // namespace nemo
