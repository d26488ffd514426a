#include "formats/nemo/omegaconf.h"

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/yaml.h"

namespace nemo {
namespace {

Config Parse(const std::string& yaml, const std::string& base = "") {
  auto value = ParseYaml(yaml);
  NEMO_CHECK(value.has_value());
  return Config(std::move(value).value(), base);
}

constexpr const char* kYaml = R"(
a: 3
name: tiny
half: 0.5
no: null
list: [5, 6, {deep: 7}]
m:
  hidden: 64
  same: ${.hidden}
  up: ${..a}
  four: ${multiply:4, ${.hidden}}
  n:
    far: ${...a}
    near: ${..hidden}
abs: ${m.hidden}
chain: ${m.same}
text: run_${name}_${a}
typed: ${half}
nothing: ${no}
item: ${list[1]}
item_by_dot: ${list.2.deep}
through: ${alias.hidden}
alias: ${m}
pick: ${m.${which}}
which: hidden
product: ${multiply:1.5, 4}
ceiling: ${divide_ceil:${a}, 2}
floor: ${divide_floor:7,2}
selected: ${oc.select:missing, 9}
present: ${oc.select:m.hidden, 9}
quoted: ${oc.select:missing, 'a, b}'}
escaped: \${name}
escaped_backslash: \\${name}
plain: C:\dir\name
)";

TEST(OmegaConf, ResolvesWhatOmegaConfResolves) {
  const Config config = Parse(kYaml);
  const struct {
    const char* key;
    Value value;
  } cases[] = {
      {"abs", 64},
      {"m.same", 64},
      {"m.up", 3},
      {"m.four", 256},
      {"m.n.far", 3},
      {"m.n.near", 64},
      {"chain", 64},
      {"text", "run_tiny_3"},
      {"typed", 0.5},
      {"nothing", {}},
      {"item", 6},
      {"item_by_dot", 7},
      {"through", 64},
      {"alias.hidden", 64},
      {"pick", 64},
      {"product", 6.0},
      {"ceiling", 2},
      {"floor", 3},
      {"selected", 9},
      {"present", 64},
      {"quoted", "a, b}"},
      {"escaped", "${name}"},
      {"escaped_backslash", "\\tiny"},
      {"plain", "C:\\dir\\name"},
      {"absent", {}},
      {"m.absent", {}},
      {"a.below", {}},
  };
  for (const auto& c : cases) {
    const auto value = config.Get(c.key);
    ASSERT_TRUE(value) << c.key << ": " << value.error().message();
    EXPECT_EQ(*value, c.value) << c.key << " is " << ToJson(*value);
  }
}

TEST(OmegaConf, AbsoluteNamesBeginAtTheRootOrAtTheModel) {
  const std::string model = "hidden: 8\nffn: ${model.hidden}\nother: ${hidden}\n";
  EXPECT_EQ(*Parse(model).Get("ffn"), Value(8));  // a model's own config, cut out of the whole
  EXPECT_EQ(
      *Parse("model: {hidden: 8, ffn: '${model.hidden}', o: '${hidden}'}", "model").Get("ffn"),
      Value(8));
  EXPECT_EQ(*Parse("model: {hidden: 8, ffn: '${model.hidden}', o: '${hidden}'}", "model").Get("o"),
            Value(8));
}

TEST(OmegaConf, WhatCannotBeResolvedIsAnErrorOfThatFieldOnly) {
  const struct {
    const char* text;
    StatusCode code;
    const char* words;
  } cases[] = {
      {"${x}", StatusCode::kCorruption, "x"},  // itself
      {"${y.z}", StatusCode::kCorruption, "not there"},
      {"${a", StatusCode::kCorruption, "without its"},
      {"${.....a}", StatusCode::kCorruption, "above the top"},
      {"${oc.env:HOME}", StatusCode::kUnsupported, "oc.env"},
      {"${multiply:2}", StatusCode::kCorruption, "two numbers"},
      {"${multiply:a, b}", StatusCode::kCorruption, "two numbers"},
      {"${multiply:9223372036854775807, 2}", StatusCode::kCorruption, "64 bits"},
      {"${divide_floor:1, 0}", StatusCode::kCorruption, "quotient"},
  };
  for (const auto& c : cases) {
    const Config config = Parse(Format("a: 1\nx: '{}'\n", c.text));
    EXPECT_EQ(*config.Get("a"), Value(1));
    const auto value = config.Get("x");
    ASSERT_FALSE(value) << c.text;
    EXPECT_EQ(value.error().code(), c.code) << value.error().message();
    EXPECT_NE(value.error().message().find(c.words), std::string::npos) << value.error().message();
  }
}

TEST(OmegaConf, CyclesAndBombsEnd) {
  EXPECT_FALSE(Parse("a: ${b}\nb: ${c}\nc: ${a}\n").Get("a"));
  std::string product = "x0: 1\n", text = "t0: aaaaaaaaaaaaaaaa\n", nested;
  for (int i = 1; i < 60; ++i) {
    product += Format("x{}: ${{multiply:${{x{}}}, ${{x{}}}}}\n", i, i - 1, i - 1);
    text += Format("t{}: ${{t{}}}${{t{}}}\n", i, i - 1, i - 1);
  }
  for (int i = 0; i < 5000; ++i) nested += "${";
  EXPECT_FALSE(Parse(product).Get("x59"));
  EXPECT_FALSE(Parse(text).Get("t59"));
  EXPECT_FALSE(Parse("n: '" + nested + std::string(5000, '}') + "'").Get("n"));
}

TEST(OmegaConf, TypedLookupsSayWhatTheyFound) {
  const Config config = Parse("i: 3\nd: 2.0\nf: 2.5\nb: true\ns: many\nn: null\n");
  EXPECT_EQ(*config.GetInt("i", 0), 3);
  EXPECT_EQ(*config.GetInt("d", 0), 2);
  EXPECT_EQ(*config.GetInt("n", 7), 7);
  EXPECT_EQ(*config.GetInt("absent", 7), 7);
  EXPECT_EQ(*config.GetDouble("i", 0), 3.0);
  EXPECT_EQ(*config.GetBool("b", false), true);
  EXPECT_EQ(*config.GetString("s", ""), "many");
  EXPECT_EQ(config.GetInt("s", 0).error().message(), "s is 'many', expected an integer");
  EXPECT_EQ(config.GetInt("f", 0).error().message(), "f is 2.5, expected an integer");
  EXPECT_EQ(config.GetBool("i", false).error().message(), "i is 3, expected true or false");
  EXPECT_FALSE(config.GetDouble("s", 0));
  EXPECT_FALSE(config.GetString("i", ""));
}

}  // namespace
}  // namespace nemo
