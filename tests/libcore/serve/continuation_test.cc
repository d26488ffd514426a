#include "libcore/serve/continuation.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace nemo {
namespace {

struct Row {
  std::vector<std::string> stops, pieces;
  std::vector<std::string> sent;  ///< after each piece, and at the end
  bool stopped;
};

TEST(Continuation, HoldsBackWhatMayBecomeAStop) {
  const Row rows[] = {
      {{}, {"ab", "c"}, {"ab", "c", ""}, false},
      {{"\n\n"}, {"a", "\n", "b", "\n", "\n", "c"}, {"a", "", "\nb", "", "", "", ""}, true},
      {{"\n\n"}, {"a", "\n"}, {"a", "", "\n"}, false},
      {{"STOP"}, {"xST", "OPy"}, {"x", "", ""}, true},
      {{"STOP"}, {"xST", "OX"}, {"x", "STOX", ""}, false},
      {{"aab"}, {"aa", "a", "b"}, {"", "a", "", ""}, true},
      {{"late", "la"}, {"xlate"}, {"x", ""}, true},
      {{"bc", "abcd"}, {"xab", "cd"}, {"x", "", ""}, true},
      {{"\u00e9"}, {"caf", "\u00e9", "s"}, {"caf", "", "", ""}, true},
  };
  for (const Row& row : rows) {
    Continuation continuation(row.stops);
    std::vector<std::string> sent;
    for (const std::string& piece : row.pieces) {
      continuation.Add(piece, {});
      sent.push_back(continuation.Take().text);
    }
    continuation.Finish();
    sent.push_back(continuation.Take().text);
    EXPECT_EQ(sent, row.sent) << row.pieces[0];
    EXPECT_EQ(continuation.stopped(), row.stopped) << row.pieces[0];
  }
}

TEST(Continuation, TokensGoWithTheirTextAndNotBehindTheCut) {
  Continuation continuation({"##"});
  continuation.Add("one", {.id = 1});
  continuation.Add("", {.id = 2});  // a byte of a character, say
  continuation.Add("\u00e9#", {.id = 3});
  continuation.Add("#three", {.id = 4});
  continuation.Add("four", {.id = 5});
  continuation.Finish();
  const Continuation::Part part = continuation.Take();
  EXPECT_EQ(part.text, "one\u00e9");
  ASSERT_EQ(part.tokens.size(), 3u);
  EXPECT_EQ(part.tokens[0].text_begin, 0);
  EXPECT_EQ(part.tokens[1].text_begin, 3);
  EXPECT_EQ(part.tokens[2].id, 3);
}

/// As soon as the text has a stop, it ends before the first that it has then.
TEST(Continuation, EndsBeforeTheFirstStopThatIsComplete) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const auto text_of = [&](size_t size) {
      std::string text;
      while (text.size() < size) text += static_cast<char>('a' + random() % 2);
      return text;
    };
    const std::string text = text_of(random() % 24);
    std::vector<std::string> stops;
    for (size_t i = random() % 3; i > 0; --i) stops.push_back(text_of(1 + random() % 5));
    Continuation continuation(stops);
    std::string sent, received;
    size_t cut = std::string::npos;
    while (received.size() < text.size() && cut == std::string::npos) {
      const std::string piece = text.substr(received.size(), 1 + random() % 4);
      received += piece;
      for (const std::string& stop : stops) cut = std::min(cut, received.find(stop));
      continuation.Add(piece, {});
      sent += continuation.Take().text;
      ASSERT_TRUE(received.substr(0, cut).starts_with(sent)) << text;
    }
    continuation.Finish();
    sent += continuation.Take().text;
    ASSERT_EQ(sent, received.substr(0, cut)) << text;
    ASSERT_EQ(continuation.stopped(), cut != std::string::npos);
  }
}

}  // namespace
}  // namespace nemo
