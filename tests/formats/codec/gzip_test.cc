#include "formats/codec/gzip.h"

#include <cstdlib>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "tests/testing.h"

namespace nemo {
namespace {

/// Runs, small alphabets and noise, so that all kinds of deflate blocks appear.
std::string SomeText(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    const auto kind = random() % 3;
    const auto length = kind == 0 ? random() % 400 : random() % 100'000;
    const unsigned alphabet = kind == 0 ? 1 : kind == 1 ? 19 : 256;
    const unsigned first = static_cast<unsigned>(random());
    for (unsigned i = 0; i < length; ++i) text += static_cast<char>(first + random() % alphabet);
  }
  text.resize(size);
  return text;
}

/// One gzip member, made by the gzip program.
std::string Gzip(const std::string& text, int level = 6) {
  const testing::TempDir folder;
  testing::WriteFileOrDie(folder / "text", text);
  const std::string command =
      Format("gzip -n -{} -c < '{}' > '{}'", level, folder / "text", folder / "text.gz");
  EXPECT_EQ(std::system(command.c_str()), 0) << "no gzip to make a file with";
  return testing::ReadFileOrDie(folder / "text.gz");
}

std::string ReadRange(const RandomAccessFile& file, int64_t offset, size_t size) {
  std::string out(size, '?');
  const Status status = file.ReadAt(offset, std::as_writable_bytes(std::span(out)));
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

TEST(Gzip, RandomReadsEqualTheText) {
  const std::string text = SomeText(3'500'000, 1);
  for (const int level : {1, 9}) {
    auto file = OpenGzip(testing::MemoryFile("a.gz", Gzip(text, level)));
    ASSERT_TRUE(file) << file.error().message();
    ASSERT_EQ((*file)->size_bytes(), static_cast<int64_t>(text.size()));
    std::mt19937 random(2);
    for (int i = 0; i < 30; ++i) {
      const size_t offset = random() % text.size();
      const size_t size = std::min<size_t>(random() % 300'000, text.size() - offset);
      EXPECT_EQ(ReadRange(**file, static_cast<int64_t>(offset), size), text.substr(offset, size));
    }
  }
}

TEST(Gzip, ThreadsReadAtOnce) {
  const std::string text = SomeText(4'000'000, 3);
  auto file = OpenGzip(testing::MemoryFile("a.gz", Gzip(text)));
  ASSERT_TRUE(file) << file.error().message();
  const Status status = ParallelFor(4, 40, [&](int64_t i) {
    std::string out(100'000, '?');
    NEMO_RETURN_IF_ERROR((*file)->ReadAt(i * 100'000, std::as_writable_bytes(std::span(out))));
    if (out == text.substr(static_cast<size_t>(i) * 100'000, 100'000)) return OkStatus();
    return Corruption("other bytes");
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(Gzip, MembersInARowAreOneFile) {
  const std::string a = SomeText(1'500'000, 4), b = SomeText(100, 5), c = SomeText(1'700'000, 6);
  auto file =
      OpenGzip(testing::MemoryFile("a.gz", Gzip(a) + Gzip("") + Gzip(b) + std::string(5, '\0') +
                                               Gzip(c) + std::string(700, '\0')));
  ASSERT_TRUE(file) << file.error().message();
  const std::string all = a + b + c;
  ASSERT_EQ((*file)->size_bytes(), static_cast<int64_t>(all.size()));
  // From the last place to the first, so that each read begins at a restart point before a
  // boundary.
  for (const size_t offset : {a.size() + 50, a.size() - 10, size_t{0}}) {
    EXPECT_EQ(ReadRange(**file, static_cast<int64_t>(offset), all.size() - offset),
              all.substr(offset));
  }
}

TEST(Gzip, AnEmptyFileIsEmpty) {
  auto file = OpenGzip(testing::MemoryFile("a.gz", Gzip("")));
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ((*file)->size_bytes(), 0);
  EXPECT_EQ(ReadRange(**file, 0, 0), "");
}

TEST(Gzip, ReadsPastTheEndAreCorruption) {
  auto file = OpenGzip(testing::MemoryFile("a.gz", Gzip("four")));
  ASSERT_TRUE(file) << file.error().message();
  std::byte out[3];
  EXPECT_EQ((*file)->ReadAt(2, out).code(), StatusCode::kCorruption);
  EXPECT_EQ((*file)->ReadAt(-1, out).code(), StatusCode::kCorruption);
}

TEST(Gzip, EveryTruncationIsRefused) {
  const std::string whole = Gzip(SomeText(3000, 7));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto file = OpenGzip(testing::MemoryFile("cut.gz", whole.substr(0, size)));
    ASSERT_FALSE(file) << size;
    EXPECT_EQ(file.error().code(), StatusCode::kCorruption);
    EXPECT_NE(file.error().message().find("cut.gz"), std::string::npos);
  }
}

TEST(Gzip, FlippedBitsOfDataAndTrailerNeverGiveOtherBytes) {
  const std::string text = SomeText(3000, 8);
  const std::string whole = Gzip(text);
  constexpr size_t kHeader = 10;  // its time stamp and system may be anything
  int refused = 0;
  for (size_t at = kHeader; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    const auto file = OpenGzip(testing::MemoryFile("flipped.gz", flipped));
    if (file) {  // a bit of the padding between two blocks
      EXPECT_EQ(ReadRange(**file, 0, text.size()), text) << at;
      continue;
    }
    EXPECT_EQ(file.error().code(), StatusCode::kCorruption);
    ++refused;
  }
  EXPECT_GT(refused, static_cast<int>(whole.size() - kHeader) * 9 / 10);
}

TEST(Gzip, BytesBehindTheEndAreRefused) {
  const auto file = OpenGzip(testing::MemoryFile("a.gz", Gzip("text") + "more"));
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message().find("behind the end"), std::string::npos);
}

}  // namespace
}  // namespace nemo
