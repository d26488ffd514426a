#include "libcore/text/piece_model.h"

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/text/tokenizer.h"
#include "tests/testing.h"

namespace nemo {
namespace {

TEST(PieceModel, IsWhatTheLibraryAndTheTrainingSettingsSay) {
  for (const char* name : {"bpe1100", "bpe2048"}) {
    const std::string stem = testing::GoldenPath(Format("tokenizers/{}", name));
    const std::string bytes = testing::ReadFileOrDie(stem + ".model");
    const auto model = ParsePieceModel(bytes);
    ASSERT_TRUE(model) << model.error().message();
    const auto tokenizer = LoadSentencePiece(bytes);
    ASSERT_EQ(std::ssize(model->pieces), (*tokenizer)->vocab_size());
    for (int32_t id = 0; id < (*tokenizer)->vocab_size(); ++id) {
      const PieceModel::Piece& piece = model->pieces[static_cast<size_t>(id)];
      EXPECT_EQ(piece.text, (*tokenizer)->Piece(id));
      EXPECT_EQ(piece.type == PieceModel::Type::kControl, (*tokenizer)->IsControl(id)) << id;
      EXPECT_EQ(piece.type == PieceModel::Type::kByte, (*tokenizer)->IsByte(id)) << id;
      EXPECT_EQ(piece.type == PieceModel::Type::kUnknown, (*tokenizer)->unk_id() == id) << id;
    }
    const auto oracle = ParseJson(testing::ReadFileOrDie(stem + ".oracle.json"));
    const Value* settings = oracle->Find("settings");
    const Value* prefix = settings->Find("dummy_prefix");
    EXPECT_EQ(model->add_dummy_prefix, prefix != nullptr && prefix->as_bool()) << name;
    EXPECT_EQ(model->kind, PieceModel::Kind::kBpe);
    EXPECT_FALSE(model->has_chars_map);
    EXPECT_FALSE(model->remove_extra_whitespaces);
  }
}

TEST(PieceModel, CutAnywhereIsRefusedOrShorter) {
  const std::string bytes = testing::ReadFileOrDie(testing::GoldenPath("tokenizers/bpe1100.model"));
  const size_t num_pieces = ParsePieceModel(bytes)->pieces.size();
  for (size_t size = 0; size < bytes.size(); size += 7) {
    const auto model = ParsePieceModel(std::string_view(bytes).substr(0, size));
    EXPECT_LE(model ? model->pieces.size() : 0, num_pieces);
  }
}

TEST(PieceModel, RefusesTypesThatItDoesNotKnow) {
  const std::string piece(
      "\x0a\x05\x0a\x01"
      "a\x18\x07",
      7);  // pieces { piece: "a" type: 7 }
  EXPECT_EQ(ParsePieceModel(piece).error().code(), StatusCode::kCorruption);
  const std::string trainer("\x12\x02\x18\x05", 4);  // trainer_spec { model_type: 5 }
  EXPECT_EQ(ParsePieceModel(trainer).error().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace nemo
