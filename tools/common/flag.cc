#include "tools/common/flag.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include "libcore/base/format.h"
#include "tools/common/suggest.h"

namespace nemo {
namespace {

std::string RangeText(int64_t min, int64_t max) {
  if (max == std::numeric_limits<int64_t>::max()) return Format("a whole number from {}", min);
  return Format("a whole number from {} to {}", min, max);
}

}  // namespace

std::vector<std::string> LongSpellings(const Flag& flag) {
  std::vector<std::string> spellings;
  auto add = [&](std::string spelling) {
    if (std::find(spellings.begin(), spellings.end(), spelling) == spellings.end()) {
      spellings.push_back(std::move(spelling));
    }
  };
  auto add_both = [&](const std::string& name) {
    add(name);
    std::string underscored = name;
    std::replace(underscored.begin(), underscored.end(), '-', '_');
    add(std::move(underscored));
  };
  add_both(flag.name);
  for (const std::string& alias : flag.aliases) add_both(alias);
  return spellings;
}

Result<int64_t> ParseInt(std::string_view text, int64_t min, int64_t max) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return InvalidArgument(Format("'{}' is not {}", text, RangeText(min, max)));
  }
  return value;
}

Result<int64_t> ParseBytes(std::string_view text, int64_t min) {
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"", 1},
      {"b", 1},
      {"kb", 1000},
      {"mb", 1'000'000},
      {"gb", 1'000'000'000},
      {"tb", 1'000'000'000'000},
      {"kib", int64_t{1} << 10},
      {"mib", int64_t{1} << 20},
      {"gib", int64_t{1} << 30},
      {"tib", int64_t{1} << 40},
  };
  int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  std::string unit(rest, end);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto it = std::find_if(std::begin(kUnits), std::end(kUnits),
                               [&](const auto& known) { return known.first == unit; });
  if (error != std::errc() || it == std::end(kUnits) || count < 0 ||
      count > std::numeric_limits<int64_t>::max() / it->second || count * it->second < min) {
    return InvalidArgument(
        Format("'{}' is not a number of bytes from {}, such as 5GB or 512MiB", text, min));
  }
  return count * it->second;
}

Result<double> ParseDouble(std::string_view text, double min, double max) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= min && value <= max)) {
    if (std::isinf(max)) return InvalidArgument(Format("'{}' is not a number from {}", text, min));
    return InvalidArgument(Format("'{}' is not a number from {} to {}", text, min, max));
  }
  return value;
}

FlagSetter SetSwitch(bool* out) {
  return [out](const std::string& text) {
    if (text != "true" && text != "false") {
      return InvalidArgument(Format("'{}' is neither true nor false", text));
    }
    *out = text == "true";
    return OkStatus();
  };
}

FlagSetter CountSwitch(int* out) {
  return [out](const std::string& text) {
    bool on = false;
    NEMO_RETURN_IF_ERROR(SetSwitch(&on)(text));
    *out = on ? *out + 1 : 0;
    return OkStatus();
  };
}

FlagSetter SetText(std::string* out) {
  return [out](const std::string& text) {
    *out = text;
    return OkStatus();
  };
}

FlagSetter AppendText(std::vector<std::string>* out) {
  return [out](const std::string& text) {
    out->push_back(text);
    return OkStatus();
  };
}

FlagSetter SetInt(int64_t* out, int64_t min, int64_t max) {
  return [=](const std::string& text) {
    NEMO_ASSIGN_OR_RETURN(*out, ParseInt(text, min, max));
    return OkStatus();
  };
}

FlagSetter SetBytes(int64_t* out, int64_t min) {
  return [=](const std::string& text) {
    NEMO_ASSIGN_OR_RETURN(*out, ParseBytes(text, min));
    return OkStatus();
  };
}

FlagSetter SetDouble(double* out, double min, double max) {
  return [=](const std::string& text) {
    NEMO_ASSIGN_OR_RETURN(*out, ParseDouble(text, min, max));
    return OkStatus();
  };
}

FlagSetter SetIntList(std::vector<int64_t>* out) {
  return [out](const std::string& text) {
    std::vector<int64_t> values;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t comma = std::min(text.find(',', begin), text.size());
      auto value = ParseInt(std::string_view(text).substr(begin, comma - begin), 0,
                            std::numeric_limits<int64_t>::max());
      if (!value) {
        return InvalidArgument(
            Format("'{}' is not a list of whole numbers with commas between", text));
      }
      values.push_back(*value);
      begin = comma + 1;
    }
    *out = std::move(values);
    return OkStatus();
  };
}

FlagSetter SetChoice(std::string* out, std::vector<std::string> choices) {
  return [out, choices = std::move(choices)](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      return InvalidArgument(Format("'{}' is not one of {}{}", text, fmt::join(choices, ", "),
                                    DidYouMean(text, choices)));
    }
    *out = text;
    return OkStatus();
  };
}

}  // namespace nemo
