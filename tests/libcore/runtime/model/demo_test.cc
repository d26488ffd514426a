// The demo model against transformers' figures for it (tests/data/shakespeare.oracle.json), read
// through the format registry and run on two tensor ranks.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "libcore/text/tokenizer.h"
#include "tests/libcore/runtime/model/golden_model.h"

namespace nemo {
namespace {

using testing::IdsOf;
using testing::NumbersOf;
using testing::RunOptions;
using testing::TestModel;

class Demo : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = testing::LoadDemoModel();
    ASSERT_TRUE(model) << model.error().message();
    model_ = std::move(*model);
    options_.layout.tp_size = 2;
  }
  TestModel model_;
  RunOptions options_;
};

TEST_F(Demo, PromptsEncodeToTheOraclesIds) {
  for (const Value& prompt : model_.oracle.Find("prompts")->as_array()) {
    const std::string& text = prompt.Find("text")->as_string();
    auto ids = EncodePrompt(*model_.tokenizer, text, prompt.Find("add_BOS")->as_bool());
    ASSERT_TRUE(ids) << ids.error().message();
    EXPECT_EQ(*ids, IdsOf(*prompt.Find("ids"))) << text;
  }
}

TEST_F(Demo, WritesTheOraclesVersesWhereItIsSure) {
  const Value::Array& prompts = model_.oracle.Find("prompts")->as_array();
  std::vector<GenerateRequest> requests;
  for (const Value& prompt : prompts) {
    GenerateRequest request;
    request.prompt_ids = IdsOf(*prompt.Find("ids"));
    request.tokens_to_generate = 64;
    request.sampling.greedy = true;
    request.logprobs = true;
    requests.push_back(request);
  }
  auto results = testing::GenerateWith(model_, options_, requests);
  ASSERT_TRUE(results) << results.error().message();
  int64_t compared = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    SCOPED_TRACE(prompts[i].Find("name")->as_string());
    const GenerateResult& result = (*results)[i];
    const double tolerance = prompts[i].Find("max_abs_logit_bf16_minus_fp32")->as_double();
    const Value& greedy = *prompts[i].Find("greedy64_fp32");
    const std::vector<int32_t> ids = IdsOf(*greedy.Find("ids"));
    const std::vector<double> margins = NumbersOf(*greedy.Find("margins"));
    const std::vector<double> prompt_logprobs = NumbersOf(*prompts[i].Find("prompt_logprobs_fp32"));
    for (size_t at = 0; at < prompt_logprobs.size(); ++at) {
      EXPECT_NEAR(result.logprob[at], prompt_logprobs[at], 3 * tolerance) << "position " << at;
    }
    for (size_t step = 0; step < ids.size(); ++step) {
      const size_t at = requests[i].prompt_ids.size() + step;
      if (at >= result.token_ids.size()) break;
      if (margins[step] > 2 * tolerance) {
        ASSERT_EQ(result.token_ids[at], ids[step]) << "step " << step;
      }
      if (result.token_ids[at] != ids[step]) break;
      ++compared;
    }
    if (result.token_ids.size() == requests[i].prompt_ids.size() + ids.size() &&
        std::equal(ids.begin(), ids.end(), result.token_ids.end() - std::ssize(ids))) {
      EXPECT_TRUE(result.text.ends_with(greedy.Find("text")->as_string()));
    }
  }
  EXPECT_GT(compared, 200);
}

TEST_F(Demo, PerplexityIsTheOraclesWithinAThousandth) {
  const Value& held_out = *model_.oracle.Find("held_out");
  const std::vector<int32_t> ids = IdsOf(*held_out.Find("ids"));
  auto encoded = model_.tokenizer->Encode(held_out.Find("text")->as_string());
  ASSERT_TRUE(encoded);
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), encoded->begin()));
  for (const Value& window : held_out.Find("windows")->as_array()) {
    if (window.Find("arithmetic")->as_string() != "fp32") continue;
    const int64_t size = window.Find("window")->as_int();
    std::vector<GenerateRequest> requests;
    for (int64_t begin = 0; begin < std::ssize(ids); begin += size) {
      GenerateRequest request;
      request.prompt_ids.assign(ids.begin() + begin,
                                ids.begin() + std::min(begin + size, std::ssize(ids)));
      request.tokens_to_generate = 0;
      request.logprobs = true;
      requests.push_back(request);
    }
    auto results = testing::GenerateWith(model_, options_, requests);
    ASSERT_TRUE(results) << results.error().message();
    double sum = 0;
    int64_t count = 0;
    for (const GenerateResult& result : *results) {
      for (const double logprob : result.logprob) sum += logprob;
      count += std::ssize(result.logprob);
    }
    ASSERT_EQ(count, window.Find("scored_tokens")->as_int());
    const double expected = window.Find("perplexity")->as_double();
    EXPECT_NEAR(std::exp(-sum / static_cast<double>(count)), expected, expected * 1e-3)
        << "window " << size;
  }
}

}  // namespace
}  // namespace nemo
