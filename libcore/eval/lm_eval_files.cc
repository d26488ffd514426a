#include "libcore/eval/lm_eval_files.h"

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo::eval {
namespace {

constexpr int64_t kVersion = 1;  // of our task files; the harness' versions are of its own

Value StderrValue(const Score& score) {
  return score.stderr_ ? Value(*score.stderr_) : Value("N/A");
}

void SetScores(std::span<const MetricReport> metrics, Value& value) {
  for (const MetricReport& m : metrics) {
    value.Set(m.Key(), m.score.value);
    value.Set(Format("{}_stderr,{}", m.metric, m.filter), StderrValue(m.score));
  }
}

Value TaskScores(const TaskReport& report) {
  Value value;
  value.Set("name", report.task->name);
  value.Set("alias", report.task->alias);
  value.Set("sample_len", std::ssize(report.samples));
  SetScores(report.metrics, value);
  return value;
}

Value GroupScores(const GroupReport& report) {
  Value value, counts;
  value.Set("alias", report.group->alias);
  value.Set("name", report.group->name);
  value.Set("sample_len", report.num_samples);
  SetScores(report.metrics, value);
  for (const MetricReport& m : report.metrics) counts.Set(m.Key(), m.score.num_samples);
  value.Set("sample_count", std::move(counts));
  return value;
}

/// How texts are generated, as the harness calls it.
Value GenerationOf(const TaskSpec& task) {
  Value value;
  value.Set("until", Value::ArrayOf(task.until));
  value.Set("max_gen_toks", task.max_tokens);
  value.Set("do_sample", task.draws.temperature > 0);
  if (task.draws.temperature > 0) {
    value.Set("temperature", task.draws.temperature);
    value.Set("top_p", task.draws.top_p);
  }
  return value;
}

Value ConfigOf(const TaskReport& report) {
  const TaskSpec& task = *report.task;
  Value value;
  value.Set("task", task.name);
  value.Set("output_type", task.kind);
  value.Set("variant", task.variant);
  value.Set("description", task.description.text());
  value.Set("doc_to_text", task.question.text());
  value.Set("doc_to_target",
            task.kind == "multiple_choice" ? task.gold.text() : task.target.text());
  value.Set("target_delimiter", task.target_delimiter);
  value.Set("fewshot_delimiter", task.fewshot_delimiter);
  value.Set("num_fewshot", report.num_fewshot);
  if (!task.until.empty()) value.Set("generation_kwargs", GenerationOf(task));
  value.Set("repeats", task.draws.num_samples);
  return value;
}

Value HigherIsBetter(std::span<const MetricReport> metrics) {
  Value value{Value::Object{}};
  for (const MetricReport& m : metrics) value.Set(m.metric, m.higher_is_better);
  return value;
}

Value CountsOf(const TaskReport& report) {
  Value value;
  value.Set("original", report.num_rows);
  value.Set("effective", std::ssize(report.samples));
  return value;
}

/// What the harness calls a request's arguments: context and continuation, or context and options.
Value ArgumentsOf(const TaskSpec& task, const Sample& sample) {
  Value all{Value::Object{}};
  for (size_t i = 0; i < sample.requests.size(); ++i) {
    const EvalRequest& request = sample.requests[i];
    if (request.draw > 0) continue;  // the same question again
    Value arguments;
    if (request.kind == RequestKind::kRolling) {
      arguments.Set("arg_0", request.continuation);
    } else {
      arguments.Set("arg_0", sample.contexts[request.context]);
      if (request.kind == RequestKind::kScore) {
        arguments.Set("arg_1", request.continuation);
      } else {
        arguments.Set("arg_1", GenerationOf(task));
      }
    }
    all.Set(Format("gen_args_{}", i), std::move(arguments));
  }
  return all;
}

Value ResponsesOf(const SampleReport& report) {
  Value::Array all;
  for (size_t i = 0; i < report.responses.size(); ++i) {
    const EvalResponse& response = report.responses[i];
    Value one;
    switch (report.sample.requests[i].kind) {
      case RequestKind::kScore:
        one = Value(Value::Array{response.logprob, response.is_greedy});
        break;
      case RequestKind::kGenerate:
        one = Value(response.text);
        break;
      case RequestKind::kRolling:
        one = Value(response.logprob);
        break;
    }
    if (report.sample.requests[i].draw > 0) {
      all.back().as_array().push_back(std::move(one));
    } else {
      all.emplace_back(Value::Array{std::move(one)});
    }
  }
  return Value(std::move(all));
}

Value SampleValue(const TaskSpec& task, const SampleReport& report, const Verdict& verdict) {
  Value value, names{Value::Array{}};
  value.Set("doc_id", report.sample.doc_index);
  value.Set("doc", report.sample.doc);
  value.Set("target", TextOf(report.sample.target));
  value.Set("arguments", ArgumentsOf(task, report.sample));
  value.Set("resps", ResponsesOf(report));
  value.Set("filtered_resps",
            verdict.filtered.is_array() ? verdict.filtered : Value(Value::Array{verdict.filtered}));
  value.Set("filter", verdict.filter);
  for (const MetricValue& m : verdict.metrics) names.as_array().emplace_back(m.name);
  value.Set("metrics", std::move(names));
  for (const MetricValue& m : verdict.metrics) value.Set(m.name, m.value);
  return value;
}

}  // namespace

Value ResultsValue(const EvalReport& report) {
  const Value empty{Value::Object{}};
  Value results = empty, groups = empty, members = empty, configs = empty, versions = empty;
  Value shots = empty, better = empty, counts = empty;
  for (const TaskReport& task : report.tasks) {
    const std::string& name = task.task->name;
    results.Set(name, TaskScores(task));
    members.Set(name, Value(Value::Array{}));
    configs.Set(name, ConfigOf(task));
    versions.Set(name, kVersion);
    shots.Set(name, task.num_fewshot);
    better.Set(name, HigherIsBetter(task.metrics));
    counts.Set(name, CountsOf(task));
  }
  for (const GroupReport& group : report.groups) {
    const std::string& name = group.group->name;
    results.Set(name, GroupScores(group));
    groups.Set(name, GroupScores(group));
    members.Set(name, Value::ArrayOf(group.tasks));
    versions.Set(name, kVersion);
    better.Set(name, HigherIsBetter(group.metrics));
  }
  Value value;
  value.Set("results", std::move(results));
  if (!report.groups.empty()) value.Set("groups", std::move(groups));
  value.Set("group_subtasks", std::move(members));
  value.Set("configs", std::move(configs));
  value.Set("versions", std::move(versions));
  value.Set("n-shot", std::move(shots));
  value.Set("higher_is_better", std::move(better));
  value.Set("n-samples", std::move(counts));
  if (report.run.is_object()) {
    for (const auto& [key, member] : report.run.as_object()) value.Set(key, member);
  }
  return value;
}

std::string SampleLines(const TaskReport& task) {
  std::string lines;
  for (const SampleReport& sample : task.samples) {
    for (const Verdict& verdict : sample.verdicts) {
      lines += ToJson(SampleValue(*task.task, sample, verdict)) + "\n";
    }
  }
  return lines;
}

}  // namespace nemo::eval
