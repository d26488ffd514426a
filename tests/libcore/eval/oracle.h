// What the tests of tasks share: our task files, the shared data sets, and what
// lm-evaluation-harness made of them (evaldata/README.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/value.h"
#include "libcore/eval/data_file.h"
#include "libcore/eval/task_spec.h"

namespace nemo::eval::testing {

/// Why a test skips; empty when the evaluation data is there.
std::string WhyNoData();
/// The file reader over evaldata/, .gz and .zst decompressed.
FileReader SharedData();
/// configs/eval/NAME.yaml.
const SuiteSpec& Suite(std::string_view name);
/// NEMO_CHECKs that there is one.
const TaskSpec& Task(std::string_view suite, std::string_view name);

/// One file of evaldata/oracle: its first line, then a line for each document and filter.
struct Oracle {
  Value head;
  std::vector<Value> rows;
};
Oracle ReadOracle(std::string_view name);

/// A member that must be there.
const Value& At(const Value& value, std::string_view key);

}  // namespace nemo::eval::testing

#define NEMO_NEEDS_EVAL_DATA()                                      \
  if (const std::string why = testing::WhyNoData(); !why.empty()) { \
    GTEST_SKIP() << why;                                            \
  }
