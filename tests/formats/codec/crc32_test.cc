#include "formats/codec/crc32.h"

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/testing.h"

namespace nemo {
namespace {

uint32_t Sum(std::string_view text, uint32_t before = 0) {
  return Crc32(std::as_bytes(std::span(text)), before);
}

std::string Noise(size_t size) {
  std::mt19937 random(3);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// What the gzip program writes behind its data.
uint32_t GzipSum(const std::string& text) {
  const testing::TempDir folder;
  testing::WriteFileOrDie(folder / "text", text);
  const std::string command =
      Format("gzip -n -1 -c < '{}' > '{}'", folder / "text", folder / "text.gz");
  EXPECT_EQ(std::system(command.c_str()), 0) << "no gzip to ask";
  const std::string packed = testing::ReadFileOrDie(folder / "text.gz");
  uint32_t sum = 0;
  std::memcpy(&sum, packed.data() + packed.size() - 8, sizeof sum);
  return sum;
}

TEST(Crc32, IsTheSumOfTheStandardAndOfGzip) {
  EXPECT_EQ(Sum(""), 0u);
  EXPECT_EQ(Sum("123456789"), 0xcbf43926u);  // the check value of its published definition
  for (const size_t size : {1, 15, 64, 1000, 100'003}) {
    const std::string text = Noise(size);
    EXPECT_EQ(Sum(text), GzipSum(text)) << size;
  }
}

TEST(Crc32, GoesOnBehindBytesThatWereSummedBefore) {
  const std::string text = Noise(5000);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{17}, size_t{4096}, text.size()}) {
    EXPECT_EQ(Sum(text.substr(cut), Sum(text.substr(0, cut))), Sum(text)) << cut;
  }
  EXPECT_EQ(Crc32({}, 77), 77u);
}

TEST(Crc32, PartsSummedApartCombineToTheSumOfTheWhole) {
  const std::string text = Noise(300'000);
  for (const size_t cut : {size_t{0}, size_t{1}, size_t{4097}, size_t{299'999}, text.size()}) {
    const std::string front = text.substr(0, cut), back = text.substr(cut);
    EXPECT_EQ(Crc32Combine(Sum(front), Sum(back), static_cast<int64_t>(back.size())), Sum(text))
        << cut;
  }
  // Five zeros behind 8 GiB of zeros, and the reverse: sizes beyond 32 bits.
  constexpr int64_t kMany = int64_t{8} << 30;
  uint32_t many = Sum(std::string(size_t{1} << 20, '\0'));
  for (int64_t size = int64_t{1} << 20; size < kMany; size *= 2) {
    many = Crc32Combine(many, many, size);
  }
  const uint32_t few = Sum(std::string(5, '\0'));
  EXPECT_EQ(Crc32Combine(many, few, 5), Sum(std::string(5, '\0'), many));
  EXPECT_EQ(Crc32Combine(few, many, kMany), Crc32Combine(many, few, 5));
}

}  // namespace
}  // namespace nemo
