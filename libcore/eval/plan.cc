#include "libcore/eval/plan.h"

#include <algorithm>
#include <numeric>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"

namespace nemo::eval {
namespace {

/// A call for one use, before calls that can share a forward pass are joined.
struct Draft {
  std::vector<int32_t> ids;
  int64_t num_scored = 0;  // 0: generates
  CallUse use;
};

Status AddDrafts(const TaskSpec& task, const Sample& sample, CallUse use,
                 const Tokenizer& tokenizer, const EncodingOptions& options,
                 std::vector<Draft>& drafts) {
  const EvalRequest& request = sample.requests[use.request];
  const std::string& context = sample.contexts[request.context];
  if (request.kind == RequestKind::kGenerate) {
    NEMO_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                          EncodeContext(tokenizer, context, task.max_tokens, options));
    drafts.push_back({std::move(ids), 0, use});
    return OkStatus();
  }
  std::vector<ScoredIds> windows;
  if (request.kind == RequestKind::kRolling) {
    NEMO_ASSIGN_OR_RETURN(windows, EncodeRolling(tokenizer, request.continuation, options));
  } else {
    NEMO_ASSIGN_OR_RETURN(ScoredIds scored,
                          EncodeScored(tokenizer, context, request.continuation, options));
    windows.push_back(std::move(scored));
  }
  for (ScoredIds& window : windows) {
    drafts.push_back({std::move(window.ids), window.num_scored, use});
    ++use.part;
  }
  return OkStatus();
}

Result<std::vector<Draft>> DraftsOf(const PlannedTask& planned, size_t task, size_t sample,
                                    const Tokenizer& tokenizer, const EncodingOptions& options) {
  std::vector<Draft> drafts;
  const Sample& asked = planned.samples[sample];
  for (size_t i = 0; i < asked.requests.size(); ++i) {
    const Status added =
        AddDrafts(*planned.task, asked, {.task = task, .sample = sample, .request = i}, tokenizer,
                  options, drafts);
    if (!added.ok()) {
      return added.At(Format("task {}: row {}", planned.task->name, asked.doc_index));
    }
  }
  return drafts;
}

/// Encoding takes long, and every sample is its own.
Result<std::vector<Draft>> EncodeAll(std::span<const PlannedTask> tasks,
                                     std::span<const std::pair<size_t, size_t>> pending,
                                     const Tokenizer& tokenizer, const EncodingOptions& options,
                                     int num_threads) {
  std::vector<std::vector<Draft>> drafts(pending.size());
  NEMO_RETURN_IF_ERROR(ParallelFor(num_threads, std::ssize(pending), [&](int64_t i) -> Status {
    const auto [task, sample] = pending[i];
    NEMO_ASSIGN_OR_RETURN(drafts[i], DraftsOf(tasks[task], task, sample, tokenizer, options));
    return OkStatus();
  }));
  std::vector<Draft> all;
  for (std::vector<Draft>& some : drafts) {
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

// Scores come first: their answers need no steps of their own. What begins alike stands together.
bool Before(const Draft& a, const Draft& b) {
  const bool a_generates = a.num_scored == 0, b_generates = b.num_scored == 0;
  if (a_generates != b_generates) return b_generates;
  return a.ids < b.ids;
}

/// Only the token that is scored differs: one row of logits answers both.
bool AskTheSame(const Draft& a, const Draft& b) {
  return a.num_scored == 1 && b.num_scored == 1 && a.ids.size() == b.ids.size() &&
         std::equal(a.ids.begin(), a.ids.end() - 1, b.ids.begin());
}

EvalCall ScoreCall(Draft draft) {
  EvalCall call;
  call.uses = {draft.use};
  call.request.tokens_to_generate = 0;
  call.request.logprobs = true;
  call.request.logprobs_begin = std::ssize(draft.ids) - draft.num_scored - 1;
  call.request.prompt_ids = std::move(draft.ids);
  return call;
}

/// `call`, or the first of a run that asks the same, gets another use.
void Join(EvalCall& call, const Draft& draft) {
  if (!call.request.full_logprobs) call.uses[0].token = call.request.prompt_ids.back();
  call.request.full_logprobs = true;
  call.uses.push_back(draft.use);
  call.uses.back().token = draft.ids.back();
}

EvalCall GenerateCall(Draft draft, const TaskSpec& task) {
  EvalCall call;
  call.uses = {draft.use};
  call.request.prompt_ids = std::move(draft.ids);
  call.request.tokens_to_generate = task.max_tokens;
  call.request.sampling.greedy = true;
  for (const std::string& stop : task.until) {
    if (!stop.empty()) call.request.stop_strings.push_back(stop);
  }
  return call;
}

EvalResponse ResponseOf(const CallUse& use, const GenerateResult& result) {
  EvalResponse response;
  if (use.token >= 0) {
    response.logprob = result.full_logprob[0][use.token];
    response.is_greedy = result.argmax[0] == use.token;
    return response;
  }
  const std::vector<int32_t>& ids = result.token_ids;
  const auto scored = ids.end() - std::ssize(result.argmax);
  response.logprob = std::accumulate(result.logprob.begin(), result.logprob.end(), 0.0);
  response.is_greedy = std::equal(result.argmax.begin(), result.argmax.end(), scored);
  return response;
}

}  // namespace

Result<EvalPlan> EvalPlan::Make(std::span<const PlannedTask> tasks, const Tokenizer& tokenizer,
                                const EncodingOptions& options, int num_threads,
                                const std::function<bool(size_t, size_t)>& is_done) {
  EvalPlan plan;
  plan.tasks_ = tasks;
  plan.tokenizer_ = &tokenizer;
  std::vector<std::pair<size_t, size_t>> pending;
  for (size_t task = 0; task < tasks.size(); ++task) {
    plan.open_.emplace_back(tasks[task].samples.size());
    for (size_t sample = 0; sample < tasks[task].samples.size(); ++sample) {
      if (is_done(task, sample)) continue;
      pending.emplace_back(task, sample);
      Open& open = plan.open_[task][sample];
      open.responses.resize(tasks[task].samples[sample].requests.size());
      open.parts.resize(open.responses.size());
    }
  }
  plan.num_samples_ = std::ssize(pending);
  NEMO_ASSIGN_OR_RETURN(std::vector<Draft> drafts,
                        EncodeAll(tasks, pending, tokenizer, options, num_threads));
  std::stable_sort(drafts.begin(), drafts.end(), Before);
  for (size_t i = 0, first = 0; i < drafts.size(); ++i) {
    const CallUse use = drafts[i].use;
    Open& open = plan.OpenOf(use);
    ++open.calls_left;
    open.parts[use.request].resize(std::max(open.parts[use.request].size(), use.part + 1));
    if (i > first && AskTheSame(drafts[first], drafts[i])) {
      Join(plan.calls_.back(), drafts[i]);
      continue;
    }
    first = i;
    // A copy: the next drafts are compared with this one.
    plan.calls_.push_back(drafts[i].num_scored > 0
                              ? ScoreCall(drafts[i])
                              : GenerateCall(drafts[i], *tasks[use.task].task));
    const GenerateRequest& request = plan.calls_.back().request;
    plan.max_sequence_tokens_ = std::max(
        plan.max_sequence_tokens_, std::ssize(request.prompt_ids) + request.tokens_to_generate);
  }
  return plan;
}

std::string EvalPlan::Cut(const TaskSpec& task, std::string text) const {
  const auto cut = [&](const std::string& stop) {
    if (!stop.empty()) text.resize(std::min(text.size(), text.find(stop)));
  };
  for (const std::string& stop : task.until) cut(stop);
  // The harness adds the end of text in its spelling to every task's stop strings.
  if (tokenizer_->eos_id() >= 0) cut(tokenizer_->Piece(tokenizer_->eos_id()));
  return text;
}

Status EvalPlan::Take(size_t index, const GenerateResult& result, const OnSample& on_sample) {
  for (const CallUse& use : calls_[index].uses) {
    const PlannedTask& planned = tasks_[use.task];
    Open& open = OpenOf(use);
    EvalResponse& response = open.responses[use.request];
    if (planned.samples[use.sample].requests[use.request].kind == RequestKind::kGenerate) {
      const std::span<const int32_t> ids(result.token_ids);
      NEMO_ASSIGN_OR_RETURN(std::string text,
                            tokenizer_->Decode(ids.subspan(result.num_prompt_tokens)));
      response.text = Cut(*planned.task, std::move(text));
    } else {
      const EvalResponse part = ResponseOf(use, result);
      open.parts[use.request][use.part] = part.logprob;
      response.is_greedy = part.is_greedy;
    }
    if (--open.calls_left > 0) continue;
    // Windows finish in any order; their sum must not depend on it.
    for (size_t i = 0; i < open.parts.size(); ++i) {
      open.responses[i].logprob = std::accumulate(open.parts[i].begin(), open.parts[i].end(), 0.0);
    }
    NEMO_RETURN_IF_ERROR(on_sample(use.task, use.sample, std::exchange(open, {}).responses));
  }
  return OkStatus();
}

}  // namespace nemo::eval
