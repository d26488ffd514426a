#include "tools/common/tool_text.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {
namespace {

std::string Term(const Flag& flag) {
  std::string term = flag.letter != 0 ? Format("-{}, ", flag.letter) : "";
  term += "--" + flag.name;
  if (!flag.aliases.empty()) term += ", --" + flag.aliases.front();
  if (!flag.is_switch()) term += " " + flag.value;
  return term;
}

std::vector<std::string> UsageOf(const Tool& tool) {
  std::string line = tool.name;
  for (const Operand& operand : tool.operands) {
    line += operand.required ? " " + operand.name : " [" + operand.name + "]";
  }
  std::vector<std::string> usage = {line + " [flags]"};
  // Commands of one tool are completed and described together (commands.h).
  if (tool.name.find(' ') == std::string::npos) {
    usage.push_back(tool.name + " completion bash|zsh|fish");
    usage.push_back(tool.name + " manual man|markdown");
  }
  return usage;
}

std::vector<TextEntry> ExitCodesOf(const Tool& tool) {
  std::vector<TextEntry> rows = {{"0", "done"}};
  if (!tool.no_means.empty()) rows.push_back({"1", "the check ran: " + tool.no_means});
  rows.push_back({"2", "wrong usage"});
  const bool has_source = std::any_of(tool.operands.begin(), tool.operands.end(),
                                      [](const Operand& operand) { return operand.name == "SRC"; });
  rows.push_back({"3", has_source ? "bad input: SRC is missing, damaged, or of a kind this build "
                                    "does not read"
                                  : "bad input: a file is missing or damaged"});
  rows.push_back({"4", "disk, memory, a device or a peer"});
  rows.push_back({"130, 143", "stopped by SIGINT, SIGTERM"});
  return rows;
}

}  // namespace

ToolText DescribeTool(const Tool& tool) {
  ToolText text = {.name = tool.name,
                   .usage = UsageOf(tool),
                   .summary = tool.summary,
                   .details = tool.details,
                   .exit_codes = ExitCodesOf(tool),
                   .example = tool.example};
  for (const Operand& operand : tool.operands) text.operands.push_back({operand.name, operand.help});
  CommonOptions common;
  std::vector<FlagGroup> groups = tool.groups;
  groups.push_back(CommonFlags(&common));
  for (const FlagGroup& group : groups) {
    TextSection section = {group.title, {}};
    for (const Flag& flag : group.flags) section.entries.push_back({Term(flag), flag.help});
    text.flags.push_back(std::move(section));
  }
  return text;
}

CommandsText DescribeCommands(const CommandSet& set) {
  CommandsText text = {.name = set.name,
                       .usage = {set.name + " COMMAND [flags]", set.name + " COMMAND --help",
                                 set.name + " completion bash|zsh|fish",
                                 set.name + " manual man|markdown"},
                       .summary = set.summary};
  for (const Command& command : set.commands) {
    text.commands.push_back({command.name, command.brief});
    text.texts.push_back(DescribeTool(command.tool));
  }
  return text;
}

}  // namespace nemo
