// What a validator finds: the degrees of checking, and the problems it names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/model/canonical_source.h"
#include "libcore/model/config.h"

namespace nemo {

/// Each degree includes those before it. kLogits runs the model (tools/nemo-validate).
enum class CheckLevel { kIndex, kChecksums, kValues, kLogits };
std::string_view CheckLevelName(CheckLevel level);

struct Problem {
  std::string code;   ///< "missing_file", "size", "checksum", "nan", "inf", "all_zero", ...
  std::string where;  ///< file and tensor, with the index where there is one
  std::string message;
  bool fatal = true;  ///< false: worth a look, and not by itself a reason to say no
};

/// NaN, Inf, all-zero and constant rows, suspicious ranges of every tensor (rows beyond the
/// tokenizer's vocabulary are padding and not looked at). Reads every byte once; memory is jobs *
/// block.
Result<std::vector<Problem>> CheckValues(const CanonicalSource& source, const ModelConfig& config,
                                         int jobs, Progress& progress);

/// One tensor that differs.
struct Difference {
  std::string name;
  std::vector<int64_t> index;  ///< of the first differing element, in the canonical tensor
  std::string where;           ///< the file that holds it on each side
  double a = 0, b = 0;
  double max_abs = 0;
  int64_t max_ulp = 0;  ///< of the stored dtype, when both have the same; else -1
  int64_t num_different = 0;
};

struct Comparison {
  int64_t num_tensors = 0;
  std::vector<Difference> different;
  std::vector<std::string> missing;  ///< in a, not in b
  std::vector<std::string> extra;    ///< in b, not in a
  std::vector<Problem> problems;     ///< shapes that disagree
  bool equal() const {
    return different.empty() && missing.empty() && extra.empty() && problems.empty();
  }
};

/// Element by element, bitwise (BF16 against F32 or F16: after casting, as conversion does), across
/// any two layouts; every replica of `a` and of `b` is read. Rows beyond the tokenizer's vocabulary
/// are padding: not compared. `config_a/b` give the padded sizes.
Result<Comparison> Compare(const CanonicalSource& a, const ModelConfig& config_a,
                           const CanonicalSource& b, const ModelConfig& config_b, int jobs,
                           Progress& progress);

}  // namespace nemo
