#include "formats/nemo/yaml_lines.h"

#include <gtest/gtest.h>

namespace nemo {
namespace {

using Path = std::vector<std::string_view>;

TEST(YamlLines, OneScalarChangesAndEveryOtherByteStays) {
  const struct {
    const char* what;
    std::string before;
    Path path;
    std::string after;
  } kCases[] = {
      {"the first key", "tp: 2\npp: 1\n", {"tp"}, "tp: NEW\npp: 1\n"},
      {"no line feed at the end", "a: 1\ntp: 2", {"tp"}, "a: 1\ntp: NEW"},
      {"a comment behind", "tp: 2  # ranks\n", {"tp"}, "tp: NEW  # ranks\n"},
      {"carriage returns", "a: 1\r\ntp: 2\r\nb: 3\r\n", {"tp"}, "a: 1\r\ntp: NEW\r\nb: 3\r\n"},
      {"quotes", "tp: 'a b'\n", {"tp"}, "tp: NEW\n"},
      {"double quotes", "tp: \"2 # 3\" # x\n", {"tp"}, "tp: NEW # x\n"},
      {"blanks", "tp:    2   \n", {"tp"}, "tp:    NEW   \n"},
      {"a hash within", "tp: a#b\n", {"tp"}, "tp: NEW\n"},
      {"a longer key before", "tp_x: 1\nx_tp: 1\ntp: 2\n", {"tp"}, "tp_x: 1\nx_tp: 1\ntp: NEW\n"},
      {"a nested one of that name before",
       "a:\n  tp: 1\n# tp: 3\n\ntp: 2\n",
       {"tp"},
       "a:\n  tp: 1\n# tp: 3\n\ntp: NEW\n"},
      {"a nested one",
       "tp: 1\ntokenizer:\n  type: null\n  model: nemo:x\nmodel: 2\n",
       {"tokenizer", "model"},
       "tp: 1\ntokenizer:\n  type: null\n  model: NEW\nmodel: 2\n"},
      {"null", "tokenizer:\n  model: null\n", {"tokenizer", "model"}, "tokenizer:\n  model: NEW\n"},
      {"lists between", "l:\n- 1\n- tp: 3\ntp: 2\n", {"tp"}, "l:\n- 1\n- tp: 3\ntp: NEW\n"},
      {"a document's beginning", "---\ntp: 2\n", {"tp"}, "---\ntp: NEW\n"},
  };
  for (const auto& c : kCases) {
    const auto after = ReplaceScalar(c.before, c.path, "NEW");
    ASSERT_TRUE(after) << c.what;
    EXPECT_EQ(*after, c.after) << c.what;
  }
}

TEST(YamlLines, WhatIsNoScalarOnALineOfItsOwnIsLeft) {
  const struct {
    const char* what;
    std::string text;
    Path path;
  } kCases[] = {
      {"absent", "a: 1\n", {"tp"}},
      {"empty text", "", {"tp"}},
      {"only deeper", "a:\n  tp: 1\n", {"tp"}},
      {"a mapping", "tp:\n  a: 1\n", {"tp"}},
      {"nothing", "tp:\na: 1\n", {"tp"}},
      {"nothing but a comment", "tp: # two\n", {"tp"}},
      {"a block of text", "tp: |\n  2\n", {"tp"}},
      {"flow", "tp: {a: 1}\n", {"tp"}},
      {"an anchor", "tp: &x 2\n", {"tp"}},
      {"an alias", "tp: *x\n", {"tp"}},
      {"a quote that does not end there", "tp: 'a\n  b'\n", {"tp"}},
      {"a quote in quotes", "tp: 'it''s'\n", {"tp"}},
      {"no mapping above", "tokenizer: x\nmodel: 1\n", {"tokenizer", "model"}},
      {"a mapping that ends before",
       "tokenizer:\n  a: 1\nb:\n  model: 1\n",
       {"tokenizer", "model"}},
      {"flow above", "{tp: 2}\n", {"tp"}},
  };
  for (const auto& c : kCases) EXPECT_FALSE(ReplaceScalar(c.text, c.path, "NEW")) << c.what;
}

}  // namespace
}  // namespace nemo
