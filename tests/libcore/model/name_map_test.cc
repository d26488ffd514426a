#include "libcore/model/name_map.h"

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/model/architecture.h"
#include "libcore/model/canonical_source.h"
#include "tests/models.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::MemorySource;
using testing::Nemotron340B;
using testing::ReadTensorOrDie;

std::vector<std::byte> Counting(int64_t count, uint16_t first) {
  std::vector<std::byte> out(static_cast<size_t>(count) * 2);
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<uint16_t>(first + i);
    std::memcpy(out.data() + 2 * i, &value, 2);
  }
  return out;
}

TEST(NameMap, FindsALayerInsideAStack) {
  auto stacked = std::make_shared<MemorySource>();
  stacked->Add({"w", DType::kBF16, {3, 2, 4}}, Counting(24, 0));
  NameMap map;
  std::vector<TensorSpec> specs;
  for (int64_t layer = 0; layer < 3; ++layer) {
    const std::string name = "w." + std::to_string(layer);
    map.Add(name, {Box::Whole({2, 4}), 0, "w", {{layer, 0, 0}, {1, 2, 4}}});
    specs.push_back({name, DType::kBF16, {2, 4}});
  }
  const auto source = CanonicalSource::Create(specs, map, {stacked});
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_EQ(ReadTensorOrDie(**source, "w.1"), Counting(8, 8));
  std::vector<std::byte> column(4);
  ASSERT_TRUE((*source)->Read("w.2", {{0, 3}, {2, 1}}, column).ok());
  const uint16_t expected[] = {19, 23};
  EXPECT_EQ(std::memcmp(column.data(), expected, 4), 0);
}

TEST(NameMap, JoinsShardsAndSetsReplicasApart) {
  auto left = std::make_shared<MemorySource>(), right = std::make_shared<MemorySource>();
  left->Add({"w", DType::kBF16, {2, 2}}, Counting(4, 0));
  right->Add({"w", DType::kBF16, {2, 2}}, Counting(4, 100));
  NameMap map;
  map.Add("w", {{{0, 0}, {2, 2}}, 0, "w", Box::Whole({2, 2})});
  map.Add("w", {{{0, 2}, {2, 2}}, 1, "w", Box::Whole({2, 2})});
  map.Add("w", {{{0, 0}, {2, 2}}, 1, "w", Box::Whole({2, 2})});
  ASSERT_EQ(map.Replicas("w").size(), 1u);
  EXPECT_EQ(map.Replicas("w").front().source_index, 1);
  const auto source = CanonicalSource::Create({{"w", DType::kBF16, {2, 4}}}, map, {left, right});
  ASSERT_TRUE(source) << source.error().message();
  const uint16_t expected[] = {0, 1, 100, 101, 2, 3, 102, 103};
  const auto read = ReadTensorOrDie(**source, "w");
  EXPECT_EQ(std::memcmp(read.data(), expected, sizeof expected), 0);
}

TEST(NameMap, APieceThatRepeatsARowOfAnotherIsAReplica) {
  NameMap map;
  map.Add("w", {{{0, 0}, {3, 2}}, 0, "w", Box::Whole({3, 2})});
  map.Add("w", {{{2, 0}, {3, 2}}, 1, "w", Box::Whole({3, 2})});  // row 2 again
  map.Add("w", {{{5, 0}, {1, 2}}, 2, "w", Box::Whole({1, 2})});
  const auto replicas = map.Replicas("w");
  ASSERT_EQ(replicas.size(), 1u);
  EXPECT_EQ(replicas.front().source_index, 1);
}

Box RandomBox(std::mt19937& random, int64_t extent) {
  Box box{{0, 0}, {0, 0}};
  for (size_t axis = 0; axis < 2; ++axis) {
    box.offset[axis] = std::uniform_int_distribution<int64_t>(0, extent - 1)(random);
    box.extent[axis] = std::uniform_int_distribution<int64_t>(1, extent - box.offset[axis])(random);
  }
  return box;
}

/// How many of `boxes` hold each element of a square.
std::vector<int> Held(const std::vector<Box>& boxes, int64_t extent) {
  std::vector<int> held(static_cast<size_t>(extent * extent), 0);
  for (const Box& box : boxes) {
    for (int64_t row = box.offset[0]; row < box.offset[0] + box.extent[0]; ++row) {
      for (int64_t col = box.offset[1]; col < box.offset[1] + box.extent[1]; ++col) {
        ++held[static_cast<size_t>(row * extent + col)];
      }
    }
  }
  return held;
}

TEST(NameMap, LocatesEveryElementOnceHoweverPiecesOverlap) {
  constexpr int64_t kExtent = 5;
  std::mt19937 random(1);
  int num_whole = 0;
  for (int round = 0; round < 1000; ++round) {
    NameMap map;
    std::vector<Box> pieces;
    for (int i = 0; i < 6; ++i) {
      pieces.push_back(RandomBox(random, kExtent));
      map.Add("w", {pieces.back(), 0, "w", pieces.back()});
    }
    const Box wanted = RandomBox(random, kExtent);
    const std::vector<int> want = Held({wanted}, kExtent), have = Held(pieces, kExtent);
    bool is_whole = true;
    for (size_t i = 0; i < want.size(); ++i) is_whole &= want[i] == 0 || have[i] > 0;
    const auto located = map.Locate("w", wanted);
    ASSERT_EQ(located.has_value(), is_whole) << ToString(wanted);
    if (!located) continue;
    ++num_whole;
    std::vector<Box> found;
    for (const NamePiece& piece : *located) found.push_back(piece.canonical);
    ASSERT_EQ(Held(found, kExtent), want) << ToString(wanted);
  }
  EXPECT_GT(num_whole, 100);
}

TEST(NameMap, SaysWhichPartNobodyHolds) {
  auto stored = std::make_shared<MemorySource>();
  stored->Add({"w", DType::kBF16, {2, 2}}, Counting(4, 0));
  NameMap map;
  map.Add("w", {{{0, 0}, {2, 2}}, 0, "w", Box::Whole({2, 2})});
  const auto source = CanonicalSource::Create({{"w", DType::kBF16, {2, 4}}}, map, {stored});
  EXPECT_EQ(source.error().code(), StatusCode::kCorruption);
  EXPECT_NE(source.error().message().find("[0:2, 2:4]"), std::string::npos)
      << source.error().message();
}

TEST(NameMap, RefusesAnotherDtypeOrAMissingTensor) {
  auto stored = std::make_shared<MemorySource>();
  stored->Add({"w", DType::kI16, {2}}, Counting(2, 0));
  NameMap map, absent;
  map.Add("w", {Box::Whole({2}), 0, "w", Box::Whole({2})});
  absent.Add("w", {Box::Whole({2}), 0, "x", Box::Whole({2})});
  EXPECT_EQ(CanonicalSource::Create({{"w", DType::kBF16, {2}}}, map, {stored}).error().code(),
            StatusCode::kCorruption);
  EXPECT_EQ(CanonicalSource::Create({{"w", DType::kBF16, {2}}}, absent, {stored}).error().code(),
            StatusCode::kNotFound);
}

TEST(Architecture, The340BHas772TensorsAnd341BillionParameters) {
  // 772: what llama.cpp printed for the real weights; 341,029,195,776 parameters by the published
  // sizes.
  const auto tensors = LogicalTensors(Nemotron340B());
  ASSERT_TRUE(tensors) << tensors.error().message();
  EXPECT_EQ(tensors->size(), 772u);
  int64_t parameters = 0;
  for (const LogicalTensor& tensor : *tensors) parameters += NumElements(tensor.shape);
  EXPECT_EQ(parameters, 341'029'195'776);
}

TEST(Architecture, ConfigsThatCannotBeAreRefusedByField) {
  struct Case {
    void (*spoil)(ModelConfig&);
    const char* named;
  };
  const Case cases[] = {
      {[](ModelConfig& c) { c.num_layers = 0; }, "num_layers"},
      {[](ModelConfig& c) { c.num_query_groups = 7; }, "num_query_groups"},
      {[](ModelConfig& c) { c.kv_channels = 3; }, "rotary_percent"},
      {[](ModelConfig& c) { c.vocab_size = 256001; }, "tokenizer"},
      {[](ModelConfig& c) { c.layernorm_epsilon = 0; }, "layernorm_epsilon"},
      {[](ModelConfig& c) { c.rotary_base = 0; }, "rotary_base"},
      {[](ModelConfig& c) { c.activation = "swiglu"; }, "swiglu"},
      {[](ModelConfig& c) { c.architecture = "mamba"; }, "mamba"},
  };
  for (const Case& c : cases) {
    ModelConfig config = Nemotron340B();
    c.spoil(config);
    const auto tensors = LogicalTensors(config);
    ASSERT_FALSE(tensors) << c.named;
    EXPECT_NE(tensors.error().message().find(c.named), std::string::npos)
        << tensors.error().message();
  }
}

TEST(Architecture, ConfigsSurviveTheTripThroughPlainData) {
  const ModelConfig config = Nemotron340B();
  EXPECT_EQ(*ConfigFromValue(ToValue(config)), config);
  EXPECT_FALSE(ConfigFromValue(Value(Value::Object{{"num_layers", 1}})));
}

}  // namespace
}  // namespace nemo
