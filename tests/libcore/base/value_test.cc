#include "libcore/base/value.h"

#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/yaml.h"

namespace nemo {
namespace {

TEST(Json, KeepsKeyOrderAndNumberKinds) {
  const auto value =
      ParseJson(R"({"b": 1, "a": [2.5, null, true, "x"], "big": 9223372036854775807})");
  ASSERT_TRUE(value) << value.error().message();
  EXPECT_EQ(ToJson(*value), R"({"b":1,"a":[2.5,null,true,"x"],"big":9223372036854775807})");
}

TEST(Json, RefusesWhatIsNotOneDocument) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":1} x", "{\"a\":1,\"a\":2}", "nul", "\"\xff\"", "'a'", "[1"}) {
    EXPECT_EQ(ParseJson(text).error().code(), StatusCode::kCorruption) << text;
  }
  EXPECT_EQ(ParseJson(std::string(100000, '[')).error().code(), StatusCode::kCorruption);
}

TEST(Json, IsSpelledInAsciiAsPythonDoes) {
  Value value;
  value.Set("k", Value::Array{"a\"\\/\n\x11\x7f", "\u00e9\u65e5\U0001f600", 1.0, 1e-05, -0.5, 1,
                              true, Value()});
  // json.dumps(..., separators=(",", ":")) of Python 3.11
  EXPECT_EQ(ToAsciiJson(value),
            "{\"k\":[\"a\\\"\\\\/"
            "\\n\\u0011\\u007f\",\"\\u00e9\\u65e5\\ud83d\\ude00\",1.0,1e-05,-0.5,1,true,"
            "null]}");
}

TEST(Json, NumbersAreSpelledAsPythonDoes) {
  const std::pair<double, const char*> cases[] = {
      {0, "0.0"},
      {-0.0, "-0.0"},
      {1, "1.0"},
      {-0.5, "-0.5"},
      {0.1, "0.1"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {1.5e-7, "1.5e-07"},
      {1e15, "1000000000000000.0"},
      {1e16, "1e+16"},
      {123456789.25, "123456789.25"},
      {static_cast<double>(-2.3456789f), "-2.3456788063049316"},
      {1e300, "1e+300"},
      {-1.0 / 0.0, "null"}};
  for (const auto& [number, spelling] : cases) {
    std::string text;
    AppendJsonNumber(number, &text);
    EXPECT_EQ(text, spelling);
  }
}

TEST(Json, TypedMembersSayWhatIsWrong) {
  const Value value = *ParseJson(R"({"n": "many", "list": [1, "x"]})");
  EXPECT_EQ(value.GetInt("n").error().message(), "'n' is 'many', expected an integer");
  EXPECT_EQ(value.GetInt("m").error().code(), StatusCode::kNotFound);
  EXPECT_EQ(value.GetIntList("list").error().code(), StatusCode::kCorruption);
}

struct Scalar {
  const char* text;
  Value value;
};

TEST(Yaml, ReadsScalarsAsPyYamlDoes) {
  const Scalar cases[] = {{"1", Value(1)},
                          {"-7", Value(-7)},
                          {"1.0e-05", Value(1e-5)},
                          {"1e-5", Value(1e-5)},
                          {"true", Value(true)},
                          {"no", Value(false)},
                          {"null", Value()},
                          {"~", Value()},
                          {"", Value()},
                          {"'1'", Value("1")},
                          {"\"true\"", Value("true")},
                          {"bf16-mixed", Value("bf16-mixed")},
                          {"98,1,1", Value("98,1,1")},
                          {"nan", Value("nan")},
                          {"nemo:abc_x.model", Value("nemo:abc_x.model")}};
  for (const Scalar& c : cases) {
    const auto value = ParseYaml(Format("key: {}\n", c.text));
    ASSERT_TRUE(value) << c.text << ": " << value.error().message();
    EXPECT_EQ(*value->Find("key"), c.value) << c.text;
  }
}

TEST(Yaml, RefusesBombsDepthAndNonsense) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += Format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) bomb += Format("{}*a{}", j == 0 ? "" : ",", i - 1);
    bomb += "]\n";
  }
  std::string repeated = "a: &a " + std::string(10'000, 'x') + "\nb: [*a";
  for (int i = 0; i < 5000; ++i) repeated += ",*a";
  repeated += "]\n";
  const std::string deep = "x: " + std::string(100000, '[') + std::string(100000, ']');
  for (const std::string& text :
       {bomb, repeated, deep, std::string("num_layers: [1, 2\nhidden: }{\n"),
        std::string("a: 1\na: 2\n"), std::string("? [a]\n: 1\n")}) {
    EXPECT_EQ(ParseYaml(text).error().code(), StatusCode::kCorruption) << text.substr(0, 40);
  }
}

}  // namespace
}  // namespace nemo
