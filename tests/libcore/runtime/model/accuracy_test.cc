// Whole models against transformers' fp32 figures, by the rule of docs/runtime.md ("Accuracy"): our
// rms logit error is at most 1.05 times the reference's own bf16 error, and we agree with its
// argmax no less often.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/runtime/model/golden_model.h"

namespace nemo {
namespace {

using testing::FloatsOf;
using testing::IdsOf;
using testing::NumbersOf;
using testing::RunOptions;
using testing::TestModel;

struct Row {
  std::vector<float> truth, ours, reference;  // fp32, our bf16, the reference's bf16
};

double Rms(const std::vector<Row>& rows, std::vector<float> Row::*which) {
  double squares = 0, count = 0;
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.truth.size(); ++i) {
      squares += std::pow(static_cast<double>((row.*which)[i]) - row.truth[i], 2);
    }
    count += static_cast<double>(row.truth.size());
  }
  return std::sqrt(squares / count);
}

/// Distance of the largest logit to the next.
double Margin(std::vector<float> logits) {
  std::partial_sort(logits.begin(), logits.begin() + 2, logits.end(), std::greater<>());
  return static_cast<double>(logits[0]) - logits[1];
}

/// Logits of the last token of `ids`, fed in steps of 100 tokens.
Status LastLogits(Engine& engine, const std::vector<int32_t>& ids, std::vector<float>& logits) {
  NEMO_RETURN_IF_ERROR(engine.kv().book().Reserve(0, std::ssize(ids)));
  for (size_t start = 0; start < ids.size(); start += 100) {
    const size_t end = std::min(ids.size(), start + 100);
    SequenceStep step = {0, static_cast<int64_t>(start), {ids.begin() + start, ids.begin() + end}};
    step.num_logit_rows = step.num_whole_rows = end == ids.size();
    NEMO_ASSIGN_OR_RETURN(const std::vector<LogitRow> rows, engine.Forward({{step}}));
    if (!rows.empty()) logits = rows[0].logits;
  }
  engine.kv().book().Free(0);
  return OkStatus();
}

struct Case {
  const char* model;
  const char* backend;
  DTypeProfile profile;
};

class Accuracy : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    auto model = testing::LoadGoldenModel(GetParam().model);
    ASSERT_TRUE(model) << model.error().message();
    model_ = std::move(*model);
    options_.backend = GetParam().backend;
    options_.engine.profile = GetParam().profile;
    options_.engine.max_sequences = 4;
  }
  const Value::Array& prompts() const { return model_.oracle.Find("prompts")->as_array(); }

  TestModel model_;
  RunOptions options_;
};

TEST_P(Accuracy, LogitErrorIsNotAboveTheReferencesOwn) {
  std::vector<Row> rows;
  const Status status = testing::RunEngines(model_, options_, [&](Engine& engine) -> Status {
    for (const Value& prompt : prompts()) {
      const std::string& name = prompt.Find("name")->as_string();
      Row row;
      row.truth = FloatsOf(*model_.logits, name + ".last_logits_fp32");
      row.reference = FloatsOf(*model_.logits, name + ".last_logits_bf16");
      NEMO_RETURN_IF_ERROR(LastLogits(engine, IdsOf(*prompt.Find("ids")), row.ours));
      rows.push_back(std::move(row));
    }
    return OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status.message();
  const double ours = Rms(rows, &Row::ours), reference = Rms(rows, &Row::reference);
  RecordProperty("rms", Format("{}", ours));
  RecordProperty("reference_rms", Format("{}", reference));
  EXPECT_LE(ours, 1.05 * reference);
  int ours_agrees = 0, reference_agrees = 0;
  for (const Row& row : rows) {
    // Where two tokens are closer than the reference's own error, its choice between them is
    // chance.
    if (Margin(row.truth) < reference) continue;
    ours_agrees += testing::ArgMax(row.ours) == testing::ArgMax(row.truth);
    reference_agrees += testing::ArgMax(row.reference) == testing::ArgMax(row.truth);
  }
  EXPECT_GE(ours_agrees, reference_agrees);
}

TEST_P(Accuracy, GreedyTokensAreTheReferencesWhereItIsSure) {
  std::vector<GenerateRequest> requests;
  for (const Value& prompt : prompts()) {
    GenerateRequest request;
    request.prompt_ids = IdsOf(*prompt.Find("ids"));
    request.tokens_to_generate = 32;
    request.sampling.greedy = true;
    request.logprobs = true;
    requests.push_back(request);
  }
  auto results = testing::GenerateWith(model_, options_, requests);
  ASSERT_TRUE(results) << results.error().message();
  int64_t compared = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Value& prompt = prompts()[i];
    SCOPED_TRACE(prompt.Find("name")->as_string());
    const GenerateResult& result = (*results)[i];
    const double tolerance = prompt.Find("max_abs_bf16_minus_fp32")->as_double();
    const std::vector<int32_t> ids = IdsOf(*prompt.Find("greedy32_ids"));
    const std::vector<double> margins = NumbersOf(*prompt.Find("greedy32_margin"));
    const std::vector<double> logprobs = NumbersOf(*prompt.Find("greedy32_logprobs"));
    ASSERT_EQ(std::ssize(result.logprob), std::ssize(result.token_ids) - 1);
    // A token below the margin may differ, and then everything after it does.
    for (size_t step = 0; step < ids.size(); ++step) {
      const size_t at = result.num_prompt_tokens + step;
      if (at >= result.token_ids.size()) break;
      if (margins[step] > 2 * tolerance) {
        ASSERT_EQ(result.token_ids[at], ids[step]) << "step " << step;
      }
      if (result.token_ids[at] != ids[step]) break;
      // Rounding moves the token's logit and the log-sum-exp, each by at most the reference's
      // worst.
      EXPECT_NEAR(result.logprob[at - 1], logprobs[step], 2 * tolerance) << "step " << step;
      ++compared;
    }
    const std::vector<double> prompt_logprobs = NumbersOf(*prompt.Find("prompt_token_logprobs"));
    for (size_t at = 0; at < prompt_logprobs.size(); ++at) {
      EXPECT_NEAR(result.logprob[at], prompt_logprobs[at], 2.5 * tolerance) << "position " << at;
    }
  }
  EXPECT_GT(compared, 40);
}

TEST_P(Accuracy, ScoresContinuationsLikeTheReference) {
  std::vector<GenerateRequest> requests;
  const Value::Array& scores = model_.oracle.Find("scores")->as_array();
  for (const Value& score : scores) {
    GenerateRequest request;
    request.prompt_ids = IdsOf(*score.Find("context_ids"));
    request.logprobs_begin = std::ssize(request.prompt_ids) - 1;
    for (const int32_t id : IdsOf(*score.Find("continuation_ids")))
      request.prompt_ids.push_back(id);
    request.tokens_to_generate = 0;
    request.logprobs = true;
    requests.push_back(request);
  }
  auto results = testing::GenerateWith(model_, options_, requests);
  ASSERT_TRUE(results) << results.error().message();
  for (size_t i = 0; i < scores.size(); ++i) {
    const std::vector<double> expected = NumbersOf(*scores[i].Find("token_logprobs"));
    ASSERT_EQ((*results)[i].logprob.size(), expected.size());
    for (size_t j = 0; j < expected.size(); ++j) {
      EXPECT_NEAR((*results)[i].logprob[j], expected[j], 0.4) << i << " " << j;
    }
  }
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  return Format("{}_{}_{}", info.param.model, info.param.backend,
                info.param.profile == DTypeProfile::kHf ? "hf" : "megatron");
}

INSTANTIATE_TEST_SUITE_P(Golden, Accuracy,
                         ::testing::Values(Case{"tiny", "cpu", DTypeProfile::kMegatron},
                                           Case{"tiny", "cpu", DTypeProfile::kHf},
                                           Case{"tiny", "reference", DTypeProfile::kMegatron},
                                           Case{"odd", "cpu", DTypeProfile::kMegatron},
                                           Case{"odd", "cpu", DTypeProfile::kHf},
                                           Case{"tied", "cpu", DTypeProfile::kMegatron},
                                           Case{"micro", "cpu", DTypeProfile::kMegatron},
                                           Case{"micro", "reference", DTypeProfile::kHf}),
                         CaseName);

}  // namespace
}  // namespace nemo
