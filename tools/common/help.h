// --help: text made from the flag table.
#pragma once

#include <string>
#include <string_view>

#include "tools/common/commands.h"
#include "tools/common/tool.h"

namespace nemo {

/// Usage, operands, flags by group, exit codes and an example; lines fit `width` columns.
std::string HelpText(const Tool& tool, int width);

/// Usage and the list of commands.
std::string CommandsHelp(const CommandSet& set, int width);

// The parts of a help text, for those who make one of their own.
/// `text` in lines of at most `width`, without a newline at the end.
std::string WrapText(std::string_view text, int width);
/// A term at the left, its explanation wrapped at the right.
std::string HelpEntry(const std::string& term, const std::string& help, int width);

}  // namespace nemo
