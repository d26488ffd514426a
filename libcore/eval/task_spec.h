// What a task is, as its YAML says: where its rows are, what the model is asked about each, how the
// answer is judged (docs/eval.md). Plain data; libcore/eval/task.h makes prompts of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/eval/data_file.h"
#include "libcore/eval/filter.h"
#include "libcore/eval/template.h"

namespace nemo::eval {

/// Several texts about a row: a template for each, or one for every element of a list of the row,
/// in which `item` is the element and `letter` A, B, C, ...
struct ListSpec {
  std::vector<Template> items;
  std::vector<std::string> each;  ///< path of the row's list
  Template item;
  bool empty() const { return items.empty() && each.empty(); }
};

/// A field that rows get beside their own, from those before it.
struct FieldSpec {
  std::string name;
  Template value;                   ///< a text; or, where `list` is not empty,
  ListSpec list;                    ///< a list
  std::optional<std::string> join;  ///< which becomes one text
};

struct FewshotSpec {
  DataSpec data;
  std::vector<Value> samples;                ///< rows that stand in the YAML
  bool random = false;                       ///< drawn as Python does; else the first ones
  bool others_only = false;                  ///< never the document that is asked about
  std::optional<Template> question, answer;  ///< where they differ from the task's
};

struct MetricSpec {
  std::string name;
  std::vector<Regex> ignore;  ///< exact_match: removed on both sides first
  bool ignore_case = false;
  bool ignore_punctuation = false;
};

/// How many answers a question gets, and how they are drawn.
struct DrawSpec {
  int64_t num_samples = 1;
  double temperature = 0;  ///< 0: the likeliest token each time
  double top_p = 0.95;     ///< as in the HumanEval paper
  int64_t seed = 1234;     ///< with task, row and number of the answer it gives each one's own
};

struct TaskSpec {
  std::string name;
  std::string alias;    ///< how tables call it; the name where the YAML says none
  std::string kind;     ///< a row of libcore/eval/registry.h
  std::string variant;  ///< in words, for reports: which form of the task this is
  std::vector<std::string> groups;
  DataSpec data;
  FewshotSpec fewshot;
  int64_t num_fewshot = 0;
  bool num_fewshot_fixed = false;  ///< --num-fewshot does not change it

  std::vector<FieldSpec> fields;
  Template description, question;
  std::string target_delimiter = " ", fewshot_delimiter = "\n\n";

  // multiple_choice
  ListSpec contexts;  ///< one question a choice, instead of `question`
  ListSpec choices;
  Template gold;        ///< of the right choice;
  ListSpec gold_among;  ///< its position in this list is the choice's

  // generate_until, code, perplexity
  Template target;
  std::vector<std::string> until;
  int64_t max_tokens = 256;
  std::vector<Filter> filters;
  Template program;  ///< code: `completion` is a field of it
  DrawSpec draws;    ///< code; not in the YAML

  std::vector<MetricSpec> metrics;
};

/// Tasks whose scores are told together.
struct GroupSpec {
  std::string name, alias;
  std::vector<std::string> members;  ///< groups and tasks, beside the tasks that name this group
  /// The keys that are averaged, weighted by size: `acc,none`. None: only a name for its tasks.
  std::vector<std::string> metrics;
};

struct SuiteSpec {
  std::vector<TaskSpec> tasks;
  std::vector<GroupSpec> groups;
};

/// Reads a suite's YAML. kCorruption: not YAML; kInvalidArgument: an unknown key, a missing one or
/// a bad value, with its place.
Result<SuiteSpec> ParseSuite(std::string_view yaml);

}  // namespace nemo::eval
