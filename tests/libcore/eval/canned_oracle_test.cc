// Fixed answer texts through filters and metrics: what lm-evaluation-harness takes out of them, and
// what it gives for that.
#include <map>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/eval/metric.h"
#include "libcore/eval/task.h"
#include "tests/libcore/eval/oracle.h"

namespace nemo::eval {
namespace {

using testing::At;

using Samples = std::map<std::string, std::vector<Sample>>;

const std::vector<Sample>& SamplesOf(Samples& known, const TaskSpec& task) {
  const auto found = known.find(task.name);
  if (found != known.end()) return found->second;
  TaskOptions options;
  options.num_fewshot = 0;
  const Result<TaskData> data = TaskData::Load(task, testing::SharedData(), options);
  if (!data) ADD_FAILURE() << data.error().message();
  return known[task.name] = *data->Samples();
}

/// Task and `metric,filter` -> values in order.
using Values = std::map<std::pair<std::string, std::string>, std::vector<WeightedValue>>;

void ExpectRow(const TaskSpec& task, const Sample& sample, const Value& row, Values& values) {
  const std::string& response = At(row, "resps").as_array()[0].as_array()[0].as_string();
  SCOPED_TRACE(
      Format("{} {} {}: {}", task.name, sample.doc_index, At(row, "filter").as_string(), response));
  EXPECT_EQ(sample.target, At(row, "target"));
  const std::vector<EvalResponse> answers = {{0, false, response}};
  const auto verdicts = (*FindKind(task.kind))->judge(task, sample, answers, nullptr);
  ASSERT_TRUE(verdicts) << verdicts.error().message();
  for (const Verdict& verdict : *verdicts) {
    if (verdict.filter != At(row, "filter").as_string()) continue;
    EXPECT_EQ(verdict.filtered, At(row, "filtered").as_array()[0]);
    ASSERT_EQ(verdict.metrics.size(), 1u);
    const double value = verdict.metrics[0].value;
    EXPECT_EQ(value, At(At(row, "metrics"), "exact_match").as_double());
    values[{task.name, Format("exact_match,{}", verdict.filter)}].push_back({value, 1});
    return;
  }
  FAIL() << "there is no such filter";
}

void ExpectHarnessAnswers(std::string_view run, std::string_view suite) {
  const testing::Oracle oracle = testing::ReadOracle(run);
  Samples samples;
  Values values;
  for (const Value& row : oracle.rows) {
    const TaskSpec& task = testing::Task(suite, At(row, "task").as_string());
    ExpectRow(task, SamplesOf(samples, task)[At(row, "doc_index").as_int()], row, values);
  }
  ASSERT_FALSE(values.empty());
  for (const auto& [key, list] : values) {
    const Score score = (*FindMetric("exact_match"))->aggregate(list);
    const Value& result = At(At(oracle.head, "results"), key.first);
    EXPECT_EQ(At(result, key.second).as_double(), score.value) << key.first;
    const std::string filter = key.second.substr(key.second.find(','));
    EXPECT_EQ(At(result, "exact_match_stderr" + filter).as_double(), *score.stderr_) << key.first;
  }
}

TEST(CannedOracle, BbhChainOfThought) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessAnswers("canned_bbh_cot", "bbh");
}

TEST(CannedOracle, BbhDirect) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessAnswers("canned_bbh_direct", "bbh");
}

TEST(CannedOracle, BbhZeroShot) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessAnswers("canned_bbh_zeroshot", "bbh");
}

TEST(CannedOracle, BbhChainOfThoughtZeroShot) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessAnswers("canned_bbh_cot_zeroshot", "bbh");
}

TEST(CannedOracle, MgsmInTheLanguage) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessAnswers("canned_mgsm_native", "mgsm");
}

TEST(CannedOracle, MgsmInEnglish) {
  NEMO_NEEDS_EVAL_DATA();
  ExpectHarnessAnswers("canned_mgsm_en_cot", "mgsm");
}

}  // namespace
}  // namespace nemo::eval
