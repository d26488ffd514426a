#include "libcore/eval/plan.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/eval/drafts.h"

namespace nemo::eval {
namespace {

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

/// Another one for each answer, whatever else is asked and in whatever order.
uint64_t SeedOf(const PlannedTask& planned, const CallUse& use) {
  const Sample& sample = planned.samples[use.sample];
  const std::string text = Format("{} {} {} {}", planned.task->draws.seed, planned.task->name,
                                  sample.doc_index, sample.requests[use.request].draw);
  const std::string digits = HashHex(std::as_bytes(std::span(text)));
  uint64_t seed = 0;
  std::from_chars(digits.data(), digits.data() + 16, seed, 16);
  return seed;
}

EvalCall GenerateCall(Draft draft, const PlannedTask& planned) {
  const TaskSpec& task = *planned.task;
  EvalCall call;
  call.uses = {draft.use};
  call.request.prompt_ids = std::move(draft.ids);
  call.request.tokens_to_generate = task.max_tokens;
  SamplingParams& sampling = call.request.sampling;
  sampling.greedy = task.draws.temperature == 0;
  if (!sampling.greedy) {
    sampling.temperature = task.draws.temperature;
    sampling.top_p = task.draws.top_p;
    sampling.seed = SeedOf(planned, draft.use);
  }
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
  // A lone token's may come of a whole row the next time, rounded: what else is asked about must
  // not show.
  if (result.logprob.size() == 1) response.logprob = static_cast<float>(response.logprob);
  response.is_greedy = std::equal(result.argmax.begin(), result.argmax.end(), scored);
  return response;
}

}  // namespace

EvalPlan::EvalPlan(std::span<const PlannedTask> tasks, const Tokenizer& tokenizer)
    : tasks_(tasks), tokenizer_(&tokenizer) {
  for (const PlannedTask& task : tasks) open_.emplace_back(task.samples.size());
}

/// There will be drafts of this sample.
void EvalPlan::Expect(size_t task, size_t sample) {
  Open& open = open_[task][sample];
  open.responses.resize(tasks_[task].samples[sample].requests.size());
  open.parts.resize(open.responses.size());
  ++num_samples_;
}

void EvalPlan::Append(std::vector<Draft> drafts) {
  for (size_t i = 0, first = 0; i < drafts.size(); ++i) {
    const CallUse use = drafts[i].use;
    Open& open = OpenOf(use);
    ++open.calls_left;
    open.parts[use.request].resize(std::max(open.parts[use.request].size(), use.part + 1));
    if (i > first && AskTheSame(drafts[first], drafts[i])) {
      Join(calls_.back(), drafts[i]);
      continue;
    }
    first = i;
    // A copy: the next drafts are compared with this one.
    calls_.push_back(drafts[i].num_scored > 0 ? ScoreCall(drafts[i])
                                              : GenerateCall(drafts[i], tasks_[use.task]));
    const GenerateRequest& request = calls_.back().request;
    max_sequence_tokens_ =
        std::max(max_sequence_tokens_, std::ssize(request.prompt_ids) + request.tokens_to_generate);
  }
}

Result<EvalPlan> EvalPlan::Make(std::span<const PlannedTask> tasks, const Tokenizer& tokenizer,
                                const EncodingOptions& options, int num_threads,
                                const std::function<bool(size_t, size_t)>& is_done) {
  NEMO_ASSIGN_OR_RETURN(std::vector<EvalPlan> parts,
                        MakeParts(tasks, tokenizer, options, num_threads, is_done, 1));
  return std::move(parts[0]);
}

Result<std::vector<EvalPlan>> EvalPlan::MakeParts(
    std::span<const PlannedTask> tasks, const Tokenizer& tokenizer, const EncodingOptions& options,
    int num_threads, const std::function<bool(size_t, size_t)>& is_done, int num_replicas) {
  std::vector<std::pair<size_t, size_t>> pending;
  for (size_t task = 0; task < tasks.size(); ++task) {
    for (size_t sample = 0; sample < tasks[task].samples.size(); ++sample) {
      if (!is_done(task, sample)) pending.emplace_back(task, sample);
    }
  }
  NEMO_ASSIGN_OR_RETURN(std::vector<Draft> drafts,
                        MakeDrafts(tasks, pending, tokenizer, options, num_threads));
  const SampleReplicas replicas = SplitDrafts(drafts, tasks, num_replicas);
  std::vector<EvalPlan> plans;
  std::vector<std::vector<Draft>> parts(num_replicas);
  for (int i = 0; i < num_replicas; ++i) plans.push_back(EvalPlan(tasks, tokenizer));
  for (const auto& [task, sample] : pending) {
    plans[replicas.at({task, sample})].Expect(task, sample);
  }
  for (Draft& draft : drafts) {
    parts[replicas.at({draft.use.task, draft.use.sample})].push_back(std::move(draft));
  }
  for (int i = 0; i < num_replicas; ++i) plans[i].Append(std::move(parts[i]));
  return plans;
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
