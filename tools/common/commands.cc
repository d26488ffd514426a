#include "tools/common/commands.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "libcore/base/format.h"
#include "tools/common/completion.h"
#include "tools/common/exit_code.h"
#include "tools/common/help.h"
#include "tools/common/manual.h"
#include "tools/common/suggest.h"
#include "tools/common/terminal.h"
#include "tools/common/version.h"

namespace nemo {
namespace {

constexpr int kHelpWidth = 100;

std::vector<std::string> NamesOf(const CommandSet& set) {
  std::vector<std::string> names;
  for (const Command& command : set.commands) names.push_back(command.name);
  return names;
}

/// The flags of all commands, each name once.
std::vector<Flag> FlagsOf(const CommandSet& set) {
  std::vector<Flag> flags;
  std::set<std::string> seen;
  CommonOptions common;
  for (const Command& command : set.commands) {
    std::vector<FlagGroup> groups = command.tool.groups;
    groups.push_back(CommonFlags(&common));
    for (const FlagGroup& group : groups) {
      for (const Flag& flag : group.flags) {
        if (seen.insert(flag.name).second) flags.push_back(flag);
      }
    }
  }
  return flags;
}

/// Prints `text` to stdout, or says why there is none.
int Answer(const CommandSet& set, const Result<std::string>& text) {
  if (!text) {
    std::fputs(Format("{} {} ({} --help lists the commands)\n", Alarm(stderr, set.name + ":"),
                      text.error().message(), set.name)
                   .c_str(),
               stderr);
    return ExitCodeFor(text.error());
  }
  std::fputs(text->c_str(), stdout);
  return std::fflush(stdout) == 0 ? kExitDone : kExitEnvironment;
}

}  // namespace

int MainOfCommands(int argc, char** argv, const CommandSet& set) {
  const std::string word = argc > 1 ? argv[1] : "";
  for (const Command& command : set.commands) {
    if (command.name == word) return Main(argc - 1, argv + 1, command.tool);
  }
  if (word == "--help" || word == "-h") {
    const int width = std::min(kHelpWidth, TerminalWidth(stdout, kHelpWidth));
    return Answer(set, CommandsHelp(set, width));
  }
  if (word == "--version") return Answer(set, VersionText(set.name));
  if (word == "completion" && argc == 3) {
    return Answer(set, CompletionScript(argv[2], set.name, FlagsOf(set), NamesOf(set)));
  }
  if (word == "manual" && argc == 3) return Answer(set, ManualOfCommands(argv[2], set));
  const std::string known = Format("{}", fmt::join(NamesOf(set), ", "));
  if (word.empty()) return Answer(set, InvalidArgument("a command is missing: " + known));
  return Answer(set, InvalidArgument(Format("'{}' is not one of the commands {}{}", word, known,
                                            DidYouMean(word, NamesOf(set)))));
}

}  // namespace nemo
