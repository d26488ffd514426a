// Scores that others have published, to be shown beside ours.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo::eval {

struct PublishedScore {
  std::vector<std::string> tasks;  ///< tasks or groups that it can stand beside
  std::string key;                 ///< "acc,none"
  double value = 0;                ///< as metrics are: 0.9053, not 90.53
  std::string note;                ///< what does not compare; may be empty
};

struct PublishedModel {
  std::string name, source;
  std::vector<PublishedScore> scores;

  /// nullptr: nothing was published that fits.
  const PublishedScore* Find(std::string_view task, std::string_view key) const;
};

/// kCorruption: not YAML; kInvalidArgument: not such a table, with the place.
Result<PublishedModel> ParsePublished(std::string_view yaml);

}  // namespace nemo::eval
