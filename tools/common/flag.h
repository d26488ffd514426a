// Flag: one row of a tool's flag table. Parsing, help and shell completion are all made from the
// rows (command_line.h, help.h, completion.h), so a flag is written down once.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

struct Flag {
  std::string name;                       ///< without dashes: "pipeline-layout"
  char letter = 0;                        ///< -q; 0: none
  std::vector<std::string> aliases = {};  ///< other long spellings; underscores come by themselves
  std::string value = {};                 ///< placeholder in the help; empty: a switch
  std::string help;
  std::vector<std::string> choices = {};  ///< the legal values, when they can be listed
  bool repeatable = false;                ///< every occurrence counts; otherwise the last one does
  /// Stores one occurrence ("true" or "false" for a switch). kInvalidArgument says what is legal;
  /// the caller adds the flag's name.
  std::function<Status(const std::string&)> set;

  bool is_switch() const { return value.empty(); }
};

struct FlagGroup {
  std::string title;
  std::vector<Flag> flags;
};

/// `name` and the aliases, each also with underscores for its hyphens, without repetition.
std::vector<std::string> LongSpellings(const Flag& flag);

// What a row does with its text.
using FlagSetter = std::function<Status(const std::string&)>;
FlagSetter SetSwitch(bool* out);
FlagSetter CountSwitch(int* out);
FlagSetter SetText(std::string* out);
FlagSetter AppendText(std::vector<std::string>* out);
FlagSetter SetInt(int64_t* out, int64_t min, int64_t max = std::numeric_limits<int64_t>::max());
FlagSetter SetDouble(double* out, double min, double max);
/// A number of bytes: 5GB, 512MiB, 1000000.
FlagSetter SetBytes(int64_t* out, int64_t min);
/// Whole numbers from 0 with commas between: 12,28,28,28.
FlagSetter SetIntList(std::vector<int64_t>* out);
/// One of `choices`; a miss names the nearest.
FlagSetter SetChoice(std::string* out, std::vector<std::string> choices);

/// The whole of `text` as a number. kInvalidArgument: it is none, or outside min...max.
Result<int64_t> ParseInt(std::string_view text, int64_t min, int64_t max);
/// A whole number of bytes from `min`, with a unit of 1000 (kB, MB, GB, TB) or 1024 (KiB, MiB, GiB,
/// TiB) or without one; capitals do not matter. kInvalidArgument.
Result<int64_t> ParseBytes(std::string_view text, int64_t min);
Result<double> ParseDouble(std::string_view text, double min, double max);

}  // namespace nemo
