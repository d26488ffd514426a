// The kinds of tasks: what a model is asked about a row, and how the answers become scores. A new
// kind is a file kind_x.cc and a row of registry.cc.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/eval/task_spec.h"

namespace nemo::eval {

enum class RequestKind {
  kScore,     ///< how likely is the continuation after the context
  kGenerate,  ///< what comes after the context
  kRolling,   ///< how likely is the continuation, all of it, on its own
};

/// One question to the model. Contexts are long and shared: they are kept once, in the sample.
struct EvalRequest {
  RequestKind kind = RequestKind::kScore;
  size_t context = 0;  ///< position in Sample::contexts
  std::string continuation;
  int64_t draw = 0;  ///< kGenerate: which of several answers; from 1 on, another to the one before
};

struct EvalResponse {
  double logprob = 0;      ///< kScore, kRolling: sum of the continuation's log-probabilities
  bool is_greedy = false;  ///< kScore: every token was the likeliest
  std::string text;        ///< kGenerate, cut at the task's stop strings
};

/// A row, what is asked about it, and what would be right.
struct Sample {
  int64_t doc_index = 0;  ///< in the task's split
  Value doc;              ///< the row as it was read
  Value scope;            ///< with the task's fields
  std::vector<std::string> contexts;
  std::vector<EvalRequest> requests;
  std::vector<std::string> choices;  ///< multiple_choice
  int64_t gold = 0;                  ///< multiple_choice: the right one
  Value target;                      ///< what is right, as samples files tell it
};

/// A metric's value of one sample; perplexities weigh by words or bytes.
struct MetricValue {
  std::string name;
  double value = 0;
  double weight = 1;
};

/// What one filter makes of a sample's responses.
struct Verdict {
  std::string filter;
  Value filtered;
  std::vector<MetricValue> metrics;
};

/// Runs programs; how many passed. An error where programs may not or cannot be run.
using ProgramRunner = std::function<Result<int64_t>(std::span<const std::string> programs)>;

struct KindRow {
  std::string_view name;
  std::string_view help;
  /// kInvalidArgument: the YAML lacks what the kind needs.
  Status (*check)(const TaskSpec&);
  /// A solved example, from its row with fields: question, delimiter, answer.
  Result<std::string> (*shot)(const TaskSpec&, const Value& scope);
  /// Contexts (`head` is description and examples), requests, choices, target.
  Status (*ask)(const TaskSpec&, const std::string& head, Sample& sample);
  /// One verdict a filter. `responses` is parallel to the requests.
  Result<std::vector<Verdict>> (*judge)(const TaskSpec&, const Sample&,
                                        std::span<const EvalResponse> responses,
                                        const ProgramRunner& run);
};

std::span<const KindRow> TaskKinds();
/// kInvalidArgument: no such kind, with those that there are.
Result<const KindRow*> FindKind(std::string_view name);

/// The texts of a list, from a row with fields. kInvalidArgument.
Result<std::vector<std::string>> RenderList(const ListSpec& list, const Value& scope);

extern const KindRow kMultipleChoice;  // kind_multiple_choice.cc
extern const KindRow kGenerateUntil;   // kind_generate_until.cc
extern const KindRow kPerplexity;      // kind_perplexity.cc
extern const KindRow kCode;            // kind_code.cc

}  // namespace nemo::eval
