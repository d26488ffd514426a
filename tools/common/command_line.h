// From argv and a configuration file to the flag table's setters. The door of CLI11.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "tools/common/flag.h"

namespace nemo {

/// What stood on the command line, before any setter ran.
struct CommandLine {
  std::map<std::string, std::vector<std::string>> flags;  ///< by Flag::name, in order of appearance
  std::vector<std::string> operands;

  bool Has(const std::string& flag) const { return flags.contains(flag); }
};

/// Sorts `args` (without the program's name) into flags and operands. Everything after `--` is an
/// operand. kInvalidArgument: an unknown flag (names the nearest), a value that is missing.
Result<CommandLine> ParseCommandLine(const std::vector<Flag>& flags,
                                     const std::vector<std::string>& args);

/// Adds the keys of the mapping `config` (long flag names, any spelling) as if they had been given;
/// flags on the command line win. kInvalidArgument: an unknown key (names the nearest), a value of
/// a kind that no flag takes.
Status MergeConfig(const std::vector<Flag>& flags, const Value& config, CommandLine* line);

/// Reads a YAML file and merges it. Errors are kInvalidArgument: the file is part of the command
/// line.
Status MergeConfigFile(const std::vector<Flag>& flags, const std::string& path, CommandLine* line);

/// Runs the setters of everything in `line`. kInvalidArgument names the flag.
Status ApplyFlags(const std::vector<Flag>& flags, const CommandLine& line);

}  // namespace nemo
