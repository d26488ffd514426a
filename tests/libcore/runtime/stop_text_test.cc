#include "libcore/runtime/stop_text.h"

#include <string>

#include <gtest/gtest.h>

namespace nemo {
namespace {

/// How many bytes of `text`, given `part_size` at a time, are taken until a string is found; -1: it
/// is not.
int FoundAfter(StopText stop, const std::string& text, size_t part_size) {
  for (size_t at = 0; at < text.size(); at += part_size) {
    const std::string part = text.substr(at, part_size);
    if (stop.Add(part)) return static_cast<int>(at + part.size());
  }
  return -1;
}

TEST(StopText, FindsStringsHoweverTheTextIsCut) {
  for (size_t part_size = 1; part_size < 12; ++part_size) {
    SCOPED_TRACE(part_size);
    const auto after = [&](const std::string& text, const std::vector<std::string>& stops) {
      const int end = FoundAfter(StopText(stops), text, part_size);
      return end < 0 ? -1 : (end - 1) / static_cast<int>(part_size);  // the part it ends in
    };
    const auto part_of = [&](int byte) { return byte / static_cast<int>(part_size); };
    EXPECT_EQ(after("to be or not", {"or"}), part_of(7));
    EXPECT_EQ(after("to be or not", {"not", " or "}), part_of(8));
    EXPECT_EQ(after("aaab", {"aab"}), part_of(3));
    EXPECT_EQ(after("one\n\ntwo", {"\n\n"}), part_of(4));
    EXPECT_EQ(after("to be", {"to be or"}), -1);
    EXPECT_EQ(after("to be", {}), -1);
  }
}

TEST(StopText, DoesNotGoOnFromTextThatIsLongGone) {
  StopText stop({"abc"});
  EXPECT_FALSE(stop.Add("ab"));
  EXPECT_FALSE(stop.Add("d"));
  EXPECT_FALSE(stop.Add("c"));
  EXPECT_FALSE(stop.Add(""));
  EXPECT_FALSE(stop.Add("ab"));
  EXPECT_TRUE(stop.Add("c"));
}

}  // namespace
}  // namespace nemo
