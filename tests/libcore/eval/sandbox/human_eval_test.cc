// The reference's verdicts (openai/human-eval, recorded in evaldata/oracle) and its own solutions.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/codec/gzip.h"
#include "libcore/base/file.h"
#include "libcore/base/json.h"
#include "libcore/base/thread_pool.h"
#include "libcore/eval/pass_at_k.h"
#include "tests/libcore/eval/sandbox/cages.h"
#include "tests/testing.h"

namespace nemo {
namespace {

constexpr int64_t kMaxBytes = 64 << 20;

struct Problem {
  std::string id, prompt, entry_point, solution, test;
  std::string With(const std::string& completion) const {
    return prompt + completion + "\n" + test + "\ncheck(" + entry_point + ")";
  }
};

std::vector<Problem> Problems(const std::string& path) {
  const auto lines = ReadAll(**OpenGzip(*OpenFile(path)), kMaxBytes);
  std::vector<Problem> problems;
  std::string_view rest = *lines;
  for (size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    const Result<Value> row = ParseJson(rest.substr(0, end));
    problems.push_back({*row->GetString("task_id"), *row->GetString("prompt"),
                        *row->GetString("entry_point"), *row->GetString("canonical_solution"),
                        *row->GetString("test")});
  }
  return problems;
}

class HumanEval : public ::testing::Test {
 protected:
  void SetUp() override {
    data_ = testing::SharedPath("evaldata/humaneval/HumanEval.jsonl.gz");
    oracle_ = testing::SharedPath("evaldata/oracle/humaneval_execution.json");
    if (data_.empty() || oracle_.empty()) {
      GTEST_SKIP() << "the evaluation data is not beside the project (NEMO_SHARED)";
    }
    static const Result<Sandbox> made = Sandbox::Create();
    if (!made) GTEST_SKIP() << made.error().message();
    sandbox_ = &*made;
  }
  std::string data_, oracle_;
  const Sandbox* sandbox_ = nullptr;
};

TEST_F(HumanEval, EveryCanonicalSolutionPasses) {
  const std::vector<Problem> problems = Problems(data_);
  ASSERT_EQ(problems.size(), 164u);
  std::vector<std::string> verdicts(problems.size());
  ASSERT_TRUE(ParallelFor(4, 164, [&](int64_t i) {
                const Problem& problem = problems[static_cast<size_t>(i)];
                verdicts[static_cast<size_t>(i)] =
                    testing::VerdictOf(*sandbox_, problem.With(problem.solution), {120'000});
                return OkStatus();
              }).ok());
  for (size_t i = 0; i < verdicts.size(); ++i) EXPECT_EQ(verdicts[i], "passed") << problems[i].id;
}

TEST_F(HumanEval, VerdictsAreTheReferences) {
  std::map<std::string, Problem> problems;
  for (const Problem& problem : Problems(data_)) problems[problem.id] = problem;
  const Result<Value> oracle = ParseJson(*ReadAllFrom(oracle_, kMaxBytes));
  const Value::Array& cases = **oracle->GetArray("cases");
  ASSERT_GT(cases.size(), 100u);
  std::vector<std::string> verdicts(cases.size());
  const auto run = [&](int64_t i) {
    const Value& row = cases[static_cast<size_t>(i)];
    // Its own two seconds where they decide; elsewhere a busy machine may take longer.
    const int64_t wall_ms = *row.GetString("result") == "timed out" ? 2000 : 120'000;
    verdicts[static_cast<size_t>(i)] = testing::VerdictOf(
        *sandbox_, problems.at(*row.GetString("task_id")).With(*row.GetString("completion")),
        {wall_ms});
    return OkStatus();
  };
  ASSERT_TRUE(ParallelFor(8, static_cast<int64_t>(cases.size()), run).ok());
  for (size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(verdicts[i], *cases[i].GetString("result"))
        << *cases[i].GetString("task_id") << " " << *cases[i].GetString("kind");
  }
}

TEST(PassAtK, IsTheReferencesToTheLastDigit) {
  const std::string path = testing::SharedPath("evaldata/oracle/humaneval_execution.json");
  if (path.empty()) {
    GTEST_SKIP() << "the evaluation data is not beside the project (NEMO_SHARED)";
  }
  const Result<Value> oracle = ParseJson(*ReadAllFrom(path, kMaxBytes));
  const Value::Array& rows = **oracle->GetArray("pass_at_k");
  ASSERT_GT(rows.size(), 20u);
  for (const Value& row : rows) {
    EXPECT_DOUBLE_EQ(PassAtK(*row.GetInt("n"), *row.GetInt("c"), *row.GetInt("k")),
                     *row.GetDouble("pass_at_k"))
        << ToJson(row);
  }
}

}  // namespace
}  // namespace nemo
