// Python's ways with text, random numbers and regular expressions; what was seen in CPython 3.11.
#include <gtest/gtest.h>

#include "libcore/eval/number_words.h"
#include "libcore/eval/python_random.h"
#include "libcore/eval/python_text.h"
#include "libcore/eval/regex.h"

namespace nemo::eval {
namespace {

TEST(PythonRandom, SamplesAsPythonDoes) {
  // [Random(1234).sample(range(n), k)] twice in a row: pool and set method.
  PythonRandom small(1234);
  EXPECT_EQ(small.Sample(8, 8), (std::vector<int64_t>{7, 0, 6, 5, 4, 2, 3, 1}));
  EXPECT_EQ(small.Sample(8, 8), (std::vector<int64_t>{5, 1, 0, 7, 4, 6, 2, 3}));
  PythonRandom large(1234);
  EXPECT_EQ(large.Sample(39905, 10),
            (std::vector<int64_t>{28883, 7657, 490, 5940, 38156, 2288, 5500, 6450, 23241, 15519}));
  EXPECT_EQ(large.Sample(39905, 10),
            (std::vector<int64_t>{1142, 2019, 1038, 22681, 31735, 30379, 9735, 5982, 11999, 7498}));
  PythonRandom edge(1234);
  EXPECT_EQ(edge.Sample(85, 6), (std::vector<int64_t>{56, 14, 0, 11, 74, 4}));
  EXPECT_EQ(edge.Sample(86, 6), (std::vector<int64_t>{85, 10, 12, 45, 30, 2}));
}

TEST(PythonText, StripsUnicodeBlanks) {
  EXPECT_EQ(Strip(" \t\n\u00a0\u3000a b\u2028\x1f "), "a b");
  EXPECT_EQ(Strip("\u200b"), "\u200b");  // not a blank to Python
  EXPECT_EQ(StripRight(" a \n"), " a");
  EXPECT_EQ(SplitBlanks(" a\u3000bc  d").size(), 3u);
}

TEST(PythonText, CapitalizeLowersTheRest) {
  EXPECT_EQ(Capitalize("he SAW Anna"), "He saw anna");
  EXPECT_EQ(Capitalize("\u00e9LAN \u00c9t\u00c9"), "\u00c9lan \u00e9t\u00e9");
  EXPECT_EQ(Capitalize(""), "");
}

TEST(PythonText, DropsCharactersNotBytes) {
  EXPECT_EQ(DropCharacters("\u554f\u984cab", 2), "ab");
  EXPECT_EQ(DropCharacters("ab", 5), "");
  EXPECT_EQ(DeleteAsciiPunctuation("1,000.5!\u3002"), "10005\u3002");
  EXPECT_EQ(ReplaceEvery("a   b", "  ", " "), "a  b");
}

std::vector<std::string> All(std::string_view pattern, std::string_view text) {
  std::vector<std::string> found;
  for (const Regex::Match& match : *Regex::Compile(pattern)->FindAll(text)) {
    found.push_back(match.groups[0]);
  }
  return found;
}

TEST(Regex, WalksAsFindallDoes) {
  using Found = std::vector<std::string>;
  EXPECT_EQ(All("a*", "baac"), (Found{"", "aa", "", ""}));
  EXPECT_EQ(All("(?<=is )(.*)(?=.)", "it is five."), (Found{"five"}));
  EXPECT_EQ(All("\\bé\\w", "éa bé"), (Found{"éa"}));
  EXPECT_EQ(All("x$", "x\nx\n"), (Found{"x"}));
  EXPECT_EQ(*Regex::Compile("\\.$")->Remove("5."), "5");
}

TEST(Regex, RefusesWhatIsNone) {
  const auto regex = Regex::Compile("(a");
  ASSERT_FALSE(regex);
  EXPECT_EQ(regex.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(regex.error().message().find("at byte 2"), std::string::npos);
  EXPECT_FALSE(Regex::Compile("a")->FindAll("\xff"));
}

TEST(Regex, GivesUpOnAPatternThatNeverEnds) {
  const auto found = Regex::Compile("(a+)+[bc]")->FindAll(std::string(200, 'a'));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), StatusCode::kInvalidArgument);
}

TEST(NumberWords, AreFoundAsTheHarnessFindsThem) {
  const auto first = [](std::string_view text) { return *NumberInWords(text, false); };
  EXPECT_EQ(first("there are one hundred and five cows"), "105");
  EXPECT_EQ(first("two thousand, three hundred twenty-one"), "2320");  // the hyphen ends it
  EXPECT_EQ(first("three of ten"), "3");
  EXPECT_EQ(*NumberInWords("three of ten", true), "10");
  EXPECT_EQ(first("often"), "10");  // it knows no word boundaries,
  EXPECT_EQ(first("seven"), "");    // and no six to nine on their own
  EXPECT_EQ(first("nobody"), "");
  std::string endless;
  for (int i = 0; i < 1000; ++i) endless += "five hundred trillion ";
  EXPECT_FALSE(first(endless).empty());
}

}  // namespace
}  // namespace nemo::eval
