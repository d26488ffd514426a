#include "tools/common/help.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "tools/common/tool_text.h"

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

/// "Usage: " before the first line, as many blanks before the others.
std::string UsageLines(const std::vector<std::string>& usage) {
  std::string text;
  for (const std::string& line : usage) text += (text.empty() ? "Usage: " : "       ") + line + "\n";
  return text + "\n";
}

std::string Entries(const std::vector<TextEntry>& entries, int width) {
  std::string text;
  for (const auto& [term, help] : entries) text += HelpEntry(term, help, width);
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
  const ToolText facts = DescribeTool(tool);
  std::string text = UsageLines(facts.usage) + WrapText(facts.summary, width) + "\n";
  if (!facts.operands.empty()) text += "\n" + Entries(facts.operands, width);
  for (const TextSection& group : facts.flags) {
    text += "\n" + group.title + ":\n" + Entries(group.entries, width);
  }
  if (!facts.details.empty()) text += "\n" + WrapText(facts.details, width) + "\n";
  text += "\nExit codes:\n" + Entries(facts.exit_codes, width);
  return text + "\nExample:\n  " + facts.example + "\n";
}

std::string CommandsHelp(const CommandSet& set, int width) {
  const CommandsText facts = DescribeCommands(set);
  return UsageLines(facts.usage) + WrapText(facts.summary, width) + "\n\nCommands:\n" +
         Entries(facts.commands, width);
}

}  // namespace nemo
