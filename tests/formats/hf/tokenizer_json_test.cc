// tokenizer.json of small models, part by part. That it gives SentencePiece's ids is asked of
// transformers: tests/upstream/hf_test.py.
#include "formats/hf/tokenizer_json.h"

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tests/testing.h"

namespace nemo::hf {
namespace {

using Type = PieceModel::Type;

/// <unk> 0, <s> 1, the bytes 2 to 257, then `texts` as normal pieces, then <user>.
PieceModel Model(const std::vector<std::string>& texts) {
  PieceModel model;
  model.kind = PieceModel::Kind::kBpe;
  model.remove_extra_whitespaces = false;
  model.pieces = {{"<unk>", 0, Type::kUnknown}, {"<s>", 0, Type::kControl}};
  for (int byte = 0; byte < 256; ++byte) {
    model.pieces.push_back({Format("<0x{:02X}>", byte), 0, Type::kByte});
  }
  float score = 0;
  for (const std::string& text : texts) model.pieces.push_back({text, score--, Type::kNormal});
  model.pieces.push_back({"<user>", 0, Type::kUserDefined});
  return model;
}

Value Json(const PieceModel& model) {
  const auto value = ParseJson(TokenizerJson(model));
  EXPECT_TRUE(value) << value.error().message();
  return *value;
}

const Value& Part(const Value& value, const char* part, const char* inner) {
  return *value.Find(part)->Find(inner);
}

TEST(HfTokenizerJson, MergesAreEveryPairThatMakesAPieceInItsOrder) {
  const Value json = Json(Model({"ab", "abc", "é", "éa", "a", "b", "c", "bc", "\"\\"}));
  const Value::Array& merges = Part(json, "model", "merges").as_array();
  std::vector<std::string> pairs;
  for (const Value& pair : merges) {
    pairs.push_back(pair.as_array()[0].as_string() + "+" + pair.as_array()[1].as_string());
  }
  EXPECT_EQ(pairs, (std::vector<std::string>{"a+b", "ab+c", "a+bc", "é+a", "b+c"}));
  const Value::Object& vocab = Part(json, "model", "vocab").as_object();
  EXPECT_EQ(vocab.size(), 2u + 256 + 9 + 1);
  for (size_t id = 0; id < vocab.size(); ++id) {
    EXPECT_EQ(vocab[id].second.as_int(), static_cast<int64_t>(id));
  }
  EXPECT_EQ(vocab[266].first, "\"\\");
}

TEST(HfTokenizerJson, ControlPiecesAreSpecialAndUserDefinedOnesStandAlone) {
  const Value json = Json(Model({"a"}));
  const Value::Array& added = json.Find("added_tokens")->as_array();
  ASSERT_EQ(added.size(), 2u);
  EXPECT_EQ(*added[0].GetString("content"), "<unk>");
  EXPECT_EQ(*added[1].GetInt("id"), 1);
  EXPECT_TRUE(*added[1].GetBool("special"));
  const Value& first = Part(json, "pre_tokenizer", "pretokenizers").as_array().front();
  EXPECT_EQ(Part(first, "pattern", "Regex").as_string(), "\\<user\\>");
}

TEST(HfTokenizerJson, TheDummyPrefixIsPutOnAndTakenOff) {
  PieceModel model = Model({"a"});
  for (const bool prefix : {true, false}) {
    model.add_dummy_prefix = prefix;
    const Value json = Json(model);
    EXPECT_EQ(Part(json, "normalizer", "normalizers").as_array().size(), prefix ? 2u : 1u);
    EXPECT_EQ(Part(json, "decoder", "decoders").as_array().size(), prefix ? 4u : 3u);
  }
}

TEST(HfTokenizerJson, IsEmptyWhereItCannotSayTheSame) {
  EXPECT_NE(TokenizerJson(Model({"a"})), "");
  const auto changed = [](auto change) {
    PieceModel model = Model({"a", "b"});
    change(model);
    return TokenizerJson(model);
  };
  EXPECT_EQ(changed([](PieceModel& m) { m.kind = PieceModel::Kind::kUnigram; }), "");
  EXPECT_EQ(changed([](PieceModel& m) { m.has_chars_map = true; }), "");
  EXPECT_EQ(changed([](PieceModel& m) { m.remove_extra_whitespaces = true; }), "");
  EXPECT_EQ(changed([](PieceModel& m) { m.escape_whitespaces = false; }), "");
  EXPECT_EQ(changed([](PieceModel& m) { m.treat_whitespace_as_suffix = true; }), "");
  EXPECT_EQ(changed([](PieceModel& m) { m.pieces[258].score = -9; }), "") << "order of scores";
  EXPECT_EQ(changed([](PieceModel& m) { m.pieces[5].type = Type::kNormal; }), "") << "a byte";
  EXPECT_EQ(changed([](PieceModel& m) { m.pieces[258].type = Type::kUnused; }), "");
  EXPECT_EQ(changed([](PieceModel& m) { m.pieces[258].text.assign(513, 'a'); }), "");
  EXPECT_EQ(changed([](PieceModel& m) { m.pieces[0].type = Type::kControl; }), "");
}

TEST(HfTokenizerJson, TheConfigNamesTheSpecialPiecesThatThereAre) {
  const Value value = TokenizerConfigValue(Model({"a"}), 4096, {.bos = 1});
  EXPECT_EQ(
      ToJson(value),
      "{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"model_max_length\":4096,"
      "\"clean_up_tokenization_spaces\":false,\"unk_token\":\"<unk>\",\"bos_token\":\"<s>\"}");
}

}  // namespace
}  // namespace nemo::hf
