#include "formats/torch/parts_crc32.h"

#include <algorithm>
#include <random>
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

TEST(PartsCrc32, IsThatOfTheWholeInAnyOrder) {
  // The check value of the algorithm: "123456789".
  const std::string digits = "123456789";
  for (uint32_t seed = 0; seed < 50; ++seed) {
    PartsCrc32 sum;
    for (const Part& part : Parts(std::as_bytes(std::span(digits)), seed)) {
      sum.Add(part.offset, part.bytes);
    }
    ASSERT_TRUE(sum.Value(9));
    EXPECT_EQ(*sum.Value(9), 0xcbf43926u);
  }
}

TEST(PartsCrc32, TakesPartsFromManyThreads) {
  const auto data = testing::PatternBytes(100'000, 5);
  PartsCrc32 whole;
  whole.Add(0, data);
  const std::vector<Part> parts = Parts(data, 1);
  PartsCrc32 sum;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; i < parts.size(); i += 4) sum.Add(parts[i].offset, parts[i].bytes);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(sum.Value(100'000));
  EXPECT_EQ(*sum.Value(100'000), *whole.Value(100'000));
}

TEST(PartsCrc32, IsUnknownWhileBytesAreMissingOrCameTwice) {
  const auto data = testing::PatternBytes(30, 5);
  const std::span<const std::byte> all = data;
  PartsCrc32 sum;
  EXPECT_EQ(*sum.Value(0), 0u);
  EXPECT_FALSE(sum.Value(30));
  sum.Add(0, all.first(10));
  sum.Add(20, all.last(10));
  EXPECT_FALSE(sum.Value(30));
  EXPECT_FALSE(sum.Value(10));
  sum.Add(10, all.subspan(10, 10));
  EXPECT_TRUE(sum.Value(30));
  sum.Add(0, all.first(10));
  EXPECT_FALSE(sum.Value(30));
}

}  // namespace
}  // namespace nemo::torch
