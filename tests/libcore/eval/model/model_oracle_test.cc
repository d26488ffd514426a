// Runs of lm-evaluation-harness with a tiny model, done again: tasks, prompts, plan, an engine of
// the profile fp32, judging and group averages. Every prompt and text is the harness', every
// log-likelihood within 1e-3, every metric to the last digit.
#include <algorithm>

#include <gtest/gtest.h>

#include "formats/format.h"
#include "kernels/comm/thread_comm.h"
#include "kernels/registry.h"
#include "libcore/base/format.h"
#include "libcore/base/progress.h"
#include "libcore/eval/report.h"
#include "libcore/eval/runner.h"
#include "libcore/eval/task.h"
#include "libcore/runtime/weights.h"
#include "tests/libcore/eval/oracle.h"
#include "tests/testing.h"

namespace nemo::eval {
namespace {

using testing::At;

struct RunRow {
  std::string_view name;
  std::string_view suite;
  int64_t num_fewshot;
  std::string_view pool = "";
  int64_t pool_begin = 0;
};

int64_t TokensOverride(const testing::Oracle& oracle) {
  const Value& text = At(oracle.head, "gen_kwargs_override");
  return text.is_null() ? 0 : std::stoll(text.as_string().substr(text.as_string().find('=') + 1));
}

std::vector<int64_t> DocumentsOf(const testing::Oracle& oracle, const std::string& task) {
  std::vector<int64_t> documents;
  for (const Value& row : oracle.rows) {
    const int64_t index = At(row, "doc_index").as_int();
    if (At(row, "task").as_string() == task &&
        std::find(documents.begin(), documents.end(), index) == documents.end()) {
      documents.push_back(index);
    }
  }
  return documents;
}

/// The tasks of a run as the harness ran them: its documents, its caps.
class HarnessRun {
 public:
  explicit HarnessRun(const RunRow& row) : oracle(testing::ReadOracle(row.name)), row_(row) {
    specs_ = testing::Suite(row.suite).tasks;
    const int64_t most = TokensOverride(oracle);
    for (TaskSpec& spec : specs_) {
      if (most > 0) spec.max_tokens = most;
      if (!DocumentsOf(oracle, spec.name).empty()) Add(spec);
    }
  }

  EncodingOptions encoding() const {
    return {At(oracle.head, "max_length").as_int(), At(oracle.head, "add_bos_token").as_bool()};
  }

  testing::Oracle oracle;
  std::vector<PlannedTask> tasks;

 private:
  void Add(const TaskSpec& spec) {
    TaskOptions options;
    options.num_fewshot = row_.num_fewshot;
    options.documents = DocumentsOf(oracle, spec.name);
    if (!row_.pool.empty()) {
      DataSpec pool;
      pool.files = {std::string(row_.pool)};
      pool.rows_begin = row_.pool_begin;
      options.fewshot_source = {pool};
    }
    auto data = TaskData::Load(spec, testing::SharedData(), options);
    if (!data) ADD_FAILURE() << data.error().message();
    tasks.push_back({&spec, data->num_fewshot(), data->num_rows(), *data->Samples()});
  }

  RunRow row_;
  std::vector<TaskSpec> specs_;
};

const Value* RowOf(const testing::Oracle& oracle, const std::string& task, int64_t doc,
                   std::string_view filter) {
  for (const Value& row : oracle.rows) {
    if (At(row, "task").as_string() == task && At(row, "doc_index").as_int() == doc &&
        At(row, "filter").as_string() == filter) {
      return &row;
    }
  }
  return nullptr;
}

/// Texts go to a model as they are: of each request the context, and what is asked about it.
void ExpectPrompts(const Value& row, const Sample& sample) {
  const Value::Array& requests = At(row, "requests").as_array();
  ASSERT_EQ(requests.size(), sample.requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    const Value* own = requests[i].Find("context");
    const EvalRequest& request = sample.requests[i];
    EXPECT_EQ(sample.contexts.at(request.context), (own ? *own : At(row, "context")).as_string());
    if (const Value* continuation = requests[i].Find("continuation")) {
      EXPECT_EQ(request.continuation, continuation->as_string());
    }
  }
}

void ExpectResponses(const Value& row, const Responses& responses) {
  const Value::Array& requests = At(row, "requests").as_array();
  ASSERT_EQ(requests.size(), responses.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    if (const Value* text = requests[i].Find("resp")) {
      EXPECT_EQ(responses[i].text, text->as_array()[0].as_string());
      continue;
    }
    EXPECT_NEAR(responses[i].logprob, At(requests[i], "ll").as_double(), 1e-3);
    EXPECT_EQ(responses[i].is_greedy, At(requests[i], "is_greedy").as_bool());
  }
}

void ExpectSample(const testing::Oracle& oracle, const std::string& task,
                  const SampleReport& sample) {
  for (const Verdict& verdict : sample.verdicts) {
    const Value* row = RowOf(oracle, task, sample.sample.doc_index, verdict.filter);
    ASSERT_NE(row, nullptr);
    SCOPED_TRACE(Format("{} {}", task, sample.sample.doc_index));
    ExpectPrompts(*row, sample.sample);
    ExpectResponses(*row, sample.responses);
    if (verdict.filtered.is_string()) {
      const Value& answer = At(*row, "filtered_resps");
      EXPECT_EQ(verdict.filtered, answer.is_array() ? answer.as_array()[0] : answer);
    }
    for (const MetricValue& metric : verdict.metrics) {
      EXPECT_EQ(metric.value, At(At(*row, "metrics"), metric.name).as_double());
    }
  }
}

void ExpectScores(const Value& truth, std::span<const MetricReport> metrics) {
  ASSERT_FALSE(metrics.empty());
  for (const MetricReport& metric : metrics) {
    EXPECT_EQ(metric.score.value, At(truth, metric.Key()).as_double());
    const Value& error = At(truth, Format("{}_stderr,{}", metric.metric, metric.filter));
    const std::optional<double>& ours = metric.score.stderr_;
    EXPECT_EQ(ours ? Value(*ours) : Value("N/A"), error) << metric.Key();
  }
}

/// The oracles' model, as nemo-eval runs it with --backend reference --dtype-profile fp32.
class OracleModel {
 public:
  explicit OracleModel(const std::string& folder)
      : tokenizer_(*LoadSentencePiece(nemo::testing::ReadFileOrDie(folder + "/tokenizer.model"))),
        checkpoint_(*OpenCheckpoint(folder + "/hf")) {}

  const Tokenizer& tokenizer() const { return *tokenizer_; }

  Status Run(EvalPlan& plan, const EvalPlan::OnSample& on_sample) const {
    ModelConfig config = checkpoint_.config;
    config.max_position_embeddings = plan.max_sequence_tokens();  // --max-length decides
    EngineOptions options;
    options.profile = DTypeProfile::kFp32;
    options.max_sequences = 8;
    options.max_sequence_tokens = plan.max_sequence_tokens();
    const std::unique_ptr<Communicator> world = MakeSelf();
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateBackend("reference", {}));
    NEMO_ASSIGN_OR_RETURN(
        RankWeights weights,
        LoadWeights(*checkpoint_.source, config, ParallelLayout(), 0, *backend, 1, NullProgress()));
    NEMO_ASSIGN_OR_RETURN(const auto engine, Engine::Create(config, ParallelLayout(), options,
                                                            std::move(weights), *backend, *world));
    RunnerCounts counts;
    return RunPlan(plan, *engine, *tokenizer_, {}, NullProgress(), on_sample, &counts);
  }

 private:
  std::unique_ptr<Tokenizer> tokenizer_;
  Checkpoint checkpoint_;
};

/// Runs the plan, and gives each sample's responses.
std::vector<std::vector<Responses>> ResponsesFrom(const HarnessRun& run, const OracleModel& model) {
  auto plan = EvalPlan::Make(run.tasks, model.tokenizer(), run.encoding(), 1,
                             [](size_t, size_t) { return false; });
  NEMO_CHECK(plan.has_value());
  std::vector<std::vector<Responses>> all;
  for (const PlannedTask& task : run.tasks) all.emplace_back(task.samples.size());
  const Status status = model.Run(*plan, [&](size_t task, size_t sample, Responses r) {
    all[task][sample] = std::move(r);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return all;
}

Selection SelectionOf(const Catalog& catalog, const Value& groups) {
  Selection selection;
  if (groups.is_null()) return selection;
  for (const auto& [name, value] : groups.as_object()) {
    selection.groups.push_back(catalog.FindGroup(name));
  }
  return selection;
}

void ExpectGroups(const RunRow& row, const Value& groups, const std::vector<TaskReport>& reports) {
  const std::string yaml =
      nemo::testing::ReadFileOrDie(Format("{}/../configs/eval/{}.yaml", NEMO_TEST_DIR, row.suite));
  const std::vector<std::pair<std::string, std::string>> suites = {{"suite", yaml}};
  const Catalog catalog = *Catalog::Read(suites);
  const Selection selection = SelectionOf(catalog, groups);
  const std::vector<GroupReport> ours = JudgeGroups(catalog, selection, reports);
  ASSERT_EQ(ours.size(), selection.groups.size());
  for (const GroupReport& group : ours) {
    SCOPED_TRACE(group.group->name);
    const Value& truth = At(groups, group.group->name);
    EXPECT_EQ(group.group->alias, At(truth, "alias").as_string());
    EXPECT_EQ(group.num_samples, At(truth, "sample_len").as_int());
    ExpectScores(truth, group.metrics);
  }
}

class ModelOracle : public ::testing::TestWithParam<RunRow> {};

TEST_P(ModelOracle, InFp32EveryNumberIsTheHarness) {
  NEMO_NEEDS_EVAL_DATA();
  const OracleModel model(nemo::testing::SharedPath("evaldata/oracle/model"));
  HarnessRun run(GetParam());
  auto responses = ResponsesFrom(run, model);
  std::vector<TaskReport> reports;
  for (size_t i = 0; i < run.tasks.size(); ++i) {
    const std::string name = run.tasks[i].task->name;
    auto report = JudgeTask(std::move(run.tasks[i]), std::move(responses[i]), nullptr);
    ASSERT_TRUE(report) << report.error().message();
    for (const SampleReport& sample : report->samples) ExpectSample(run.oracle, name, sample);
    SCOPED_TRACE(name);
    ExpectScores(At(At(run.oracle.head, "results"), name), report->metrics);
    reports.push_back(std::move(*report));
  }
  ExpectGroups(GetParam(), At(run.oracle.head, "groups"), reports);
}

INSTANTIATE_TEST_SUITE_P(
    Harness, ModelOracle,
    ::testing::Values(
        RunRow{"mmlu_5shot", "mmlu", 5}, RunRow{"mmlu_5shot_trunc512", "mmlu", 5},
        RunRow{"mmlu_0shot_bos", "mmlu", 0}, RunRow{"hellaswag_0shot", "hellaswag", 0},
        RunRow{"winogrande_0shot", "winogrande", 0},
        RunRow{"arc_challenge_0shot", "arc_challenge", 0},
        RunRow{"hellaswag_3shot_standin", "hellaswag", 3, "hellaswag/hellaswag_val.jsonl", 9000},
        RunRow{"winogrande_5shot_standin", "winogrande", 5, "winogrande/dev.jsonl", 1000},
        RunRow{"arc_challenge_25shot_standin", "arc_challenge", 25, "arc/ARC-Challenge-Dev.jsonl"},
        RunRow{"bbh_cot_3shot", "bbh", -1}, RunRow{"bbh_direct_3shot", "bbh", -1},
        RunRow{"bbh_zeroshot", "bbh", -1}, RunRow{"mgsm_native_cot_8shot", "mgsm", 8},
        RunRow{"mgsm_native_cot_0shot", "mgsm", 0}, RunRow{"mgsm_direct_2shot", "mgsm", 2}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace nemo::eval
