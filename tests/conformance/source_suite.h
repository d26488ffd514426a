// What every TensorSource promises (libcore/tensor/source.h), whatever file it reads. Instantiate
// with
//   INSTANTIATE_TEST_SUITE_P(Zarr, SourceSuite, ::testing::Values(MakeZarr));
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/aligned_buffer.h"
#include "tests/testing.h"

namespace nemo::testing {

/// A source and what it must hold.
struct SourceUnderTest {
  std::shared_ptr<const TensorSource> source;
  std::shared_ptr<const MemorySource> truth;
};
/// Makes one; its files may lie in the folder.
using SourceFactory = std::function<SourceUnderTest(const TempDir&)>;

class SourceSuite : public ::testing::TestWithParam<SourceFactory> {
 protected:
  void SetUp() override { under_test_ = GetParam()(dir_); }
  const TensorSource& source() const { return *under_test_.source; }
  const MemorySource& truth() const { return *under_test_.truth; }

  static std::vector<std::byte> ReadBox(const TensorSource& source, const TensorSpec& spec,
                                        const Box& box) {
    std::vector<std::byte> data(static_cast<size_t>(NumElements(box) * SizeOf(spec.dtype)));
    const Status status = source.Read(spec.name, box, data);
    EXPECT_TRUE(status.ok()) << status.message();
    return data;
  }

  /// A box inside of `shape`, empty ones among them.
  static Box RandomBox(const Shape& shape, std::mt19937& random) {
    Box box = Box::Whole(shape);
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      box.offset[axis] = std::uniform_int_distribution<int64_t>(0, shape[axis])(random);
      box.extent[axis] =
          std::uniform_int_distribution<int64_t>(0, shape[axis] - box.offset[axis])(random);
    }
    return box;
  }

  void CompareRandomBoxes(uint32_t seed) const {
    std::mt19937 random(seed);
    for (const TensorSpec& spec : truth().specs()) {
      for (int i = 0; i < 20; ++i) {
        const Box box = RandomBox(spec.shape, random);
        EXPECT_EQ(ReadBox(source(), spec, box), ReadBox(truth(), spec, box))
            << spec.name << " " << ToString(box);
      }
    }
  }

 private:
  TempDir dir_;
  SourceUnderTest under_test_;
};

TEST_P(SourceSuite, ListsEveryTensorSortedByName) {
  const std::vector<TensorSpec> found(source().specs().begin(), source().specs().end());
  const std::vector<TensorSpec> expected(truth().specs().begin(), truth().specs().end());
  EXPECT_EQ(found, expected);
}

TEST_P(SourceSuite, ReadsWholeTensorsBitForBit) {
  for (const TensorSpec& spec : truth().specs()) {
    EXPECT_EQ(ReadTensorOrDie(source(), spec.name), ReadTensorOrDie(truth(), spec.name))
        << spec.name;
  }
}

TEST_P(SourceSuite, ReadsAnyBox) { CompareRandomBoxes(1); }

TEST_P(SourceSuite, ReadsFromManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (uint32_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([this, seed] { CompareRandomBoxes(seed); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(SourceSuite, RefusesWhatItDoesNotHold) {
  std::vector<std::byte> none;
  EXPECT_EQ(source().Read("no such tensor", Box{}, none).code(), StatusCode::kNotFound);
  EXPECT_TRUE(source().FilesOf("no such tensor", Box{}).empty());
  for (const TensorSpec& spec : truth().specs()) {
    std::vector<std::byte> data(static_cast<size_t>(spec.size_bytes()) + 1);
    const Box whole = Box::Whole(spec.shape);
    EXPECT_EQ(source().Read(spec.name, whole, data).code(), StatusCode::kInvalidArgument)
        << "a buffer of another size";
    Box beyond = whole;
    beyond.offset.push_back(0);
    beyond.extent.push_back(1);
    data.pop_back();
    EXPECT_EQ(source().Read(spec.name, beyond, data).code(), StatusCode::kInvalidArgument)
        << "a box of another rank";
    if (spec.shape.empty()) continue;
    Box shifted = whole;
    shifted.offset[0] = 1;
    EXPECT_EQ(source().Read(spec.name, shifted, data).code(), StatusCode::kInvalidArgument)
        << "a box that leaves the shape";
    shifted.offset[0] = -1;
    EXPECT_EQ(source().Read(spec.name, shifted, data).code(), StatusCode::kInvalidArgument);
  }
}

TEST_P(SourceSuite, ReadsIntoTheMemoryThatItAsksFor) {
  AlignedBuffer memory;
  for (const TensorSpec& spec : truth().specs()) {
    Box rows = Box::Whole(spec.shape);
    if (!spec.shape.empty() && spec.shape[0] > 1)
      rows.offset[0] = rows.extent[0] = spec.shape[0] / 2;
    const int64_t phase = source().PhaseOf(spec.name, rows);
    ASSERT_GE(phase, 0) << spec.name;
    ASSERT_LT(phase, kDirectAlignment) << spec.name;
    const auto out = memory.Get(NumElements(rows) * SizeOf(spec.dtype), phase);
    const Status status = source().Read(spec.name, rows, out);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(std::vector<std::byte>(out.begin(), out.end()), ReadBox(truth(), spec, rows))
        << spec.name;
  }
  EXPECT_EQ(source().PhaseOf("no such tensor", Box{}), 0);
}

TEST_P(SourceSuite, NamesTheFilesThatHoldATensor) {
  for (const TensorSpec& spec : truth().specs()) {
    if (spec.size_bytes() == 0) continue;
    EXPECT_FALSE(source().FilesOf(spec.name, Box::Whole(spec.shape)).empty()) << spec.name;
  }
}

}  // namespace nemo::testing
