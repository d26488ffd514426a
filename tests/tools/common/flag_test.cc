#include "tools/common/flag.h"

#include <limits>

#include <gtest/gtest.h>

namespace nemo {
namespace {

TEST(ParseBytes, KnowsUnitsOf1000And1024) {
  const struct {
    const char* text;
    int64_t bytes;
  } kCases[] = {
      {"1", 1},
      {"17b", 17},
      {"5GB", 5'000'000'000},
      {"5gb", 5'000'000'000},
      {"100kB", 100'000},
      {"2MB", 2'000'000},
      {"1TB", 1'000'000'000'000},
      {"512MiB", int64_t{512} << 20},
      {"1KiB", 1024},
      {"3GiB", int64_t{3} << 30},
      {"8388607TiB", int64_t{8388607} << 40},
      {"9223372036854775807", std::numeric_limits<int64_t>::max()},
  };
  for (const auto& c : kCases) {
    const auto bytes = ParseBytes(c.text, 1);
    ASSERT_TRUE(bytes) << c.text;
    EXPECT_EQ(*bytes, c.bytes) << c.text;
  }
}

TEST(ParseBytes, RefusesWhatIsNoNumberOfBytes) {
  for (const char* text : {"", "GB", "5XB", "5 GB", "-5GB", "+5", "0", "1.5GB", "5GBs",
                           "8388608TiB", "9223372036854775808", "0x10"}) {
    EXPECT_EQ(ParseBytes(text, 1).error().code(), StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseBytes("999", 1000));
  EXPECT_EQ(ParseBytes("0", 0).value(), 0);
}

}  // namespace
}  // namespace nemo
