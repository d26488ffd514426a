#include "libcore/eval/drafts.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "libcore/eval/split.h"

namespace nemo::eval {
namespace {

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

int64_t NumShared(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

}  // namespace

Result<std::vector<Draft>> MakeDrafts(std::span<const PlannedTask> tasks,
                                      std::span<const std::pair<size_t, size_t>> pending,
                                      const Tokenizer& tokenizer, const EncodingOptions& options,
                                      int num_threads) {
  NEMO_ASSIGN_OR_RETURN(std::vector<Draft> drafts,
                        EncodeAll(tasks, pending, tokenizer, options, num_threads));
  std::stable_sort(drafts.begin(), drafts.end(), Before);
  return drafts;
}

/// A sample stands where the first of its `drafts` does, which are in the order of the plan.
SampleReplicas SplitDrafts(std::span<const Draft> drafts, std::span<const PlannedTask> tasks,
                           int num_replicas) {
  std::map<std::pair<size_t, size_t>, size_t> places;
  std::vector<SampleCost> costs;
  for (size_t i = 0; i < drafts.size(); ++i) {
    const Draft& draft = drafts[i];
    const auto [place, is_new] =
        places.try_emplace({draft.use.task, draft.use.sample}, costs.size());
    if (is_new) costs.emplace_back();
    SampleCost& cost = costs[place->second];
    cost.tokens += std::ssize(draft.ids) - (i > 0 ? NumShared(draft.ids, drafts[i - 1].ids) : 0);
    if (draft.num_scored > 0) continue;
    cost.generates = true;
    cost.tokens += tasks[draft.use.task].task->max_tokens;
  }
  const std::vector<int> split = SplitSamples(costs, num_replicas);
  SampleReplicas replicas;
  for (const auto& [sample, place] : places) replicas[sample] = split[place];
  return replicas;
}

}  // namespace nemo::eval
