#include "formats/codec/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>

#include "libcore/base/thread_pool.h"
#include "tests/testing.h"

namespace nemo {
namespace {

/// Text that compresses about threefold, with runs and noise, so that all kinds of deflate blocks appear.
std::string SomeText(size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    const auto run = random() % 400;
    if (random() % 3 == 0) {
      text.append(run, static_cast<char>(random()));
    } else {
      for (unsigned i = 0; i < run; ++i) text += static_cast<char>(random() % 19);
    }
  }
  text.resize(size);
  return text;
}

/// One gzip member, made by zlib.
std::string Gzip(const std::string& text, int level = 6) {
  z_stream z = {};
  EXPECT_EQ(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&z, text.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return out;
}

std::string ReadRange(const RandomAccessFile& file, int64_t offset, size_t size) {
  std::string out(size, '?');
  const Status status = file.ReadAt(offset, std::as_writable_bytes(std::span(out)));
  EXPECT_TRUE(status.ok()) << status.message();
  return out;
}

TEST(Gzip, RandomReadsEqualTheText) {
  const std::string text = SomeText(9'000'000, 1);
  for (const int level : {0, 1, 9}) {
    auto file = OpenGzip(testing::MemoryFile("a.gz", Gzip(text, level)));
    ASSERT_TRUE(file) << file.error().message();
    ASSERT_EQ((*file)->size_bytes(), static_cast<int64_t>(text.size()));
    std::mt19937 random(2);
    for (int i = 0; i < 60; ++i) {
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
  auto file = OpenGzip(testing::MemoryFile(
      "a.gz", Gzip(a) + Gzip("") + Gzip(b) + std::string(5, '\0') + Gzip(c) + std::string(700, '\0')));
  ASSERT_TRUE(file) << file.error().message();
  const std::string all = a + b + c;
  ASSERT_EQ((*file)->size_bytes(), static_cast<int64_t>(all.size()));
  // From the last place to the first, so that each read begins at a restart point before a boundary.
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

TEST(Gzip, FlippedBytesOfDataAndTrailerAreRefused) {
  const std::string whole = Gzip(SomeText(3000, 8));
  constexpr size_t kHeader = 10;  // its time stamp and system may be anything
  for (size_t at = kHeader; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    const auto file = OpenGzip(testing::MemoryFile("flipped.gz", flipped));
    ASSERT_FALSE(file) << at;
    EXPECT_EQ(file.error().code(), StatusCode::kCorruption);
  }
}

TEST(Gzip, BytesBehindTheEndAreRefused) {
  const auto file = OpenGzip(testing::MemoryFile("a.gz", Gzip("text") + "more"));
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message().find("behind the end"), std::string::npos);
}

}  // namespace
}  // namespace nemo
