// The scores of a results.json, ours or lm-evaluation-harness' own, as rows for tables and charts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libcore/base/value.h"

namespace nemo {

/// A score that somebody else has published for this model. `published` of results.json.
struct PublishedScore {
  double value = 0;    ///< in the metric's own unit: 0.9053
  std::string remark;  ///< how it was got, and where it says so
};

/// One metric of a task or a group.
struct ScoreRow {
  std::string name;    ///< of the task: "mmlu_anatomy"
  std::string alias;   ///< as tables call it
  std::string metric;  ///< "acc_norm"
  std::string filter;  ///< "none"
  double value = 0;
  std::optional<double> stderr_;
  int64_t num_samples = 0;   ///< 0: not told
  int64_t num_original = 0;  ///< of the whole set; 0: not told
  std::optional<int64_t> num_fewshot;
  std::string variant;  ///< which form of the task ran; may be empty
  std::optional<PublishedScore> published;

  /// Between 0 and 1, so that it can be shown as a bar. Others are perplexities and the like.
  bool is_share() const;
  /// "acc_norm", or with a filter that has a name "exact_match, strict-match".
  std::string MetricText() const;
  /// "25.75 %"; what is no share with five digits.
  std::string ValueText() const;
};

/// A group, or a task that is in none.
struct ScoreSection {
  std::string name;
  std::vector<ScoreRow> own;       ///< of the group and those inside it, or of the task
  std::vector<ScoreRow> members;   ///< of the tasks below a group, all the way down
  std::vector<std::string> parts;  ///< the group inside this one of each member; may be empty
};

/// Groups first, each in the order of the file. A group whose tasks are some of another's is told
/// there. Members of unexpected types are left out: the file may be anybody's.
std::vector<ScoreSection> SectionsOf(const Value& results);

}  // namespace nemo
