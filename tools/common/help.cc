#include "tools/common/help.h"

#include <algorithm>
#include <utility>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr int kIndent = 2;
constexpr int kHelpColumn = 30;

/// `text` broken at blanks into lines of at most `width`; a longer word keeps its line.
std::vector<std::string> Wrap(std::string_view text, size_t width) {
  std::vector<std::string> lines(1);
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) {
      lines.emplace_back();
    }
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
  }
  return lines;
}

std::string Term(const Flag& flag) {
  std::string term = flag.letter != 0 ? Format("-{}, ", flag.letter) : "";
  term += "--" + flag.name;
  for (const std::string& alias : flag.aliases) {
    if (&alias == &flag.aliases.front()) term += ", --" + alias;
  }
  if (!flag.is_switch()) term += " " + flag.value;
  return term;
}

std::string UsageLine(const Tool& tool) {
  std::string line = "Usage: " + tool.name;
  for (const Operand& operand : tool.operands) {
    line += operand.required ? " " + operand.name : " [" + operand.name + "]";
  }
  line += " [flags]\n";
  // Commands of one tool are completed together (commands.h).
  const bool is_command = tool.name.find(' ') != std::string::npos;
  return is_command ? line : line + "       " + tool.name + " completion bash|zsh|fish\n";
}

std::string ExitCodes(const Tool& tool, int width) {
  std::vector<std::pair<std::string, std::string>> rows = {{"0", "done"}};
  if (!tool.no_means.empty()) rows.emplace_back("1", "the check ran: " + tool.no_means);
  rows.emplace_back("2", "wrong usage");
  const bool has_source = std::any_of(tool.operands.begin(), tool.operands.end(),
                                      [](const Operand& operand) { return operand.name == "SRC"; });
  rows.emplace_back("3", has_source ? "bad input: SRC is missing, damaged, or of a kind this build "
                                      "does not read"
                                    : "bad input: a file is missing or damaged");
  rows.emplace_back("4", "disk, memory, a device or a peer");
  rows.emplace_back("130, 143", "stopped by SIGINT, SIGTERM");
  std::string text = "\nExit codes:\n";
  for (const auto& [code, meaning] : rows) text += HelpEntry(code, meaning, width);
  return text;
}

}  // namespace

std::string WrapText(std::string_view text, int width) {
  return Format("{}", fmt::join(Wrap(text, width), "\n"));
}

std::string HelpEntry(const std::string& term, const std::string& help, int width) {
  std::string text = std::string(kIndent, ' ') + term;
  bool first = true;
  for (const std::string& line : Wrap(help, std::max(20, width - kHelpColumn))) {
    // A term that reaches into the right column has it to itself.
    if (first && text.size() + 1 >= kHelpColumn) text += '\n', first = false;
    text += std::string(first ? kHelpColumn - text.size() : kHelpColumn, ' ') + line + '\n';
    first = false;
  }
  return text;
}

std::string HelpText(const Tool& tool, int width) {
  std::string text = UsageLine(tool) + "\n";
  text += WrapText(tool.summary, width) + "\n";
  if (!tool.operands.empty()) text += "\n";
  for (const Operand& operand : tool.operands) text += HelpEntry(operand.name, operand.help, width);
  CommonOptions common;
  std::vector<FlagGroup> groups = tool.groups;
  groups.push_back(CommonFlags(&common));
  for (const FlagGroup& group : groups) {
    text += "\n" + group.title + ":\n";
    for (const Flag& flag : group.flags) text += HelpEntry(Term(flag), flag.help, width);
  }
  if (!tool.details.empty()) text += "\n" + WrapText(tool.details, width) + "\n";
  text += ExitCodes(tool, width);
  return text + "\nExample:\n  " + tool.example + "\n";
}

std::string VersionText(const std::string& name) { return Format("{} {}\n", name, NEMO_VERSION); }

}  // namespace nemo
