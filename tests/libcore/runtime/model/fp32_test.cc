// The profile fp32 against transformers in float32 on the same weights: the same numbers but for
// the order of sums, so tolerances are those of fp32 and not of bf16.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "kernels/registry.h"
#include "tests/libcore/runtime/model/golden_model.h"

namespace nemo {
namespace {

using testing::FloatsOf;
using testing::IdsOf;
using testing::NumbersOf;
using testing::RunOptions;
using testing::TestModel;

// What two float32 programs may differ by in a logit of these models, and a log-probability: the
// oracle's README names 1e-4, its figures have six decimals, and a third of it was measured.
constexpr double kTolerance = 1e-4;
// Two tokens closer than this may change places (the README's margin).
constexpr double kMargin = 1e-3;

class Fp32 : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto model = GetParam() == std::string("demo") ? testing::LoadDemoModel()
                                                   : testing::LoadGoldenModel(GetParam());
    ASSERT_TRUE(model) << model.error().message();
    model_ = std::move(*model);
    options_.backend = "reference";
    options_.engine.profile = DTypeProfile::kFp32;
    options_.engine.max_sequences = 4;
  }
  const Value::Array& prompts() const { return model_.oracle.Find("prompts")->as_array(); }

  std::vector<GenerateResult> Generate(const std::vector<GenerateRequest>& requests) {
    auto results = testing::GenerateWith(model_, options_, requests);
    EXPECT_TRUE(results) << results.error().message();
    return results ? std::move(*results) : std::vector<GenerateResult>(requests.size());
  }

  TestModel model_;
  RunOptions options_;
};

void ExpectNear(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_LE(expected.size(), got.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], kTolerance) << i;
}

/// log-probabilities of a row of logits.
std::vector<float> LogSoftmax(const std::vector<float>& logits) {
  const double max = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - max);
  std::vector<float> row;
  for (const float logit : logits) row.push_back(static_cast<float>(logit - max - std::log(sum)));
  return row;
}

TEST_P(Fp32, TokensAndLogProbabilitiesAreTheReferences) {
  std::vector<GenerateRequest> requests;
  for (const Value& prompt : prompts()) {
    GenerateRequest request;
    request.prompt_ids = IdsOf(*prompt.Find("ids"));
    request.tokens_to_generate = 16;
    request.sampling.greedy = true;
    request.logprobs = true;
    requests.push_back(request);
  }
  const std::vector<GenerateResult> results = Generate(requests);
  const bool demo = model_.logits == nullptr;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Value& prompt = prompts()[i];
    SCOPED_TRACE(prompt.Find("name")->as_string());
    ExpectNear(results[i].logprob,
               NumbersOf(*prompt.Find(demo ? "prompt_logprobs_fp32" : "prompt_token_logprobs")));
    const Value& greedy = demo ? *prompt.Find("greedy64_fp32") : prompt;
    const std::vector<int32_t> ids = IdsOf(*greedy.Find(demo ? "ids" : "greedy32_ids"));
    const std::vector<double> margins =
        NumbersOf(*greedy.Find(demo ? "margins" : "greedy32_margin"));
    for (size_t at = requests[i].prompt_ids.size(); at < results[i].token_ids.size(); ++at) {
      const size_t step = at - requests[i].prompt_ids.size();
      if (margins[step] < kMargin) break;
      ASSERT_EQ(results[i].token_ids[at], ids[step]) << "step " << step;
    }
  }
}

TEST_P(Fp32, WholeRowsAreTheReferences) {
  if (model_.logits == nullptr) GTEST_SKIP() << "the demo model's oracle has no rows of logits";
  std::vector<GenerateRequest> requests;
  for (const Value& prompt : prompts()) {
    GenerateRequest request;
    request.prompt_ids = IdsOf(*prompt.Find("ids"));
    request.tokens_to_generate = 1;
    request.sampling.greedy = true;
    request.logprobs = request.full_logprobs = true;
    request.logprobs_begin = std::ssize(request.prompt_ids) - 1;
    requests.push_back(request);
  }
  const std::vector<GenerateResult> results = Generate(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string& name = prompts()[i].Find("name")->as_string();
    const std::vector<float> truth =
        LogSoftmax(FloatsOf(*model_.logits, name + ".last_logits_fp32"));
    const std::vector<float>& ours = results[i].full_logprob.at(0);
    ASSERT_EQ(ours.size(), truth.size());
    for (size_t id = 0; id < truth.size(); ++id) {
      ASSERT_NEAR(ours[id], truth[id], kTolerance) << name << " token " << id;
    }
  }
}

TEST_P(Fp32, ScoresAreTheReferences) {
  const Value* scores = model_.oracle.Find("scores");
  if (scores == nullptr) GTEST_SKIP() << "the demo model's oracle has no scores";
  std::vector<GenerateRequest> requests;
  for (const Value& score : scores->as_array()) {
    GenerateRequest request;
    request.prompt_ids = IdsOf(*score.Find("context_ids"));
    request.logprobs_begin = std::ssize(request.prompt_ids) - 1;
    for (const int32_t id : IdsOf(*score.Find("continuation_ids"))) {
      request.prompt_ids.push_back(id);
    }
    request.tokens_to_generate = 0;
    request.logprobs = true;
    requests.push_back(request);
  }
  const std::vector<GenerateResult> results = Generate(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    ExpectNear(results[i].logprob, NumbersOf(*scores->as_array()[i].Find("token_logprobs")));
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Fp32, ::testing::Values("tiny", "odd", "tied", "micro", "demo"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Fp32Backends, TheTableSaysWhoHasTheOperations) {
  for (const BackendRow& row : Backends()) {
    if (!row.available()) continue;
    const auto backend = row.create({1, "auto", 0});
    ASSERT_TRUE(backend) << backend.error().message();
    EXPECT_EQ((*backend)->fp32_ops() != nullptr, row.fp32) << row.name;
  }
}

TEST(Fp32Backends, AnEngineOnOneWithoutThemIsRefused) {
  const auto model = testing::LoadGoldenModel("micro");
  ASSERT_TRUE(model) << model.error().message();
  RunOptions options;
  options.engine.profile = DTypeProfile::kFp32;
  const auto results = testing::GenerateWith(*model, options, {});
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(results.error().message().find("the backend cpu rounds to bf16"), std::string::npos)
      << results.error().message();
}

}  // namespace
}  // namespace nemo
