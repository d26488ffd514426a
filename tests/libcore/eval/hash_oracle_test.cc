// Whole data sets through a pseudo-model whose answers depend on every byte of every prompt: the
// scores of lm-evaluation-harness come out only if all prompts are its prompts.
#include <map>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/eval/metric.h"
#include "libcore/eval/task.h"
#include "tests/libcore/eval/oracle.h"
#include "tests/libcore/eval/sha256.h"

namespace nemo::eval {
namespace {

using testing::At;

EvalResponse Answer(testing::Sha256 context, std::string_view continuation) {
  context.Add("|");
  context.Add(continuation);
  const uint32_t h = context.First() >> 8;
  return {-static_cast<double>(h % 40) / 4 - 1, h % 3 == 0, ""};
}

std::vector<EvalResponse> Answers(const Sample& sample) {
  std::vector<testing::Sha256> contexts(sample.contexts.size());
  for (size_t i = 0; i < contexts.size(); ++i) contexts[i].Add(sample.contexts[i]);
  std::vector<EvalResponse> answers;
  for (const EvalRequest& request : sample.requests) {
    answers.push_back(Answer(contexts[request.context], request.continuation));
  }
  return answers;
}

/// The listed documents of the oracle, to find the first difference.
void ExpectRow(const testing::Oracle& oracle, const TaskSpec& task, const Sample& sample,
               const Verdict& verdict) {
  for (const Value& row : oracle.rows) {
    if (At(row, "task").as_string() != task.name ||
        At(row, "doc_index").as_int() != sample.doc_index) {
      continue;
    }
    const Value::Array& resps = At(row, "resps").as_array();
    ASSERT_EQ(verdict.filtered.as_array().size(), resps.size());
    for (size_t i = 0; i < resps.size(); ++i) {
      EXPECT_EQ(verdict.filtered.as_array()[i], resps[i].as_array()[0])
          << task.name << " " << sample.doc_index << ": "
          << sample.contexts[sample.requests[i].context] << "|" << sample.requests[i].continuation;
    }
  }
}

void ExpectScore(const Value& result, std::string_view metric, const Score& score) {
  EXPECT_EQ(At(result, Format("{},none", metric)).as_double(), score.value) << metric;
  const Value& error = At(result, Format("{}_stderr,none", metric));
  ASSERT_TRUE(score.stderr_.has_value());
  EXPECT_EQ(error.as_double(), *score.stderr_) << metric;
}

std::map<std::string, Score> ScoresOf(const testing::Oracle& oracle, const TaskSpec& task,
                                      const TaskOptions& options) {
  const Result<TaskData> data = TaskData::Load(task, testing::SharedData(), options);
  EXPECT_TRUE(data) << data.error().message();
  const Result<std::vector<Sample>> samples = data->Samples();
  EXPECT_TRUE(samples) << samples.error().message();
  std::map<std::string, std::vector<WeightedValue>> values;
  const KindRow& kind = **FindKind(task.kind);
  for (const Sample& sample : *samples) {
    const auto verdicts = kind.judge(task, sample, Answers(sample), nullptr);
    EXPECT_TRUE(verdicts) << verdicts.error().message();
    ExpectRow(oracle, task, sample, verdicts->front());
    for (const MetricValue& m : verdicts->front().metrics) values[m.name].push_back({m.value, 1});
  }
  std::map<std::string, Score> scores;
  for (const auto& [name, list] : values) scores[name] = (*FindMetric(name))->aggregate(list);
  return scores;
}

void ExpectHarnessScores(std::string_view run, std::string_view suite, const TaskOptions& options) {
  const testing::Oracle oracle = testing::ReadOracle(run);
  for (const auto& [name, result] : At(oracle.head, "results").as_object()) {
    if (result.Find("acc,none") == nullptr || At(oracle.head, "n_samples").Find(name) == nullptr) {
      continue;
    }
    SCOPED_TRACE(name);
    for (const auto& [metric, score] : ScoresOf(oracle, testing::Task(suite, name), options)) {
      ExpectScore(result, metric, score);
    }
  }
}

TEST(HashOracle, HellaSwag) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessScores("hash_hellaswag_0shot", "hellaswag", {});
}

TEST(HashOracle, WinoGrande) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessScores("hash_winogrande_0shot", "winogrande", {});
}

TEST(HashOracle, WinoGrandeWithDrawnExamples) {
  NEMO_NEEDS_EVAL_DATA();
  TaskOptions options;
  options.num_fewshot = 5;
  DataSpec pool = testing::Task("winogrande", "winogrande").data;
  pool.rows_begin = 1000;
  options.fewshot_source = {pool};
  ExpectHarnessScores("hash_winogrande_5shot_standin", "winogrande", options);
}

TEST(HashOracle, ArcChallenge) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessScores("hash_arc_0shot", "arc_challenge", {});
}

TEST(HashOracle, MmluWithFiveExamples) {
  NEMO_NEEDS_EVAL_DATA();
  TaskOptions options;
  options.num_fewshot = 5;
  ExpectHarnessScores("hash_mmlu_5shot", "mmlu", options);
}

}  // namespace
}  // namespace nemo::eval
