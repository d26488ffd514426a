// The ids of every scored request of the runs with the tiny model, as lm-evaluation-harness fed
// them; and the corners of the rules.
#include "libcore/eval/encoding.h"

#include <set>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/eval/oracle.h"
#include "tests/testing.h"

namespace nemo::eval {
namespace {

using testing::At;

std::unique_ptr<Tokenizer> OracleTokenizer() {
  return *LoadSentencePiece(nemo::testing::ReadFileOrDie(
      nemo::testing::SharedPath("evaldata/oracle/model/tokenizer.model")));
}

std::vector<int64_t> Wide(const std::vector<int32_t>& ids) { return {ids.begin(), ids.end()}; }

void ExpectIds(const Tokenizer& tokenizer, const Value& row, const EncodingOptions& options) {
  for (const Value& request : At(row, "requests").as_array()) {
    const Value* own = request.Find("context");
    const std::string& context = (own != nullptr ? *own : At(row, "context")).as_string();
    if (request.Find("continuation") == nullptr) {
      const int64_t tokens = *At(request, "gen_kwargs").GetInt("max_gen_toks");
      const auto ids = EncodeContext(tokenizer, context, tokens, options);
      ASSERT_TRUE(ids) << ids.error().message();
      EXPECT_EQ(std::ssize(*ids),
                std::min(At(request, "n_ctx").as_int(), options.max_length - tokens));
      continue;
    }
    const auto scored =
        EncodeScored(tokenizer, context, At(request, "continuation").as_string(), options);
    ASSERT_TRUE(scored) << scored.error().message();
    EXPECT_EQ(scored->num_context, At(request, "n_ctx").as_int());
    EXPECT_LE(std::ssize(scored->ids), options.max_length + 1);
    const std::vector<int64_t> tail(scored->ids.end() - scored->num_scored, scored->ids.end());
    EXPECT_EQ(tail, *request.GetIntList("cont_ids"));
  }
}

TEST(Encoding, GivesTheIdsOfTheHarness) {
  NEMO_NEEDS_EVAL_DATA();
  const auto tokenizer = OracleTokenizer();
  for (std::string_view run :
       {"mmlu_5shot", "mmlu_5shot_trunc512", "mmlu_0shot_bos", "hellaswag_0shot",
        "winogrande_0shot", "arc_challenge_0shot", "hellaswag_3shot_standin",
        "winogrande_5shot_standin", "arc_challenge_25shot_standin", "bbh_cot_3shot",
        "bbh_direct_3shot", "bbh_zeroshot", "mgsm_native_cot_8shot", "mgsm_native_cot_0shot",
        "mgsm_direct_2shot"}) {
    const testing::Oracle oracle = testing::ReadOracle(run);
    const EncodingOptions options = {At(oracle.head, "max_length").as_int(),
                                     At(oracle.head, "add_bos_token").as_bool()};
    for (const Value& row : oracle.rows) {
      SCOPED_TRACE(
          Format("{}: {} {}", run, At(row, "task").as_string(), At(row, "doc_index").as_int()));
      ExpectIds(*tokenizer, row, options);
    }
  }
}

class EncodingRules : public ::testing::Test {
 protected:
  std::vector<int64_t> Ids(std::string_view text) const { return Wide(*tokenizer_->Encode(text)); }

  std::unique_ptr<Tokenizer> tokenizer_ = *LoadSentencePiece(
      nemo::testing::ReadFileOrDie(nemo::testing::GoldenPath("tokenizers/bpe2048.model")));
};

TEST_F(EncodingRules, BlanksAtTheEndOfAContextBelongToTheContinuation) {
  const ScoredIds moved = *EncodeScored(*tokenizer_, "To be ", "or not", {512, false});
  const ScoredIds plain = *EncodeScored(*tokenizer_, "To be", " or not", {512, false});
  EXPECT_EQ(moved.ids, plain.ids);
  EXPECT_EQ(moved.num_scored, plain.num_scored);
}

TEST_F(EncodingRules, AnEmptyContextIsBos) {
  const ScoredIds scored = *EncodeScored(*tokenizer_, "", "To be", {512, false});
  EXPECT_EQ(scored.ids[0], tokenizer_->bos_id());
  EXPECT_EQ(scored.num_scored, std::ssize(scored.ids) - 1);
  // With bos in front of every text there is still one.
  EXPECT_EQ(EncodeScored(*tokenizer_, "", "To be", {512, true})->ids, scored.ids);
}

TEST_F(EncodingRules, ALongContextLosesItsBeginning) {
  const ScoredIds whole = *EncodeScored(*tokenizer_, "To be, or not to be", " that", {512, false});
  const ScoredIds cut = *EncodeScored(*tokenizer_, "To be, or not to be", " that", {4, false});
  EXPECT_EQ(std::ssize(cut.ids), 5);
  EXPECT_TRUE(std::equal(cut.ids.begin(), cut.ids.end(), whole.ids.end() - 5));
  EXPECT_EQ(cut.num_scored, whole.num_scored);
}

TEST_F(EncodingRules, AContinuationThatDoesNotFitIsRefused) {
  const auto scored = EncodeScored(*tokenizer_, "To", " be, or not to be, that is", {2, false});
  ASSERT_FALSE(scored);
  EXPECT_EQ(scored.error().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(EncodeScored(*tokenizer_, "To be", "", {512, false}));
  EXPECT_FALSE(EncodeContext(*tokenizer_, "To be", 512, {512, false}));
}

TEST_F(EncodingRules, WindowsAskAboutEveryTokenOnce) {
  const std::string text = "To be, or not to be, that is the question: whether 'tis nobler";
  std::vector<int64_t> asked;
  for (const ScoredIds& window : *EncodeRolling(*tokenizer_, text, {8, false})) {
    EXPECT_LE(std::ssize(window.ids), 9);
    EXPECT_LT(window.num_scored, std::ssize(window.ids));
    asked.insert(asked.end(), window.ids.end() - window.num_scored, window.ids.end());
  }
  EXPECT_EQ(asked, Ids(text));
}

}  // namespace
}  // namespace nemo::eval
