#include "tools/common/manual.h"

#include <algorithm>
#include <cctype>

#include "libcore/base/format.h"
#include "tools/common/suggest.h"
#include "tools/common/tool_text.h"
#include "tools/common/version.h"

namespace nemo {
namespace {

/// The summary up to its first full stop, as a line of a list: "Shows what checkpoint SRC holds".
std::string Brief(const std::string& summary) {
  return summary.substr(0, std::min(summary.find(". "), summary.find_last_not_of('.') + 1));
}

// ---- man (man(7)) -------------------------------------------------------------------------------

/// Text between requests: backslashes and hyphens as they stand, no line that reads as a request.
std::string Roff(std::string_view text) {
  std::string out = !text.empty() && (text[0] == '.' || text[0] == '\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string RoffEntries(const std::vector<TextEntry>& entries) {
  std::string text;
  for (const auto& [term, help] : entries) {
    text += Format(".TP\n\\fB{}\\fR\n{}\n", Roff(term), Roff(help));
  }
  return text;
}

std::string RoffLines(const std::vector<std::string>& lines) {
  std::string text = ".nf\n";
  for (const std::string& line : lines) text += Roff(line) + "\n";
  return text + ".fi\n";
}

std::string RoffHead(const std::string& name, const std::string& summary,
                     const std::vector<std::string>& usage) {
  std::string title = name;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return Format(
      ".TH {} 1 \"\" \"{} {}\" \"Nemotron toolkit\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n{}"
      ".SH DESCRIPTION\n{}\n",
      Roff(title), name, kVersion, Roff(name), Roff(Brief(summary)), RoffLines(usage),
      Roff(summary));
}

/// Operands, flags, details and example: of a tool, or of one command of several.
std::string RoffBody(const ToolText& text, std::string_view heading) {
  std::string out = RoffEntries(text.operands);
  for (const TextSection& group : text.flags) {
    out += Format(".{} {}\n{}", heading, Roff(group.title), RoffEntries(group.entries));
  }
  if (!text.details.empty()) out += Format(".PP\n{}\n", Roff(text.details));
  return out;
}

std::string ManPage(const ToolText& text) {
  return RoffHead(text.name, text.summary, text.usage) + RoffBody(text, "SS") +
         ".SH EXIT STATUS\n" + RoffEntries(text.exit_codes) + ".SH EXAMPLES\n" +
         RoffLines({text.example});
}

std::string ManPage(const CommandsText& text) {
  std::string out = RoffHead(text.name, text.summary, text.usage) + RoffEntries(text.commands);
  std::vector<std::string> examples;
  for (const ToolText& command : text.texts) {
    out += Format(".SH {}\n{}.PP\n{}\n", Roff(command.name), RoffLines(command.usage),
                  Roff(command.summary));
    out += RoffBody(command, "SS");
    out += ".SS Exit status\n" + RoffEntries(command.exit_codes);
    examples.push_back(command.example);
  }
  return out + ".SH EXAMPLES\n" + RoffLines(examples);
}

// ---- markdown -----------------------------------------------------------------------------------

/// Text of a table's cell or a paragraph: characters that markup would take for its own.
std::string Markdown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_' || c == '[' || c == ']' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

/// Code in a cell: only the bar is taken there.
std::string MarkdownCode(std::string_view text) {
  std::string out = "`";
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out + "`";
}

std::string MarkdownTable(std::string_view heading, const std::vector<TextEntry>& entries) {
  std::string text = Format("| {} | |\n|---|---|\n", heading);
  for (const auto& [term, help] : entries) {
    text += Format("| {} | {} |\n", MarkdownCode(term), Markdown(help));
  }
  return text + "\n";
}

/// `language` is "sh" for commands that can be run, "text" else.
std::string MarkdownBlock(std::string_view language, const std::vector<std::string>& lines) {
  return Format("```{}\n{}\n```\n\n", language, fmt::join(lines, "\n"));
}

std::string MarkdownHead(const std::string& name, const std::string& summary,
                         const std::vector<std::string>& usage) {
  return Format("# {0}\n\n<!-- Made by `{0} manual markdown`; the text is in the tool. -->\n\n",
                name) +
         MarkdownBlock("text", usage) + Markdown(summary) + "\n\n";
}

std::string MarkdownBody(const ToolText& text) {
  std::string out;
  if (!text.operands.empty()) out += MarkdownTable("argument", text.operands);
  for (const TextSection& group : text.flags) out += MarkdownTable(group.title, group.entries);
  if (!text.details.empty()) out += Markdown(text.details) + "\n\n";
  return out + MarkdownTable("exit code", text.exit_codes) + MarkdownBlock("sh", {text.example});
}

/// Files end with one newline.
std::string WithOneEnd(std::string text) {
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

std::string MarkdownPage(const ToolText& text) {
  return WithOneEnd(MarkdownHead(text.name, text.summary, text.usage) + MarkdownBody(text));
}

std::string MarkdownPage(const CommandsText& text) {
  std::string out =
      MarkdownHead(text.name, text.summary, text.usage) + MarkdownTable("command", text.commands);
  for (const ToolText& command : text.texts) {
    out += Format("## {}\n\n{}{}\n\n", command.name, MarkdownBlock("text", command.usage),
                  Markdown(command.summary));
    out += MarkdownBody(command);
  }
  return WithOneEnd(std::move(out));
}

template <typename Text>
Result<std::string> InForm(std::string_view form, const Text& text) {
  if (form == "man") return ManPage(text);
  if (form == "markdown") return MarkdownPage(text);
  return InvalidArgument(Format("manual: '{}' is not one of man, markdown{}", form,
                                DidYouMean(form, {"man", "markdown"})));
}

}  // namespace

Result<std::string> Manual(std::string_view form, const Tool& tool) {
  return InForm(form, DescribeTool(tool));
}

Result<std::string> ManualOfCommands(std::string_view form, const CommandSet& set) {
  return InForm(form, DescribeCommands(set));
}

}  // namespace nemo
