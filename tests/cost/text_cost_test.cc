// JSON and YAML made to hurt.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/yaml.h"
#include "tests/cost/cost.h"

namespace nemo {
namespace {

using testing::CostLimits;
using testing::ExpectCost;

std::string Times(size_t count, const std::string& text) {
  std::string out;
  out.reserve(count * text.size());
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// text(0) ... text(count - 1).
template <typename Text>
std::string Join(size_t count, const Text& text) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text(i);
  return out;
}

struct TextCase {
  const char* what;
  std::string text;
};

TEST(Cost, JsonIsLinear) {
  const CostLimits limits{.bytes_held = 256, .bytes_allocated = 1024};
  const TextCase cases[] = {
      {"JSON: a list of small values", "[" + Times(500'000, "0,") + "0]"},
      {"JSON: empty lists", "[" + Times(300'000, "[],") + "0]"},
      {"JSON: lists in lists", Times(1'000'000, "[")},
      {"JSON: mappings in mappings", Times(300'000, "{\"a\":")},
      {"JSON: 200 levels many times",
       "[" + Times(3'000, Times(198, "[") + Times(198, "]") + ",") + "0]"},
      {"JSON: different keys",
       "{" + Join(200'000, [](size_t i) { return Format("\"{}\":0,", i); }) + "\"\":0}"},
      {"JSON: one key", "{" + Times(300'000, "\"a\":0,") + "\"a\":0}"},
      {"JSON: long keys that differ at the end",
       "{" +
           Join(2'000, [](size_t i) { return Format("\"{}{}\":0,", std::string(1000, 'k'), i); }) +
           "\"\":0}"},
      {"JSON: a number of a million digits", Times(1'000'000, "7")},
      {"JSON: a fraction of a million digits", "0." + Times(1'000'000, "7")},
      {"JSON: an exponent of a million digits", "1e" + Times(1'000'000, "7")},
      {"JSON: a small number of a million digits", "0." + Times(1'000'000, "0") + "1e1000000"},
      {"JSON: escapes", "\"" + Times(200'000, "\\u20ac") + "\""},
      {"JSON: a text without an end", "\"" + Times(1'000'000, "\\\\")},
      {"JSON: blanks", Times(2'000'000, " ")},
  };
  for (const TextCase& c : cases) {
    ExpectCost(c.what, c.text.size(), limits, [&] {
      const auto value = ParseJson(c.text);
      if (value) static_cast<void>(ToJson(*value));
    });
  }
}

TEST(Cost, YamlIsLinear) {
  const CostLimits limits{.bytes_held = 768, .bytes_allocated = 3072};
  const auto numbered = [](size_t count, const char* before, const char* behind) {
    return Join(count, [&](size_t i) { return Format("{}{}{}", before, i, behind); });
  };
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += Format("a{}: &a{} [", i, i) + Times(9, Format("*a{},", i - 1)) + "]\n";
  }
  const TextCase cases[] = {
      {"YAML: a list of nothing", "[" + Times(50'000, ":,") + "]"},
      {"YAML: a list of small values", "[" + Times(50'000, "0,") + "]"},
      {"YAML: a block of small values", Times(40'000, "- 0\n")},
      {"YAML: different keys", numbered(20'000, "k", ": 0\n")},
      {"YAML: different keys in one line", "{" + numbered(20'000, "k", ": 0,") + "}"},
      {"YAML: one key", Times(40'000, "k: 0\n")},
      {"YAML: lists in lists", Times(100'000, "[")},
      {"YAML: mappings in mappings", Times(100'000, "{a: ")},
      {"YAML: blocks in blocks", Times(100'000, "- ")},
      {"YAML: keys in keys", Times(100'000, "? ")},
      {"YAML: values of nothing", Times(100'000, ": ")},
      {"YAML: deeper lines", Join(400, [](size_t i) { return std::string(i, ' ') + "a:\n"; })},
      {"YAML: a billion laughs", bomb},
      {"YAML: anchors", numbered(20'000, "- &a", " x\n")},
      {"YAML: one anchor", Times(30'000, "- &a x\n")},
      {"YAML: aliases of one anchor", "a: &a x\nb: [" + Times(50'000, "*a,") + "]\n"},
      {"YAML: aliases of a long text",
       "a: &a " + Times(60'000, "x") + "\nb: [" + Times(30'000, "*a,") + "]\n"},
      {"YAML: an alias of what holds it", "&a [" + Times(50'000, "*a,") + "]"},
      {"YAML: merged mappings", "a: &a {x: 1}\n" + numbered(10'000, "k", ": {<<: *a}\n")},
      {"YAML: tags", Times(40'000, "- !t x\n")},
      {"YAML: directives", numbered(20'000, "%TAG !e", "! tag:x\n") + "--- x\n"},
      {"YAML: documents", Times(50'000, "---\n")},
      {"YAML: comments", Times(100'000, "#\n")},
      {"YAML: a text of many lines", "a:\n" + Times(100'000, " x\n")},
      {"YAML: a quoted text of many lines", "\"" + Times(100'000, "x\n") + "\""},
      {"YAML: escapes", "\"" + Times(50'000, "\\u20ac") + "\""},
      {"YAML: a folded text", "a: >\n" + Times(100'000, " x\n")},
      {"YAML: empty lines", "a: |\n" + Times(300'000, "\n")},
      {"YAML: blanks", Times(500'000, " ")},
      {"YAML: tabs", Times(300'000, "\t")},
      {"YAML: quotes", Times(200'000, "\"")},
      {"YAML: a number of many digits", Times(900'000, "7")},
      {"YAML: colons", Times(300'000, ":")},
      {"YAML: a long line of words", Times(300'000, "x ")},
      {"YAML: lines without a colon", Times(100'000, "x\n")},
      {"YAML: dashes", Times(300'000, "-")},
      {"YAML: above the limit", Times(2'000'000, "x")},
  };
  for (const TextCase& c : cases) {
    ExpectCost(c.what, c.text.size(), limits, [&] {
      const auto value = ParseYaml(c.text);
      if (value) static_cast<void>(ToJson(*value));
    });
  }
}

}  // namespace
}  // namespace nemo
