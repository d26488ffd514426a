#include "libcore/base/direct_io.h"

#include <cstring>
#include <fcntl.h>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

using testing::ReadFileOrDie;
using testing::TempDir;
using testing::WriteFileOrDie;

std::string RandomText(size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

DirectIo Open(const std::string& path, int flags) {
  Descriptor fd(::open(path.c_str(), flags, 0666));
  EXPECT_GE(fd.get(), 0) << path;
  return DirectIo(path, std::move(fd), flags);
}

/// Makes the kernel forget the file, so that reads have to ask the disk.
void Evict(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY));
  ASSERT_EQ(::fsync(fd.get()), 0);
  ASSERT_EQ(::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
}

constexpr int64_t kSize = 5'000'011;  // no multiple of anything
const int64_t kOffsets[] = {0, 1, 511, 512, 4095, 4096, 4097, 262144, 1'000'003};
const int64_t kLengths[] = {1, 4096, 262143, 262144, 262145, 2'097'152, 3'999'999};
const int64_t kPhases[] = {0, 1, 512, 4095};

TEST(DirectIo, ReadsTheSameBytesColdAndWarmFromAnyOffsetIntoAnyMemory) {
  TempDir dir;
  const std::string truth = RandomText(kSize, 1);
  WriteFileOrDie(dir / "file", truth);
  AlignedBuffer buffer;
  for (const bool cold : {true, false}) {
    for (const int64_t offset : kOffsets) {
      for (const int64_t length : kLengths) {
        for (const int64_t phase : kPhases) {
          if (offset + length > kSize) continue;
          if (cold) Evict(dir / "file");
          const DirectIo io = Open(dir / "file", O_RDONLY);
          const auto out = buffer.Get(length, phase);
          const Status status = io.ReadAt(offset, out);
          ASSERT_TRUE(status.ok()) << status.message();
          ASSERT_EQ(std::memcmp(out.data(), truth.data() + offset, out.size()), 0)
              << offset << " " << length << " " << phase;
        }
      }
    }
  }
}

TEST(DirectIo, ReadsUpToTheLastByteAndNoFurther) {
  TempDir dir;
  const std::string truth = RandomText(kSize, 2);
  WriteFileOrDie(dir / "file", truth);
  AlignedBuffer buffer;
  for (const int64_t phase : kPhases) {
    for (const int64_t length : {int64_t{100}, int64_t{1'000'000}}) {
      Evict(dir / "file");
      const DirectIo io = Open(dir / "file", O_RDONLY);
      const auto out = buffer.Get(length, phase);
      ASSERT_TRUE(io.ReadAt(kSize - length, out).ok());
      EXPECT_EQ(std::memcmp(out.data(), truth.data() + kSize - length, out.size()), 0);
      const Status status = io.ReadAt(kSize - length + 1, out);
      EXPECT_EQ(status.code(), StatusCode::kCorruption);
      EXPECT_NE(status.message().find("incomplete"), std::string::npos) << status.message();
    }
  }
}

TEST(DirectIo, WritesWhatItIsGivenAndLeavesNeighboursAlone) {
  TempDir dir;
  AlignedBuffer buffer;
  for (const int64_t offset : kOffsets) {
    for (const int64_t length : kLengths) {
      for (const int64_t phase : kPhases) {
        if (offset + length > kSize) continue;
        std::string wanted(kSize, 'n');
        WriteFileOrDie(dir / "file", wanted);
        const std::string data = RandomText(static_cast<size_t>(length), 3);
        const auto in = buffer.Get(length, phase);
        std::memcpy(in.data(), data.data(), data.size());
        const DirectIo io = Open(dir / "file", O_RDWR);
        ASSERT_TRUE(io.WriteAt(offset, in).ok());
        wanted.replace(static_cast<size_t>(offset), data.size(), data);
        ASSERT_TRUE(ReadFileOrDie(dir / "file") == wanted)
            << offset << " " << length << " " << phase;
        std::string back(data.size(), '\0');
        ASSERT_TRUE(io.ReadAt(offset, std::as_writable_bytes(std::span(back))).ok());
        ASSERT_TRUE(back == data);
      }
    }
  }
}

TEST(DirectIo, WorksWhereTheFileSystemHasNoSuchThing) {
  // Memory files refuse O_DIRECT or take it, by the kernel's version: the bytes are the same.
  Descriptor fd(::memfd_create("none", 0));
  ASSERT_GE(fd.get(), 0);
  const DirectIo io("memory", std::move(fd), O_RDWR);
  const std::string data = RandomText(1'000'000, 4);
  ASSERT_TRUE(io.WriteAt(77, std::as_bytes(std::span(data))).ok());
  std::string back(data.size(), '\0');
  ASSERT_TRUE(io.ReadAt(77, std::as_writable_bytes(std::span(back))).ok());
  EXPECT_TRUE(back == data);
}

}  // namespace
}  // namespace nemo
