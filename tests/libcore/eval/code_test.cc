// Several programs a problem: the estimate of pass@k, and the seeds that the programs are drawn
// with.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "libcore/eval/lm_eval_files.h"
#include "libcore/eval/plan.h"
#include "libcore/eval/task.h"
#include "tests/testing.h"

namespace nemo::eval {
namespace {

constexpr std::string_view kTasks = R"(
tasks:
  - name: programs
    kind: code
    data: {files: [rows.jsonl]}
    question: '{{prompt}}'
    target: 'check'
    program: '{{prompt}}{{completion}}'
    until: ["\n"]
    max_tokens: 12
    metrics: ['pass@1', 'pass@10', 'pass@100']
)";

Result<std::string> Rows(std::string_view) {
  return std::string("{\"prompt\": \"def one\"}\n{\"prompt\": \"def two\"}\n{\"prompt\": \"x\"}\n");
}

class CodeTest : public ::testing::Test {
 protected:
  std::vector<Sample> Samples(int64_t num_samples, int64_t limit = -1) {
    task_ = ParseSuite(kTasks)->tasks[0];
    task_.draws = {.num_samples = num_samples, .temperature = num_samples > 1 ? 0.8 : 0};
    TaskOptions options;
    options.limit = limit;
    return *TaskData::Load(task_, Rows, options)->Samples();
  }
  /// Metrics of a problem of which `num_correct` programs pass.
  std::map<std::string, double> Judge(int64_t num_samples, int64_t num_correct) {
    const std::vector<Sample> samples = Samples(num_samples);
    const Responses responses(num_samples, EvalResponse{0, false, "(): pass"});
    const auto verdicts =
        kCode.judge(task_, samples[0], responses,
                    [&](std::span<const std::string> programs) -> Result<int64_t> {
                      EXPECT_EQ(std::ssize(programs), num_samples);
                      EXPECT_EQ(programs.back(), "def one(): pass");
                      return num_correct;
                    });
    std::map<std::string, double> metrics;
    for (const MetricValue& metric : (*verdicts)[0].metrics) metrics[metric.name] = metric.value;
    return metrics;
  }
  /// Seeds of the calls of `plans`, by row and number of the answer.
  using Seeds = std::map<std::pair<int64_t, int64_t>, uint64_t>;
  Seeds SeedsOf(const std::vector<Sample>& samples, int num_replicas) {
    const std::vector<PlannedTask> tasks = {{&task_, 0, 3, samples}};
    const auto tokenizer = *LoadSentencePiece(
        nemo::testing::ReadFileOrDie(nemo::testing::GoldenPath("tokenizers/bpe2048.model")));
    const auto plans = EvalPlan::MakeParts(
        tasks, *tokenizer, {.max_length = 64}, 1, [](size_t, size_t) { return false; },
        num_replicas);
    Seeds seeds;
    for (const EvalPlan& plan : *plans) {
      for (const EvalCall& call : plan.calls()) {
        const CallUse& use = call.uses.at(0);
        EXPECT_FALSE(call.request.sampling.greedy);
        EXPECT_EQ(call.request.sampling.temperature, 0.8);
        EXPECT_EQ(call.request.sampling.top_p, 0.95);
        seeds[{samples[use.sample].doc_index, use.request}] = call.request.sampling.seed;
      }
    }
    return seeds;
  }

  TaskSpec task_;
};

TEST_F(CodeTest, PassAtKIsTheReferencesEstimate) {
  const std::string path = nemo::testing::SharedPath("evaldata/oracle/humaneval_execution.json");
  if (path.empty()) {
    GTEST_SKIP() << "the evaluation data is not beside the project (NEMO_SHARED)";
  }
  const Result<Value> oracle = ParseJson(nemo::testing::ReadFileOrDie(path));
  int num_compared = 0;
  for (const Value& row : **oracle->GetArray("pass_at_k")) {
    const int64_t n = *row.GetInt("n"), k = *row.GetInt("k");
    if ((k != 1 && k != 10 && k != 100) || k > n) continue;
    const auto metrics = Judge(n, *row.GetInt("c"));
    EXPECT_DOUBLE_EQ(metrics.at("pass@" + std::to_string(k)), *row.GetDouble("pass_at_k"))
        << ToJson(row);
    ++num_compared;
  }
  EXPECT_GT(num_compared, 10);
}

TEST_F(CodeTest, WhatTooFewProgramsCannotTellIsLeftOut) {
  EXPECT_EQ(Judge(1, 1), (std::map<std::string, double>{{"pass@1", 1}}));
  EXPECT_EQ(Judge(10, 0), (std::map<std::string, double>{{"pass@1", 0}, {"pass@10", 0}}));
  EXPECT_EQ(Judge(9, 3).size(), 1u);
}

TEST_F(CodeTest, EveryProgramHasASeedOfItsOwnWhateverElseIsAsked) {
  const Seeds all = SeedsOf(Samples(5), 1);
  ASSERT_EQ(all.size(), 15u);
  std::set<uint64_t> different;
  for (const auto& [place, seed] : all) different.insert(seed);
  EXPECT_EQ(different.size(), 15u);
  EXPECT_EQ(SeedsOf(Samples(5), 3), all);
  for (const auto& [place, seed] : SeedsOf(Samples(3, 2), 1)) EXPECT_EQ(seed, all.at(place));
}

TEST_F(CodeTest, SamplesFilesHaveTheHarnessShapeOfRepeats) {
  const std::vector<Sample> samples = Samples(2, 1);
  const auto report = JudgeTask({&task_, 0, 3, samples}, {Responses(2, {0, false, "()"})},
                                [](auto) { return Result<int64_t>(1); });
  ASSERT_TRUE(report) << report.error().message();
  const Value line = *ParseJson(SampleLines(*report));
  EXPECT_EQ(line.Find("arguments")->as_object().size(), 1u);
  const Value::Array& resps = line.Find("resps")->as_array();
  ASSERT_EQ(resps.size(), 1u);
  EXPECT_EQ(resps[0].as_array().size(), 2u);
  EXPECT_EQ(line.Find("filtered_resps")->as_array().size(), 2u);
  EXPECT_EQ(line.Find("pass@1")->as_double(), 0.5);
}

TEST(CodeTask, OtherMetricsAreRefused) {
  std::string yaml(kTasks);
  yaml.replace(yaml.find("'pass@1'"), 8, "exact_match");
  const auto suite = ParseSuite(yaml);
  ASSERT_FALSE(suite);
  EXPECT_NE(suite.error().message().find("code has pass@1"), std::string::npos);
}

}  // namespace
}  // namespace nemo::eval
