// What a tool's help, its man page and its page in docs/tools all say, before any of them lays it
// out: one text, three forms.
#pragma once

#include <string>
#include <vector>

#include "tools/common/commands.h"
#include "tools/common/tool.h"

namespace nemo {

/// A term and its explanation.
struct TextEntry {
  std::string term, text;
};

struct TextSection {
  std::string title;
  std::vector<TextEntry> entries;
};

struct ToolText {
  std::string name;  ///< "nemo-convert", "nemo-bench kernels"
  std::vector<std::string> usage;
  std::string summary;
  std::vector<TextEntry> operands;
  std::vector<TextSection> flags;  ///< by group, the common ones last
  std::string details;             ///< may be empty
  std::vector<TextEntry> exit_codes;
  std::string example;
};

ToolText DescribeTool(const Tool& tool);

/// A tool of several commands: its own lines, and the text of each command.
struct CommandsText {
  std::string name;
  std::vector<std::string> usage;
  std::string summary;
  std::vector<TextEntry> commands;
  std::vector<ToolText> texts;
};

CommandsText DescribeCommands(const CommandSet& set);

}  // namespace nemo
