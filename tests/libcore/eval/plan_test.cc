// Plans of replicas: together they ask what one plan asks, and no sample is torn.
#include "libcore/eval/plan.h"

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/eval/task.h"
#include "tests/testing.h"

namespace nemo::eval {
namespace {

constexpr std::string_view kTasks = R"(
tasks:
  - name: speakers
    kind: multiple_choice
    data: {files: [rows.jsonl]}
    question: '{{line}}'
    choices: {each: names, value: '{{item}}'}
    gold: '{{right}}'
    gold_among: {each: names, value: '{{item}}'}
    metrics: [acc]
  - name: verse
    kind: generate_until
    data: {files: [rows.jsonl]}
    question: "{{right}}: "
    target: '{{line}}'
    max_tokens: 12
    metrics: [exact_match]
)";

Result<std::string> Rows(std::string_view) {
  std::string rows;
  for (int i = 0; i < 40; ++i) {
    rows += Format(R"({{"line": "{} To be, or {} not", "names": ["A", "KING {}"], "right": "A"}})"
                   "\n",
                   i % 7, i * i, i % 3);
  }
  return rows;
}

TEST(PlanParts, EverySampleIsAskedAboutInOneOfThem) {
  const SuiteSpec suite = *ParseSuite(kTasks);
  std::vector<PlannedTask> tasks;
  for (const TaskSpec& task : suite.tasks) {
    const auto data = TaskData::Load(task, Rows, {});
    ASSERT_TRUE(data) << data.error().message();
    tasks.push_back({&task, 0, data->num_rows(), *data->Samples()});
  }
  const auto tokenizer = *LoadSentencePiece(
      nemo::testing::ReadFileOrDie(nemo::testing::GoldenPath("tokenizers/bpe2048.model")));
  const auto is_done = [](size_t task, size_t sample) { return task == 0 && sample % 5 == 0; };
  for (const int num_replicas : {1, 2, 5, 200}) {
    SCOPED_TRACE(Format("{} replicas", num_replicas));
    const auto plans =
        EvalPlan::MakeParts(tasks, *tokenizer, {.max_length = 256}, 2, is_done, num_replicas);
    ASSERT_TRUE(plans) << plans.error().message();
    ASSERT_EQ(std::ssize(*plans), num_replicas);
    std::vector<std::vector<std::vector<int>>> askers(2, std::vector<std::vector<int>>(40));
    int64_t num_samples = 0;
    for (int replica = 0; replica < num_replicas; ++replica) {
      const EvalPlan& plan = (*plans)[replica];
      num_samples += plan.num_samples();
      EXPECT_EQ(plan.num_samples() == 0, plan.calls().empty());
      for (const EvalCall& call : plan.calls()) {
        for (const CallUse& use : call.uses) askers[use.task][use.sample].push_back(replica);
      }
    }
    EXPECT_EQ(num_samples, 32 + 40);
    for (size_t task = 0; task < 2; ++task) {
      for (size_t sample = 0; sample < 40; ++sample) {
        const std::vector<int>& by = askers[task][sample];
        const size_t num_requests = is_done(task, sample) ? 0 : task == 0 ? 2 : 1;
        ASSERT_EQ(by.size(), num_requests) << task << ", " << sample;
        for (const int replica : by) EXPECT_EQ(replica, by[0]) << task << ", " << sample;
      }
    }
  }
}

}  // namespace
}  // namespace nemo::eval
