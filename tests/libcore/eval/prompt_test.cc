// Whole prompts, of lm-evaluation-harness and of its runs with a tiny model, byte for byte.
#include <map>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/eval/task.h"
#include "tests/libcore/eval/oracle.h"
#include "tests/testing.h"

namespace nemo::eval {
namespace {

using testing::At;

std::string_view SuiteOf(std::string_view task) {
  for (std::string_view suite :
       {"mmlu", "hellaswag", "winogrande", "arc_challenge", "bbh", "mgsm", "humaneval"}) {
    if (task.starts_with(suite)) return suite;
  }
  return "";
}

Result<std::vector<Sample>> SamplesOf(const TaskSpec& task, const TaskOptions& options) {
  NEMO_ASSIGN_OR_RETURN(const TaskData data, TaskData::Load(task, testing::SharedData(), options));
  return data.Samples();
}

TEST(Prompts, AreThoseOfTheHarness) {
  NEMO_NEEDS_EVAL_DATA();
  const Value examples = *ParseJson(nemo::testing::ReadFileOrDie(
      nemo::testing::SharedPath("evaldata/oracle/prompt_examples.json")));
  std::map<std::string, size_t> asked;  // requests of one document stand one after the other
  for (const Value& row : examples.as_array()) {
    const std::string& name = At(row, "task").as_string();
    const int64_t shots = At(row, "num_fewshot").as_int();
    SCOPED_TRACE(Format("{} {}", name, shots));
    TaskOptions options;
    options.num_fewshot = shots;
    options.documents = {At(row, "doc_index").as_int()};
    const TaskSpec& task = testing::Task(SuiteOf(name), name);
    const auto samples = SamplesOf(task, options);
    ASSERT_TRUE(samples) << samples.error().message();
    const Sample& sample = samples->front();
    const EvalRequest& request = sample.requests[asked[Format("{} {}", name, shots)]++];
    const Value::Array& args = At(row, "args").as_array();
    EXPECT_EQ(sample.contexts[request.context], args[0].as_string());
    if (args[1].is_string()) {
      EXPECT_EQ(request.continuation, args[1].as_string());
      continue;
    }
    EXPECT_EQ(Value::ArrayOf(task.until), At(args[1], "until"));
    const Value* tokens = args[1].Find("max_gen_toks");
    EXPECT_EQ(task.max_tokens, tokens == nullptr ? 256 : tokens->as_int());
  }
}

/// The tasks of a run, with the documents that it asked about.
std::map<std::string, std::vector<int64_t>> DocumentsOf(const testing::Oracle& oracle) {
  std::map<std::string, std::vector<int64_t>> documents;
  for (const Value& row : oracle.rows) {
    auto& list = documents[At(row, "task").as_string()];
    const int64_t index = At(row, "doc_index").as_int();
    if (std::find(list.begin(), list.end(), index) == list.end()) list.push_back(index);
  }
  return documents;
}

void ExpectContexts(const Value& row, const Sample& sample) {
  EXPECT_EQ(At(row, "target"), sample.target);
  const Value::Array& requests = At(row, "requests").as_array();
  ASSERT_EQ(requests.size(), sample.requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    const Value* own = requests[i].Find("context");
    const Value& context = own != nullptr ? *own : At(row, "context");
    EXPECT_EQ(sample.contexts[sample.requests[i].context], context.as_string());
    if (const Value* continuation = requests[i].Find("continuation")) {
      EXPECT_EQ(sample.requests[i].continuation, continuation->as_string());
    }
  }
}

struct RunRow {
  std::string_view name;
  int64_t num_fewshot;
  std::string_view pool = "";  // where its examples come from, where not from the task's own
  int64_t pool_begin = 0;
};

class PromptsOf : public ::testing::TestWithParam<RunRow> {};

TEST_P(PromptsOf, ARunAreThoseOfTheHarness) {
  NEMO_NEEDS_EVAL_DATA();
  const testing::Oracle oracle = testing::ReadOracle(GetParam().name);
  for (const auto& [name, documents] : DocumentsOf(oracle)) {
    const TaskSpec& task = testing::Task(SuiteOf(name), name);
    TaskOptions options;
    options.num_fewshot = GetParam().num_fewshot;
    options.documents = documents;
    if (!GetParam().pool.empty()) {
      DataSpec pool;
      pool.files = {std::string(GetParam().pool)};
      pool.rows_begin = GetParam().pool_begin;
      options.fewshot_source = {pool};
    }
    const auto samples = SamplesOf(task, options);
    ASSERT_TRUE(samples) << samples.error().message();
    for (const Value& row : oracle.rows) {
      if (At(row, "task").as_string() != name) continue;
      const auto at = std::find(documents.begin(), documents.end(), At(row, "doc_index").as_int());
      SCOPED_TRACE(Format("{} {}", name, *at));
      ExpectContexts(row, (*samples)[at - documents.begin()]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Harness, PromptsOf,
    ::testing::Values(RunRow{"mmlu_5shot", 5}, RunRow{"mmlu_5shot_trunc512", 5},
                      RunRow{"mmlu_0shot_bos", 0}, RunRow{"hellaswag_0shot", 0},
                      RunRow{"winogrande_0shot", 0}, RunRow{"arc_challenge_0shot", 0},
                      RunRow{"hellaswag_3shot_standin", 3, "hellaswag/hellaswag_val.jsonl", 9000},
                      RunRow{"winogrande_5shot_standin", 5, "winogrande/dev.jsonl", 1000},
                      RunRow{"arc_challenge_25shot_standin", 25, "arc/ARC-Challenge-Dev.jsonl"},
                      RunRow{"bbh_cot_3shot", -1}, RunRow{"bbh_direct_3shot", -1},
                      RunRow{"bbh_zeroshot", -1}, RunRow{"mgsm_native_cot_8shot", 8},
                      RunRow{"mgsm_native_cot_0shot", 0}, RunRow{"mgsm_direct_2shot", 2}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace nemo::eval
