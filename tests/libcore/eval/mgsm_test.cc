// MGSM in all its languages and forms against what lm-evaluation-harness asks, and what it takes
// out of answers: tests/golden/eval/mgsm.jsonl, whose script says which row and example these are.
#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/eval/task.h"
#include "tests/libcore/eval/oracle.h"
#include "tests/testing.h"

namespace nemo::eval {
namespace {

using testing::At;

constexpr std::string_view kRow = "1005 + 6?\t1,011\n";
constexpr std::string_view kExample =
    R"({{"lang": "{}", "question": "LABEL: 5 + 6?", "answer_number": 11, )"
    R"("answer": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ 11."}})";

/// The row's sample with the example before it.
Result<Sample> SampleOf(const TaskSpec& task) {
  const std::string language = task.name.substr(task.name.size() - 2);
  const FileReader read = [&](std::string_view name) -> Result<std::string> {
    if (name == Format("mgsm_{}.tsv", language)) return std::string(kRow);
    if (name == "exemplars.jsonl") return Format(kExample, language);
    return NotFound(std::string(name));
  };
  TaskOptions options;
  options.num_fewshot = 1;
  NEMO_ASSIGN_OR_RETURN(const TaskData data, TaskData::Load(task, read, options));
  NEMO_ASSIGN_OR_RETURN(std::vector<Sample> samples, data.Samples());
  return samples.at(0);
}

void ExpectVerdict(const TaskSpec& task, const Sample& sample, const Value& answer) {
  const std::string& response = At(answer, "response").as_string();
  const std::string& filter = At(answer, "filter").as_string();
  SCOPED_TRACE(Format("{}: {}", filter, response));
  const std::vector<EvalResponse> responses = {{0, false, response}};
  const auto verdicts = (*FindKind(task.kind))->judge(task, sample, responses, nullptr);
  ASSERT_TRUE(verdicts) << verdicts.error().message();
  for (const Verdict& verdict : *verdicts) {
    if (verdict.filter != filter) continue;
    EXPECT_EQ(verdict.filtered, At(answer, "filtered"));
    EXPECT_EQ(verdict.metrics.at(0).value, At(answer, "exact_match").as_double());
    return;
  }
  FAIL() << "there is no such filter";
}

TEST(Mgsm, IsTheHarnessOwnInEveryLanguage) {
  const auto rows =
      ParseJsonl(nemo::testing::ReadFileOrDie(nemo::testing::GoldenPath("eval/mgsm.jsonl")));
  ASSERT_TRUE(rows) << rows.error().message();
  ASSERT_EQ(rows->size(), 33u);
  for (const Value& row : *rows) {
    const TaskSpec& task = testing::Task("mgsm", At(row, "task").as_string());
    SCOPED_TRACE(task.name);
    const Result<Sample> sample = SampleOf(task);
    ASSERT_TRUE(sample) << sample.error().message();
    EXPECT_EQ(sample->contexts.at(0), At(row, "prompt").as_string());
    EXPECT_EQ(sample->target, At(row, "target"));
    EXPECT_EQ(Value::ArrayOf(task.until), At(row, "until"));
    for (const Value& answer : At(row, "answers").as_array()) {
      ExpectVerdict(task, *sample, answer);
    }
  }
}

}  // namespace
}  // namespace nemo::eval
