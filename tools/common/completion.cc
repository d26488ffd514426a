#include "tools/common/completion.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "tools/common/suggest.h"

namespace nemo {
namespace {

/// nemo-convert -> nemo_convert, for the name of a shell function.
std::string Identifier(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// Inside single quotes of any shell here.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string BashScript(const std::string& tool, const std::vector<Flag>& flags,
                       const std::vector<std::string>& commands) {
  std::vector<std::string> words;
  std::string cases, first;
  if (!commands.empty()) {
    first = Format(
        "  if ((COMP_CWORD == 1)); then COMPREPLY=($(compgen -W {} -- \"$word\")); return; fi\n",
        Quoted(Format("{}", fmt::join(commands, " "))));
  }
  for (const Flag& flag : flags) {
    words.push_back("--" + flag.name);
    if (!flag.choices.empty()) {
      cases += Format("    --{}) COMPREPLY=($(compgen -W {} -- \"$word\")); return ;;\n", flag.name,
                      Quoted(Format("{}", fmt::join(flag.choices, " "))));
    }
  }
  const std::string function = "_" + Identifier(tool);
  return Format(R"(# bash completion of {tool}: source <({tool} completion bash)
{function}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}}
{first}  case ${{COMP_WORDS[COMP_CWORD-1]}} in
{cases}    *) ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W {words} -- "$word"))
  else
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -F {function} {tool}
)",
                fmt::arg("tool", tool), fmt::arg("function", function), fmt::arg("cases", cases),
                fmt::arg("first", first),
                fmt::arg("words", Quoted(Format("{}", fmt::join(words, " ")))));
}

/// The explanation in a zsh _arguments row; brackets and colons have a meaning there.
std::string ZshRow(const Flag& flag) {
  std::string help;
  for (const char c : flag.help) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') help += '\\';
    help += c;
  }
  std::string row = Format("{}--{}[{}]", flag.repeatable ? "*" : "", flag.name, help);
  if (!flag.choices.empty()) {
    row += Format(":{}:({})", flag.name, fmt::join(flag.choices, " "));
  } else if (!flag.is_switch()) {
    row += Format(":{}:_files", flag.name);
  }
  return Quoted(row);
}

std::string ZshScript(const std::string& tool, const std::vector<Flag>& flags,
                      const std::vector<std::string>& commands) {
  std::string text = Format(
      "#compdef {}\n# zsh completion: {} completion zsh > a folder of $fpath\n"
      "_arguments -s \\\n",
      tool, tool);
  if (!commands.empty()) text += Format("  '1:command:({})' \\\n", fmt::join(commands, " "));
  for (const Flag& flag : flags) text += "  " + ZshRow(flag) + " \\\n";
  return text + "  '*:file:_files'\n";
}

std::string FishScript(const std::string& tool, const std::vector<Flag>& flags,
                       const std::vector<std::string>& commands) {
  std::string text = Format("# fish completion: {} completion fish | source\n", tool);
  if (!commands.empty()) {
    text += Format("complete -c {} -n __fish_use_subcommand -f -a {}\n", tool,
                   Quoted(Format("{}", fmt::join(commands, " "))));
  }
  for (const Flag& flag : flags) {
    text += Format("complete -c {} -l {}", tool, flag.name);
    if (flag.letter != 0) text += Format(" -s {}", flag.letter);
    if (!flag.choices.empty()) {
      text += Format(" -x -a {}", Quoted(Format("{}", fmt::join(flag.choices, " "))));
    } else if (!flag.is_switch()) {
      text += " -r";
    }
    text += Format(" -d {}\n", Quoted(flag.help));
  }
  return text;
}

}  // namespace

Result<std::string> CompletionScript(std::string_view shell, const std::string& tool,
                                     const std::vector<Flag>& flags,
                                     const std::vector<std::string>& commands) {
  if (shell == "bash") return BashScript(tool, flags, commands);
  if (shell == "zsh") return ZshScript(tool, flags, commands);
  if (shell == "fish") return FishScript(tool, flags, commands);
  return InvalidArgument(Format("completion: '{}' is not one of bash, zsh, fish{}", shell,
                                DidYouMean(shell, {"bash", "zsh", "fish"})));
}

}  // namespace nemo
