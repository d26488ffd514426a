#include "libcore/tensor/box.h"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "libcore/tensor/cast.h"
#include "libcore/tensor/dense.h"
#include "libcore/tensor/dtype.h"
#include "libcore/tensor/spec.h"
#include "tests/testing.h"

namespace nemo {
namespace {

TEST(Box, ShapesThatCannotBeAreRefused) {
  EXPECT_EQ(*CheckedNumElements({}), 1);
  EXPECT_EQ(*CheckedNumElements({0, int64_t{1} << 62}), 0);
  EXPECT_FALSE(CheckedNumElements({-1}));
  EXPECT_FALSE(CheckedNumElements({2, int64_t{1} << 62, 32}));
  EXPECT_FALSE(CheckSpec({"x", DType::kF64, {int64_t{1} << 61}}).ok());
}

TEST(Box, ContainsSeesEveryWayOut) {
  const Shape shape = {4, 8};
  EXPECT_TRUE(Contains(shape, Box::Whole(shape)));
  EXPECT_TRUE(Contains(shape, {{4, 8}, {0, 0}}));
  EXPECT_FALSE(Contains(shape, {{0, 0}, {5, 8}}));
  EXPECT_FALSE(Contains(shape, {{-1, 0}, {1, 1}}));
  EXPECT_FALSE(Contains(shape, {{1, 0}, {4, 1}}));
  EXPECT_FALSE(Contains(shape, {{1, 0}, {INT64_MAX, 1}}));
  EXPECT_FALSE(Contains(shape, {{0}, {4}}));
}

TEST(Box, IntersectionsAreWhatBothHold) {
  const Box a{{0, 0}, {4, 4}}, b{{2, 1}, {4, 2}};
  EXPECT_EQ(*Intersect(a, b), (Box{{2, 1}, {2, 2}}));
  EXPECT_FALSE(Intersect(a, {{4, 0}, {1, 4}}));
  EXPECT_EQ(ToString(b), "[2:6, 1:3]");
}

/// Every element of `box` of a counting array, read one by one.
std::vector<uint16_t> Naive(const Shape& shape, const Box& box) {
  std::vector<uint16_t> out;
  for (int64_t i = 0; i < NumElements(box); ++i) {
    const auto index = IndexOf(box.extent, i);
    int64_t linear = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      linear = linear * shape[axis] + box.offset[axis] + index[axis];
    out.push_back(static_cast<uint16_t>(linear));
  }
  return out;
}

TEST(Dense, BoxesOfFilesAndArraysAgreeWithElementwiseReading) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Shape shape;
    Box box;
    for (unsigned axis = 0; axis < 1 + random() % 3; ++axis) {
      shape.push_back(1 + random() % 6);
      box.offset.push_back(random() % shape.back());
      box.extent.push_back(1 + random() % (shape.back() - box.offset.back()));
    }
    std::string bytes(static_cast<size_t>(NumElements(shape) * 2), '\0');
    for (int64_t i = 0; i < NumElements(shape); ++i) {
      const auto value = static_cast<uint16_t>(i);
      std::memcpy(bytes.data() + 2 * i, &value, 2);
    }
    const auto expected = Naive(shape, box);
    std::vector<uint16_t> out(expected.size());
    const auto file = testing::MemoryFile("m", "head" + bytes);
    ASSERT_TRUE(ReadBox(*file, 4, shape, box, 2, std::as_writable_bytes(std::span(out))).ok());
    EXPECT_EQ(out, expected);
    std::fill(out.begin(), out.end(), 0);
    CopyBox(reinterpret_cast<const std::byte*>(bytes.data()), shape, box,
            reinterpret_cast<std::byte*>(out.data()), box.extent, Box::Whole(box.extent), 2);
    EXPECT_EQ(out, expected);
    std::vector<uint16_t> back(static_cast<size_t>(NumElements(shape)), 0xffff);
    CopyBox(reinterpret_cast<const std::byte*>(out.data()), box.extent, Box::Whole(box.extent),
            reinterpret_cast<std::byte*>(back.data()), shape, box, 2);
    int64_t touched = 0;
    for (size_t i = 0; i < back.size(); ++i) {
      if (back[i] != 0xffff) {
        EXPECT_EQ(back[i], i);
        ++touched;
      }
    }
    EXPECT_EQ(touched, NumElements(box));
  }
}

TEST(BF16, RoundsToNearestEvenAndKeepsNaN) {
  struct Case {
    uint32_t bits;
    uint16_t expected;
  };
  const Case cases[] = {{0x3f800000, 0x3f80},   // 1
                        {0x3f808000, 0x3f80},   // tie to even, down
                        {0x3f818000, 0x3f82},   // tie to even, up
                        {0x3f808001, 0x3f81},   // just above the tie
                        {0x7f7fffff, 0x7f80},   // overflow to infinity
                        {0xff800000, 0xff80},   // -infinity
                        {0x7f800001, 0x7fc0},   // a signalling NaN whose payload is cut stays NaN
                        {0xffc12345, 0xffc1},   // NaN keeps its sign and high payload
                        {0x00008000, 0x0000},   // subnormal tie
                        {0x80000000, 0x8000}};  // -0
  for (const Case& c : cases) {
    EXPECT_EQ(BF16FromFloat(std::bit_cast<float>(c.bits)), c.expected) << std::hex << c.bits;
  }
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = FloatFromBF16(static_cast<BF16>(bits));
    if (value == value) {
      EXPECT_EQ(BF16FromFloat(value), bits);
    }
  }
}

TEST(Cast, TakesEachFloatTypeToTheNearestBF16) {
  const float wide[] = {1.0f, -0.0f, 1.00390625f, 3.3895314e38f};
  BF16 out[4];
  CastToBF16(DType::kF32, reinterpret_cast<const std::byte*>(wide), 4, out);
  EXPECT_EQ((std::vector<BF16>(out, out + 4)), (std::vector<BF16>{0x3f80, 0x8000, 0x3f80, 0x7f7f}));
  const uint16_t half[] = {0x3c00, 0x3c05, 0x7c00, 0x0001};  // 1, 1 + 5/1024, infinity, 2^-24
  CastToBF16(DType::kF16, reinterpret_cast<const std::byte*>(half), 4, out);
  EXPECT_EQ((std::vector<BF16>(out, out + 4)), (std::vector<BF16>{0x3f80, 0x3f81, 0x7f80, 0x3380}));
  const BF16 payload[] = {0xffa1};
  CastToBF16(DType::kBF16, reinterpret_cast<const std::byte*>(payload), 1, out);
  EXPECT_EQ(out[0], 0xffa1);
  EXPECT_FALSE(CanCastToBF16(DType::kI32));
}

TEST(F16, WidensLikeTheHardwareType) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    _Float16 half;
    const auto narrow = static_cast<uint16_t>(bits);
    std::memcpy(&half, &narrow, 2);
    const auto expected = static_cast<float>(half);
    const float actual = FloatFromF16(narrow);
    if (expected == expected) {
      EXPECT_EQ(actual, expected);
    } else {
      EXPECT_NE(actual, actual);
    }
  }
}

}  // namespace
}  // namespace nemo
