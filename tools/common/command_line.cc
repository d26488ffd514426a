#include "tools/common/command_line.h"

#include <algorithm>
#include <set>

#include <CLI/CLI.hpp>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/yaml.h"
#include "tools/common/suggest.h"

namespace nemo {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

std::string SpellingsForCli(const Flag& flag) {
  std::string spellings;
  if (flag.letter != 0) spellings = Format("-{},", flag.letter);
  for (const std::string& name : LongSpellings(flag)) spellings += Format("--{},", name);
  spellings.pop_back();
  return spellings;
}

std::vector<std::string> DashedNames(const std::vector<Flag>& flags) {
  std::vector<std::string> names;
  for (const Flag& flag : flags) names.push_back("--" + flag.name);
  for (const Flag& flag : flags) {
    for (const std::string& spelling : LongSpellings(flag)) names.push_back("--" + spelling);
  }
  return names;
}

Status UnknownFlag(const std::vector<Flag>& flags, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  return InvalidArgument(Format("unknown flag {}{}", name, DidYouMean(name, DashedNames(flags))));
}

const Flag* FindFlag(const std::vector<Flag>& flags, const std::string& name) {
  for (const Flag& flag : flags) {
    const auto spellings = LongSpellings(flag);
    if (std::find(spellings.begin(), spellings.end(), name) != spellings.end()) return &flag;
  }
  return nullptr;
}

/// CLI11 says `--tp: 1 required TEXT missing`.
Status MissingValue(const CLI::ParseError& error) {
  const std::string text = error.what();
  return InvalidArgument(Format("{} needs a value", text.substr(0, text.find(':'))));
}

/// A scalar as it would be typed; lists of scalars are joined by commas.
Result<std::string> TextOf(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_bool() || value.is_number()) return ToJson(value);
  if (value.is_array()) {
    std::vector<std::string> parts;
    for (const Value& item : value.as_array()) {
      if (item.is_array()) return InvalidArgument("a list inside a list");
      NEMO_ASSIGN_OR_RETURN(std::string part, TextOf(item));
      parts.push_back(std::move(part));
    }
    return Format("{}", fmt::join(parts, ","));
  }
  return InvalidArgument(Format("a {}, where a flag's value is wanted", value.type_name()));
}

Result<std::vector<std::string>> OccurrencesOf(const Flag& flag, const Value& value) {
  std::vector<std::string> texts;
  if (flag.repeatable && value.is_array()) {
    for (const Value& item : value.as_array()) {
      NEMO_ASSIGN_OR_RETURN(std::string text, TextOf(item));
      texts.push_back(std::move(text));
    }
    return texts;
  }
  NEMO_ASSIGN_OR_RETURN(std::string text, TextOf(value));
  texts.push_back(std::move(text));
  return texts;
}

}  // namespace

Result<CommandLine> ParseCommandLine(const std::vector<Flag>& flags,
                                     const std::vector<std::string>& args) {
  CLI::App app;
  app.set_help_flag();  // ours is a row of the table
  app.allow_extras();
  std::vector<const CLI::Option*> options;
  for (const Flag& flag : flags) {
    CLI::Option* option = flag.is_switch() ? app.add_flag(SpellingsForCli(flag))
                                           : app.add_option(SpellingsForCli(flag));
    // Without extra arguments CLI11 takes one value per flag, as it stands: "[a]" is no list.
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
    options.push_back(option);
  }
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ArgumentMismatch& error) {
    return MissingValue(error);
  } catch (const CLI::Error& error) {
    return InvalidArgument(error.what());
  }
  CommandLine line;
  bool operands_only = false;
  for (std::string& argument : app.remaining()) {
    if (!operands_only && argument == "--") {
      operands_only = true;
    } else if (!operands_only && argument.size() > 1 && argument[0] == '-') {
      return UnknownFlag(flags, argument);
    } else {
      line.operands.push_back(std::move(argument));
    }
  }
  for (size_t i = 0; i < flags.size(); ++i) {
    if (options[i]->count() > 0) line.flags[flags[i].name] = options[i]->results();
  }
  return line;
}

Status MergeConfig(const std::vector<Flag>& flags, const Value& config, CommandLine* line) {
  if (config.is_null()) return OkStatus();
  if (!config.is_object()) {
    return InvalidArgument(
        Format("a mapping of flag names to values is wanted, not a {}", config.type_name()));
  }
  std::set<std::string> seen;
  for (const auto& [key, value] : config.as_object()) {
    const Flag* flag = FindFlag(flags, key);
    if (flag == nullptr) {
      std::vector<std::string> names;
      for (const std::string& name : DashedNames(flags)) names.push_back(name.substr(2));
      return InvalidArgument(Format("unknown key '{}'{}", key, DidYouMean(key, names)));
    }
    if (flag->name == "config") return InvalidArgument("key 'config': files do not nest");
    if (!seen.insert(flag->name).second) {
      return InvalidArgument(Format("key '{}': --{} has a value already", key, flag->name));
    }
    if (line->Has(flag->name)) continue;
    auto occurrences = OccurrencesOf(*flag, value);
    if (!occurrences) return occurrences.error().At(Format("key '{}'", key));
    line->flags[flag->name] = *std::move(occurrences);
  }
  return OkStatus();
}

Status MergeConfigFile(const std::vector<Flag>& flags, const std::string& path, CommandLine* line) {
  const auto text = ReadAllFrom(path, kMaxConfigBytes);
  if (!text) return InvalidArgument(text.error().At("--config").message());
  const auto config = ParseYaml(*text);
  if (!config) return InvalidArgument(config.error().At(path).message());
  return MergeConfig(flags, *config, line).At(path);
}

Status ApplyFlags(const std::vector<Flag>& flags, const CommandLine& line) {
  for (const Flag& flag : flags) {
    const auto found = line.flags.find(flag.name);
    if (found == line.flags.end()) continue;
    for (const std::string& text : found->second) {
      NEMO_RETURN_IF_ERROR(flag.set(text).At("--" + flag.name));
    }
  }
  return OkStatus();
}

}  // namespace nemo
