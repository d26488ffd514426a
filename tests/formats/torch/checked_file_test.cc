// Entries that prove themselves while they are read, whole or in parts.
#include "formats/torch/checked_file.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "formats/codec/crc32.h"
#include "tests/testing.h"

namespace nemo::torch {
namespace {

constexpr int64_t kSmall = 5000, kLarge = 3 * kProvedFirstBytes + 12345;

/// Counts the bytes that are read from it.
class CountingFile : public RandomAccessFile {
 public:
  explicit CountingFile(std::string bytes) : file_(testing::MemoryFile("x", std::move(bytes))) {}
  int64_t size_bytes() const override { return file_->size_bytes(); }
  const std::string& name() const override { return file_->name(); }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    read_bytes_ += static_cast<int64_t>(out.size());
    return file_->ReadAt(offset_bytes, out);
  }
  int64_t read_bytes() const { return read_bytes_; }

 private:
  std::shared_ptr<RandomAccessFile> file_;
  mutable std::atomic<int64_t> read_bytes_ = 0;
};

std::string Noise(int64_t size) {
  std::mt19937 random(5);
  std::string text(static_cast<size_t>(size), '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

/// An entry of `size` bytes inside a larger file; `flipped` of it (unless negative) is damaged.
struct Entry {
  explicit Entry(int64_t size, int64_t flipped = -1) : text(Noise(size)), damaged(flipped >= 0) {
    std::string stored = text;
    if (damaged) stored[static_cast<size_t>(flipped)] ^= 0x10;
    whole = std::make_shared<CountingFile>("front" + stored + "back");
    file = CheckedSlice(whole, 5, size, Crc32(std::as_bytes(std::span(text))), "x: entry");
  }

  Status Read(int64_t offset, int64_t size) const {
    std::string out(static_cast<size_t>(size), '?');
    NEMO_RETURN_IF_ERROR(file->ReadAt(offset, std::as_writable_bytes(std::span(out))));
    const auto at = static_cast<size_t>(offset);
    EXPECT_TRUE(damaged || text.compare(at, out.size(), out) == 0) << offset << " " << size;
    return OkStatus();
  }

  std::string text;
  bool damaged;
  std::shared_ptr<CountingFile> whole;
  std::shared_ptr<RandomAccessFile> file;
};

/// [0, size) in parts of odd sizes, shuffled.
std::vector<std::pair<int64_t, int64_t>> ShuffledParts(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::pair<int64_t, int64_t>> parts;
  for (int64_t at = 0; at < size;) {
    const int64_t length = std::min<int64_t>(size - at, 1 + random() % (size / 20 + 1));
    parts.emplace_back(at, length);
    at += length;
  }
  std::shuffle(parts.begin(), parts.end(), random);
  return parts;
}

void ExpectDamaged(const Status& status) {
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("x: entry: its checksum is wrong (CRC-32"), std::string::npos)
      << status.message();
}

TEST(CheckedFile, EachByteIsReadOnceInAnyOrder) {
  for (const int64_t size :
       {int64_t{0}, int64_t{1}, kSmall, kProvedFirstBytes, kProvedFirstBytes + 1, kLarge}) {
    for (unsigned seed = 0; seed < 3; ++seed) {
      const Entry entry(size);
      for (const auto& [at, length] : ShuffledParts(size, seed)) {
        ASSERT_TRUE(entry.Read(at, length).ok()) << size;
      }
      EXPECT_TRUE(entry.file->ProveReads().ok());
      EXPECT_EQ(entry.whole->read_bytes(), size);
    }
    const Entry entry(size);
    EXPECT_TRUE(entry.Read(0, size).ok());
    EXPECT_EQ(entry.whole->read_bytes(), size);
  }
}

TEST(CheckedFile, ASmallEntryIsProvedBeforeItsFirstByteIsHandedOut) {
  for (const int64_t size : {kSmall, kProvedFirstBytes}) {
    const Entry entry(size, size - 1);
    ExpectDamaged(entry.Read(0, 1));
    ExpectDamaged(entry.Read(7, 100));
    ExpectDamaged(entry.Read(0, size));
  }
}

TEST(CheckedFile, TheReadThatCompletesALargeEntryProvesIt) {
  for (const int64_t flipped : {int64_t{0}, kProvedFirstBytes, kLarge - 1}) {
    for (unsigned seed = 0; seed < 3; ++seed) {
      const Entry entry(kLarge, flipped);
      const auto parts = ShuffledParts(kLarge, seed);
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        ASSERT_TRUE(entry.Read(parts[i].first, parts[i].second).ok());
      }
      ExpectDamaged(entry.Read(parts.back().first, parts.back().second));
      EXPECT_EQ(entry.whole->read_bytes(), kLarge);
      ExpectDamaged(entry.Read(0, 1));
      ExpectDamaged(entry.file->ProveReads());
    }
    const Entry entry(kLarge, flipped);
    ExpectDamaged(entry.Read(0, kLarge));
  }
}

TEST(CheckedFile, ProvingReadsWhatIsMissingAndNothingElse) {
  const Entry damaged(kLarge, kLarge / 2);
  EXPECT_TRUE(damaged.file->ProveReads().ok()) << "nothing was read, nothing needs a proof";
  EXPECT_EQ(damaged.whole->read_bytes(), 0);
  ASSERT_TRUE(damaged.Read(100, 50).ok());
  ASSERT_TRUE(damaged.Read(kLarge - 3000, 3000).ok());
  ExpectDamaged(damaged.file->ProveReads());
  EXPECT_EQ(damaged.whole->read_bytes(), kLarge);

  const Entry intact(kLarge);
  ASSERT_TRUE(intact.Read(kLarge / 2, 1).ok());
  EXPECT_TRUE(intact.file->ProveReads().ok());
  EXPECT_EQ(intact.whole->read_bytes(), kLarge);
}

TEST(CheckedFile, OverlappingReadsCountOnce) {
  for (const int64_t flipped : {int64_t{-1}, kLarge / 3}) {
    const Entry entry(kLarge, flipped);
    std::mt19937_64 random(1);
    for (int i = 0; i < 40; ++i) {
      const auto at = static_cast<int64_t>(random() % (kLarge - 1000));
      const auto size = static_cast<int64_t>(random() % 1000);
      ASSERT_TRUE(entry.Read(at, size).ok());
      ASSERT_TRUE(entry.Read(at, size).ok());
    }
    const Status status = entry.Read(0, kLarge);
    if (entry.damaged) {
      ExpectDamaged(status);
    } else {
      EXPECT_TRUE(status.ok()) << status.message();
    }
  }
}

TEST(CheckedFile, ManyThreadsProveAnEntryTogether) {
  for (const int64_t size : {kProvedFirstBytes, kLarge}) {
    for (const int64_t flipped : {int64_t{-1}, size / 2}) {
      const Entry entry(size, flipped);
      std::atomic<int> num_refused = 0;
      std::vector<std::thread> threads;
      for (unsigned seed = 0; seed < 4; ++seed) {
        threads.emplace_back([&, seed] {
          for (const auto& [at, length] : ShuffledParts(size, seed)) {
            if (!entry.Read(at, length).ok()) ++num_refused;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      EXPECT_EQ(num_refused > 0, entry.damaged) << size;
      EXPECT_EQ(entry.file->ProveReads().ok() && entry.Read(0, 1).ok(), !entry.damaged) << size;
    }
  }
}

TEST(CheckedFile, RangesThatLeaveTheEntryAreRefused) {
  for (const int64_t size : {kSmall, kLarge}) {
    const Entry entry(size);
    for (const auto& [at, length] :
         {std::pair<int64_t, int64_t>{-1, 1}, {size, 1}, {size - 1, 2}}) {
      EXPECT_EQ(entry.Read(at, length).code(), StatusCode::kCorruption) << at;
    }
    EXPECT_TRUE(entry.Read(0, size).ok());
  }
}

}  // namespace
}  // namespace nemo::torch
