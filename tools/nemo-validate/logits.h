// Level logits: the models themselves, run on the same prompts. One checkpoint: does it compute
// numbers? Two: the same ones, and where do they part?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/trace.h"
#include "tools/common/flag.h"
#include "tools/common/machine_flags.h"
#include "tools/common/tool.h"

namespace nemo {

struct LogitsOptions {
  std::vector<std::string> prompts;  ///< none here and no file: the tool's own
  std::string prompts_file;
  double tolerance = -1;  ///< largest difference of two logits; -1: not given, equal to the bit
  MachineOptions machine;

  /// The flag that was given and means something at this level only; empty: none was.
  std::string_view GivenFlag() const;
};

std::vector<FlagGroup> LogitsFlags(LogitsOptions* options);

/// What the models computed.
struct LogitsCheck {
  bool has_other = false;
  double tolerance = -1;
  int64_t num_prompts = 0, num_tokens = 0;
  std::string layout, backend;
  TraceDeviation found;  ///< of OTHER from SRC; without OTHER of SRC from itself

  /// Nothing differs, neither logits nor what they are made of.
  bool equal() const;
  /// Numbers only, and with two checkpoints equal, or as near as the tolerance wants.
  bool ok() const;
};

/// Runs the model at `source` and, unless it is empty, the one at `other`, one after the other;
/// both have the same layers, widths and vocabulary. Collective over the processes of a launch;
/// rank 0 has the result. Memory beside one model: for each token of the prompts 2 * layers + 1
/// hidden states and a row of logits, in fp32, twice. Errors as RunInWorld; kInvalidArgument:
/// prompts that are too long.
Result<LogitsCheck> CheckLogits(const std::string& source, const std::string& other,
                                const LogitsOptions& options, const Console& console);

}  // namespace nemo
