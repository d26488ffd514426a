#include "libcore/runtime/end_condition.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "libcore/base/value.h"
#include "tests/testing.h"

namespace nemo {
namespace {

std::vector<std::string> TextsOf(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& text : list.as_array()) texts.push_back(text.as_string());
  return texts;
}

std::vector<int32_t> IdsOf(const Value& list) {
  std::vector<int32_t> ids;
  for (const Value& id : list.as_array()) ids.push_back(static_cast<int32_t>(id.as_int()));
  return ids;
}

TEST(EndCondition, DecidesAsNemosOwnTestDoes) {
  const std::string path = testing::SharedPath("evaldata/oracle/http/nemo_end_strings_cases.json");
  const std::string model = testing::SharedPath("evaldata/oracle/model/tokenizer.model");
  if (path.empty() || model.empty()) {
    GTEST_SKIP() << "the evaluation data is not beside the project (NEMO_SHARED)";
  }
  auto tokenizer = LoadSentencePiece(testing::ReadFileOrDie(model));
  auto oracle = ParseJson(testing::ReadFileOrDie(path));
  ASSERT_TRUE(tokenizer && oracle);
  for (const Value& row : oracle->Find("classes")->as_array()) {
    const std::vector<std::string> end_strings = {row.Find("end_string")->as_string()};
    auto condition = EndCondition::Create(**tokenizer, end_strings);
    ASSERT_TRUE(condition);
    EXPECT_EQ(condition->end_ids(), IdsOf(*row.Find("tokens"))) << end_strings[0];
    EXPECT_EQ(condition->end_texts(), TextsOf(*row.Find("strings"))) << end_strings[0];
  }
  for (const Value& row : oracle->Find("cases")->as_array()) {
    auto condition = EndCondition::Create(**tokenizer, TextsOf(*row.Find("end_strings")));
    ASSERT_TRUE(condition);
    auto reached = condition->Reached(IdsOf(*row.Find("ids")));
    ASSERT_TRUE(reached);
    EXPECT_EQ(*reached, row.Find("stop")->as_bool()) << ToJson(row);
  }
}

TEST(EndCondition, LooksAtAsMuchOfTheTextAsItNeeds) {
  auto tokenizer =
      LoadSentencePiece(testing::ReadFileOrDie(testing::GoldenPath("tokenizers/bpe2048.model")));
  ASSERT_TRUE(tokenizer);
  const std::string text = "日本語 and English, over and over and over again. 日本";
  const std::vector<int32_t> ids = *(*tokenizer)->Encode(text);
  for (size_t begin = 0; begin < text.size(); ++begin) {
    const std::vector<std::string> end_strings = {text.substr(begin)};
    auto condition = EndCondition::Create(**tokenizer, end_strings);
    ASSERT_TRUE(condition);
    EXPECT_TRUE(*condition->Reached(ids)) << begin;
    for (size_t length = 1; length < ids.size(); ++length) {
      const auto part = std::span(ids).first(length);
      const std::string decoded = *(*tokenizer)->Decode(part);
      const bool by_id =
          std::count(condition->end_ids().begin(), condition->end_ids().end(), part.back()) > 0;
      EXPECT_EQ(*condition->Reached(part),
                by_id || (!condition->end_texts().empty() && decoded.ends_with(end_strings[0])));
    }
  }
}

TEST(EndCondition, EosAloneIsAlwaysThere) {
  auto tokenizer =
      LoadSentencePiece(testing::ReadFileOrDie(testing::GoldenPath("tokenizers/bpe2048.model")));
  ASSERT_TRUE(tokenizer);
  auto condition = EndCondition::Create(**tokenizer, {});
  ASSERT_TRUE(condition);
  EXPECT_EQ(condition->end_ids(), std::vector<int32_t>{3});
  EXPECT_FALSE(*condition->Reached({}));
  EXPECT_TRUE(*condition->Reached(std::vector<int32_t>{700, 3}));
}

}  // namespace
}  // namespace nemo
