// A tool of several commands: nemo-bench kernels, nemo-bench compare. Each command is a Tool of its
// own; what stands here is the choice among them.
#pragma once

#include <string>
#include <vector>

#include "tools/common/tool.h"

namespace nemo {

struct Command {
  std::string name;   ///< "kernels"
  std::string brief;  ///< a line of the list of commands
  Tool tool;          ///< named with both words, "nemo-bench kernels"
};

struct CommandSet {
  std::string name;  ///< "nemo-bench"
  std::string summary;
  std::vector<Command> commands;
};

/// The body of main(): runs the command that argv[1] names, and returns the exit code. Knows
/// --help, --version, `completion SHELL` and `manual FORM` itself; without a command, or with an
/// unknown one (names the nearest), the usage is wrong.
int MainOfCommands(int argc, char** argv, const CommandSet& set);

}  // namespace nemo
