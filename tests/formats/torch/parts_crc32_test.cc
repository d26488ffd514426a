#include "formats/torch/parts_crc32.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/conformance/sample_tensors.h"

namespace nemo::torch {
namespace {

struct Part {
  int64_t offset = 0;
  std::span<const std::byte> bytes;
};

/// `data` cut at random and shuffled.
std::vector<Part> Parts(std::span<const std::byte> data, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Part> parts;
  for (size_t at = 0; at < data.size();) {
    const size_t size = std::min<size_t>(data.size() - at, random() % 40);
    parts.push_back({static_cast<int64_t>(at), data.subspan(at, size)});
    at += size;
  }
  std::shuffle(parts.begin(), parts.end(), random);
  return parts;
}

/// A file that ends with `data`, which begin at byte 3.
std::shared_ptr<RandomAccessFile> FileWith(std::span<const std::byte> data) {
  return testing::MemoryFile(
      "x", "..." + std::string(reinterpret_cast<const char*>(data.data()), data.size()));
}

/// The sum of `size` bytes when there is no file to read them from.
Result<uint32_t> Known(const PartsCrc32& sum, int64_t size) {
  return sum.Of(*testing::MemoryFile("none", ""), {0, size});
}

// The check value of the algorithm.
const std::string kDigits = "123456789";
constexpr uint32_t kSumOfDigits = 0xcbf43926;

TEST(PartsCrc32, IsThatOfTheWholeInAnyOrder) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    PartsCrc32 sum;
    for (const Part& part : Parts(std::as_bytes(std::span(kDigits)), seed)) {
      sum.Add(part.offset, part.bytes);
    }
    ASSERT_TRUE(Known(sum, 9));
    EXPECT_EQ(*Known(sum, 9), kSumOfDigits);
  }
}

TEST(PartsCrc32, TakesPartsFromManyThreads) {
  const auto data = testing::PatternBytes(100'000, 5);
  const std::vector<Part> parts = Parts(data, 1);
  PartsCrc32 sum, nothing;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < parts.size(); i += 4) sum.Add(parts[i].offset, parts[i].bytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(Known(sum, 100'000));
  EXPECT_EQ(*Known(sum, 100'000), *nothing.Of(*FileWith(data), {3, 100'000}));
}

TEST(PartsCrc32, IsReadFromTheFileWhenBytesAreMissingOrCameTwice) {
  const std::span<const std::byte> all = std::as_bytes(std::span(kDigits));
  PartsCrc32 sum;
  EXPECT_EQ(*Known(sum, 0), 0u);
  const auto expect_read = [&] {
    EXPECT_FALSE(Known(sum, 9));
    EXPECT_EQ(*sum.Of(*FileWith(all), {3, 9}), kSumOfDigits);
  };
  expect_read();
  sum.Add(0, all.first(3));
  sum.Add(6, all.last(3));
  expect_read();
  sum.Add(3, all.subspan(3, 3));
  EXPECT_EQ(*Known(sum, 9), kSumOfDigits);
  sum.Add(0, all.first(3));
  expect_read();
}

}  // namespace
}  // namespace nemo::torch
