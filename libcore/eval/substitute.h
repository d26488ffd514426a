// `${key}` in task files: a loop writes a task once for each row of a table.
#pragma once

#include <cstdint>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo::eval {

/// How much a suite's tasks may be, written out: as often as a table has rows, each as long as the
/// row says.
class SuiteRoom {
 public:
  static constexpr int64_t kMaxBytes = int64_t{16} << 20;
  static constexpr int64_t kTaskBytes = 4096;  ///< of a task, beside its values

  /// kInvalidArgument: so much is not left.
  Status Take(int64_t size_bytes);

 private:
  int64_t left_bytes_ = kMaxBytes;
};

/// `tree` with `${key}` replaced by row's values, in every text; a text that is nothing but
/// `${key}` becomes the value itself. kInvalidArgument: no such key, or no room.
Result<Value> Substitute(const Value& tree, const Value& row, SuiteRoom& room);

}  // namespace nemo::eval
