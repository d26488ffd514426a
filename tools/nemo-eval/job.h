// What nemo-eval was asked to do: its flags as data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/eval/catalog.h"
#include "libcore/eval/task.h"
#include "tools/common/flag.h"
#include "tools/common/machine_flags.h"

namespace nemo {

/// With which several programs are drawn when nothing else is said: that of the HumanEval paper for
/// pass@100.
inline constexpr double kDrawTemperature = 0.8;

struct EvalJob {
  std::string source;
  // Tasks.
  std::vector<std::string> tasks;
  std::vector<std::string> task_files;
  bool list = false;
  std::string data;
  int64_t num_fewshot = -1;
  std::vector<std::string> fewshot_data;  ///< TASK=FILE[:BEGIN-END]
  int64_t limit = -1;
  // Model.
  int64_t max_length = 0;  ///< 0: the model's context
  int64_t max_gen_tokens = 0;
  bool add_bos = false;
  // Programs.
  bool allow_code_execution = false;
  int64_t num_samples = 1;
  double temperature = -1;  ///< -1: 0 for one program, kDrawTemperature for several
  double top_p = 0.95;
  int64_t seed = 1234;
  // Answer.
  std::string output;
  bool resume = false;
  bool force = false;
  MachineOptions machine;
};

/// The flag table; defaults are in `job`.
std::vector<FlagGroup> EvalFlags(EvalJob* job);

/// kInvalidArgument: flags that are missing or exclude one another.
Status CheckJob(const EvalJob& job);

/// The tasks of the executable and of --task-file. Errors as Catalog::Read, with the file.
Result<eval::Catalog> ReadCatalog(const EvalJob& job);

/// What --tasks names. kInvalidArgument: no such task, with the nearest; a task that runs code
/// without leave.
Result<eval::Selection> SelectTasks(const EvalJob& job, const eval::Catalog& catalog);

/// What the job says about one of them. kInvalidArgument: --fewshot-data not as it should be.
Result<eval::TaskOptions> OptionsOf(const EvalJob& job, const eval::Selection::Choice& choice);

}  // namespace nemo
