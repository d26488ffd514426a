#include "libcore/convert/convert.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "libcore/base/hash.h"
#include "libcore/convert/blocks.h"
#include "libcore/convert/check.h"
#include "libcore/layout/planner.h"
#include "libcore/model/architecture.h"
#include "tests/libcore/convert/memory_target.h"

namespace nemo {
namespace {

using testing::MemorySource;
using testing::MemoryTarget;
using testing::ReadTensorOrDie;

ModelConfig Small() {
  ModelConfig c;
  c.num_layers = 2;
  c.hidden_size = 8;
  c.ffn_hidden_size = 16;
  c.num_attention_heads = 4;
  c.num_query_groups = 2;
  c.kv_channels = 4;
  c.max_position_embeddings = 64;
  c.vocab_size = 20;
  c.padded_vocab_size = 24;
  c.make_vocab_size_divisible_by = 4;
  return c;
}

/// Random weights under canonical names, as one stored source each tensor of which is one piece.
std::shared_ptr<CanonicalSource> RandomModel(const ModelConfig& config, unsigned seed) {
  std::mt19937 random(seed);
  auto stored = std::make_shared<MemorySource>();
  NameMap map;
  std::vector<TensorSpec> specs;
  for (const LogicalTensor& tensor : *LogicalTensors(config)) {
    const TensorSpec spec{tensor.name, DType::kBF16, tensor.shape};
    std::vector<std::byte> data;
    for (int64_t i = 0; i < NumElements(spec.shape); ++i) {
      const BF16 value = BF16FromFloat(std::uniform_real_distribution<float>(-1, 1)(random));
      data.push_back(static_cast<std::byte>(value & 0xff));
      data.push_back(static_cast<std::byte>(value >> 8));
    }
    stored->Add(spec, std::move(data));
    specs.push_back(spec);
    map.Add(tensor.name, {Box::Whole(spec.shape), 0, tensor.name, Box::Whole(spec.shape)});
  }
  return *CanonicalSource::Create(specs, std::move(map), {stored});
}

std::vector<TensorSpec> SpecsOf(const ModelConfig& config) {
  std::vector<TensorSpec> specs;
  for (const LogicalTensor& tensor : *LogicalTensors(config))
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
  return specs;
}

TEST(Convert, WritesTheSameBitsWhateverTheBlocksAndJobs) {
  const auto source = RandomModel(Small(), 1);
  const auto plan = PlanShards(Small(), source->specs(), {.tp_size = 4, .pp_size = 2}, {});
  ASSERT_TRUE(plan) << plan.error().message();
  MemoryTarget first;
  ASSERT_TRUE(Convert(*source, *plan, first, {}, NullProgress()));
  EXPECT_TRUE(first.finished);
  for (const ConvertOptions& options :
       {ConvertOptions{3, 1}, ConvertOptions{2, 40}, ConvertOptions{1, 1 << 20}}) {
    MemoryTarget again;
    const auto report = Convert(*source, *plan, again, options, NullProgress());
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->written_bytes, plan->size_bytes());
    for (const auto& [stem, file] : first.files) {
      EXPECT_EQ(again.files[stem].data, file.data) << stem;
      EXPECT_EQ(again.files[stem].checksums, file.checksums) << stem;
      for (const auto& [name, data] : file.data) EXPECT_EQ(file.checksums.at(name), HashHex(data));
    }
  }
}

TEST(Convert, WhatIsWrittenIsTheModelAgain) {
  const auto source = RandomModel(Small(), 2);
  for (const ParallelLayout& layout :
       {ParallelLayout{1, 1}, ParallelLayout{2, 2}, ParallelLayout{4, 1},
        ParallelLayout{.tp_size = 4, .kv_duplicate = true}}) {
    const auto plan = PlanShards(Small(), source->specs(), layout, {});
    ASSERT_TRUE(plan) << plan.error().message();
    MemoryTarget target;
    ASSERT_TRUE(Convert(*source, *plan, target, {}, NullProgress()));
    const auto written = target.Read(*plan, SpecsOf(plan->config));
    const auto comparison = Compare(*source, Small(), *written, plan->config, 2, NullProgress());
    ASSERT_TRUE(comparison) << comparison.error().message();
    EXPECT_TRUE(comparison->equal()) << ToString(layout);
    // Rows beyond the vocabulary are zeros, whatever junk the source had there.
    const auto embedding = ReadTensorOrDie(*written, kEmbeddingName);
    EXPECT_TRUE(std::all_of(embedding.begin() + 20 * 8 * 2, embedding.end(),
                            [](std::byte b) { return b == std::byte{0}; }));
  }
}

/// `model` widened to F32, with `extra` added to element 0 of the final norm's bias.
std::shared_ptr<CanonicalSource> Widened(const CanonicalSource& model, float extra) {
  auto stored = std::make_shared<MemorySource>();
  NameMap map;
  std::vector<TensorSpec> specs;
  for (const TensorSpec& spec : model.specs()) {
    const auto narrow = ReadTensorOrDie(model, spec.name);
    std::vector<std::byte> wide(narrow.size() * 2);
    for (int64_t i = 0; i < NumElements(spec.shape); ++i) {
      auto value = static_cast<float>(ElementAsDouble(DType::kBF16, narrow.data(), i));
      if (i == 0 && spec.name == "decoder.final_layernorm.bias") value += extra;
      std::memcpy(wide.data() + 4 * i, &value, 4);
    }
    specs.push_back({spec.name, DType::kF32, spec.shape});
    stored->Add(specs.back(), std::move(wide));
    map.Add(spec.name, {Box::Whole(spec.shape), 0, spec.name, Box::Whole(spec.shape)});
  }
  return *CanonicalSource::Create(specs, std::move(map), {stored});
}

TEST(Convert, CastsWiderWeightsToBF16) {
  const auto narrow = RandomModel(Small(), 6);
  // Far less than half a unit in the last place of any element but zero: the cast takes it away
  // again.
  const auto wide = Widened(*narrow, 1e-12f);
  const auto plan = PlanShards(Small(), wide->specs(), {.tp_size = 2}, {});
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_EQ(plan->files[0].tensors[0].tensor.spec.dtype, DType::kBF16);
  MemoryTarget target;
  const auto report = Convert(*wide, *plan, target, {1, 100}, NullProgress());
  ASSERT_TRUE(report) << report.error().message();
  const auto written = target.Read(*plan, SpecsOf(plan->config));
  for (const auto& [other, equal] :
       {std::pair{narrow, true}, {wide, true}, {Widened(*narrow, 2.0f), false}}) {
    const auto comparison = Compare(*written, plan->config, *other, Small(), 2, NullProgress());
    ASSERT_TRUE(comparison) << comparison.error().message();
    EXPECT_EQ(comparison->equal(), equal);
  }
}

TEST(Convert, AddsOneInFloatAndRoundsOnce) {
  const std::string name = "decoder.final_layernorm.weight";
  const auto narrow = RandomModel(Small(), 7);
  // Rounded before the addition, 2^-8 + 2^-18 would be 2^-8, and the sum a tie that falls to 1.
  constexpr float kJustAboveTie = 1.0f / 256 + 1.0f / (1 << 18);
  auto wide = std::make_shared<MemorySource>();
  for (const TensorSpec& spec : narrow->specs()) {
    if (spec.name != name) {
      wide->Add(spec, ReadTensorOrDie(*narrow, spec.name));
      continue;
    }
    const std::vector<float> values = {kJustAboveTie, 0, -1, -0.5f, 1.0f / 256, 3.0f / 256, 1, -2};
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    wide->Add({name, DType::kF32, spec.shape}, std::move(bytes));
  }
  auto plan = PlanShards(Small(), wide->specs(), {}, {});
  ASSERT_TRUE(plan) << plan.error().message();
  for (PlannedTensor& tensor : plan->files[0].tensors) {
    if (tensor.canonical_name != name) continue;
    for (Move& move : tensor.moves) move.transform = Transform::kAddOne;
  }
  MemoryTarget target;
  ASSERT_TRUE(Convert(*wide, *plan, target, {1, 6}, NullProgress()));
  const auto& bytes = target.files.begin()->second.data.at(name);
  // 1 + 1/128, 1, 0, 0.5, a tie to even 1, a tie to even 1 + 2/128, 2, -1.
  const BF16 expected[] = {0x3f81, 0x3f80, 0, 0x3f00, 0x3f80, 0x3f82, 0x4000, 0xbf80};
  ASSERT_EQ(bytes.size(), sizeof(expected));
  EXPECT_EQ(std::memcmp(bytes.data(), expected, sizeof(expected)), 0);
}

TEST(Convert, AddsOneToStoredBF16) {
  const std::string name = "decoder.final_layernorm.weight";
  const auto source = RandomModel(Small(), 8);
  auto plan = PlanShards(Small(), source->specs(), {}, {});
  ASSERT_TRUE(plan) << plan.error().message();
  for (PlannedTensor& tensor : plan->files[0].tensors) {
    if (tensor.canonical_name != name) continue;
    for (Move& move : tensor.moves) move.transform = Transform::kAddOne;
  }
  MemoryTarget target;
  ASSERT_TRUE(Convert(*source, *plan, target, {}, NullProgress()));
  const auto before = ReadTensorOrDie(*source, name);
  const auto& after = target.files.begin()->second.data.at(name);
  for (int64_t i = 0; i < 8; ++i) {
    const auto sum = static_cast<float>(ElementAsDouble(DType::kBF16, before.data(), i)) + 1.0f;
    EXPECT_EQ(ElementAsDouble(DType::kBF16, after.data(), i),
              static_cast<double>(RoundToBF16(sum)));
  }
}

TEST(Convert, RefusesWeightsThatAreNoFloats) {
  auto specs = SpecsOf(Small());
  std::sort(specs.begin(), specs.end(), [](auto& a, auto& b) { return a.name < b.name; });
  specs[3].dtype = DType::kI64;
  const auto plan = PlanShards(Small(), specs, {}, {});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code(), StatusCode::kUnsupported);
  EXPECT_NE(plan.error().message().find("I64"), std::string::npos);
}

TEST(Convert, StopsAndClearsUpWhenTheSourceFails) {
  class Broken : public MemorySource {
   public:
    Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override {
      if (name == "decoder.layers.1.mlp.linear_fc2.weight") return Corruption("chunk 1.0 is short");
      return MemorySource::Read(name, box, out);
    }
  } source;
  for (const TensorSpec& spec : SpecsOf(Small()))
    source.Add(spec, std::vector<std::byte>(static_cast<size_t>(spec.size_bytes())));
  const auto plan = PlanShards(Small(), source.specs(), {.tp_size = 2}, {});
  MemoryTarget target;
  class Ending : public Progress {
   public:
    void Start(std::string_view, int64_t, std::string_view) override { finished = false; }
    void Add(int64_t) override {}
    void Finish() override { finished = true; }
    bool finished = false;
  } progress;
  const auto report = Convert(source, *plan, target, {2}, progress);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), StatusCode::kCorruption);
  EXPECT_TRUE(target.abandoned);
  EXPECT_FALSE(target.finished);
  EXPECT_TRUE(progress.finished) << "else the error is printed into the bar";
}

/// A model as it is, and with one element of one tensor replaced.
std::shared_ptr<CanonicalSource> WithElement(const CanonicalSource& source, const std::string& name,
                                             int64_t at, BF16 value) {
  auto stored = std::make_shared<MemorySource>();
  NameMap map;
  for (const TensorSpec& spec : source.specs()) {
    auto data = ReadTensorOrDie(source, spec.name);
    if (spec.name == name) std::memcpy(data.data() + 2 * at, &value, 2);
    stored->Add(spec, std::move(data));
    map.Add(spec.name, {Box::Whole(spec.shape), 0, spec.name, Box::Whole(spec.shape)});
  }
  return *CanonicalSource::Create({source.specs().begin(), source.specs().end()}, std::move(map),
                                  {stored});
}

/// Its reads succeed, and their proof does not.
class UnprovedSource : public MemorySource {
 public:
  Status ProveReads() const override { return Corruption("x.ckpt: its checksum is wrong"); }
};

TEST(Convert, CheckingAndComparingEndWithTheProofOfWhatWasRead) {
  const auto intact = RandomModel(Small(), 12);
  auto stored = std::make_shared<UnprovedSource>();
  NameMap map;
  std::vector<TensorSpec> specs(intact->specs().begin(), intact->specs().end());
  for (const TensorSpec& spec : specs) {
    stored->Add(spec, ReadTensorOrDie(*intact, spec.name));
    map.Add(spec.name, {Box::Whole(spec.shape), 0, spec.name, Box::Whole(spec.shape)});
  }
  const auto source = *CanonicalSource::Create(specs, std::move(map), {stored});
  const auto plan = PlanShards(Small(), specs, {.tp_size = 2}, {});
  MemoryTarget target;
  const Status results[] = {
      Convert(*source, *plan, target, {}, NullProgress()).error(),
      CheckValues(*source, Small(), 1, NullProgress()).error(),
      Compare(*source, Small(), *intact, Small(), 1, NullProgress()).error(),
      Compare(*intact, Small(), *source, Small(), 1, NullProgress()).error(),
  };
  for (const Status& status : results) {
    EXPECT_EQ(status.code(), StatusCode::kCorruption);
    EXPECT_EQ(status.message(), "x.ckpt: its checksum is wrong");
  }
  EXPECT_FALSE(target.finished);
  EXPECT_TRUE(target.abandoned);
}

/// Notes which tensors are read.
class WatchedSource : public MemorySource {
 public:
  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override {
    read.emplace(name);
    return MemorySource::Read(name, box, out);
  }
  mutable std::set<std::string> read;
};

TEST(Convert, VocabularyRowsThatAnEarlierRunReadAreProvedByTheNextOne) {
  const auto model = RandomModel(Small(), 13);
  WatchedSource source;
  for (const TensorSpec& spec : model->specs()) {
    source.Add(spec, ReadTensorOrDie(*model, spec.name));
  }
  const auto plan = PlanShards(Small(), source.specs(), {.tp_size = 2}, {});
  MemoryTarget target;
  ASSERT_TRUE(Convert(source, *plan, target, {}, NullProgress()));
  ConvertOptions options;
  for (const auto& [stem, file] : target.files) {
    for (const auto& [name, xxh3] : file.checksums) {
      options.earlier.tensors[{stem, name}] = {stem, name, xxh3, {}, ""};
    }
  }
  source.read.clear();
  const auto report = Convert(source, *plan, target, options, NullProgress());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->num_kept_tensors, report->num_tensors);
  EXPECT_EQ(source.read,
            (std::set<std::string>{std::string(kEmbeddingName), std::string(kOutputLayerName)}));
}

TEST(Compare, NamesTensorIndexValuesAndUlp) {
  const std::string name = "decoder.layers.0.mlp.linear_fc1.weight";
  const auto base = WithElement(*RandomModel(Small(), 3), name, 13, BF16FromFloat(1.0f));
  const auto other = WithElement(*base, name, 13, static_cast<BF16>(BF16FromFloat(1.0f) + 2));
  const auto comparison = Compare(*base, Small(), *other, Small(), 2, NullProgress());
  ASSERT_TRUE(comparison);
  ASSERT_EQ(comparison->different.size(), 1u);
  const Difference& d = comparison->different.front();
  EXPECT_EQ(d.name, name);
  EXPECT_EQ(d.index, (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(d.a, 1.0);
  EXPECT_EQ(d.b, 1.015625);
  EXPECT_EQ(d.max_abs, 0.015625);
  EXPECT_EQ(d.max_ulp, 2);
  EXPECT_EQ(d.num_different, 1);
}

TEST(Compare, SeesReplicasThatDifferAndSignsOfZero) {
  const auto source = RandomModel(Small(), 4);
  const auto plan = PlanShards(Small(), source->specs(), {.tp_size = 2}, {});
  MemoryTarget target;
  ASSERT_TRUE(Convert(*source, *plan, target, {}, NullProgress()));
  // The norm of the second rank is a replica that reading alone would never look at.
  target.files["tp_rank_01_pp_rank_000"].data["decoder.final_layernorm.bias"][6] ^= std::byte{1};
  const auto written = target.Read(*plan, SpecsOf(plan->config));
  for (const bool swapped : {false, true}) {
    const auto comparison =
        swapped ? Compare(*written, plan->config, *source, Small(), 1, NullProgress())
                : Compare(*source, Small(), *written, plan->config, 1, NullProgress());
    ASSERT_EQ(comparison->different.size(), 1u);
    EXPECT_EQ(comparison->different.front().name, "decoder.final_layernorm.bias");
    EXPECT_EQ(comparison->different.front().index, std::vector<int64_t>{3});
  }
  const std::string name = "decoder.final_layernorm.weight";
  const auto plus = WithElement(*source, name, 0, 0x0000),
             minus = WithElement(*source, name, 0, 0x8000);
  EXPECT_EQ(Compare(*plus, Small(), *minus, Small(), 1, NullProgress())->different.size(), 1u);
}

TEST(CheckValues, FindsNaNInfinityAndDeadRowsButNotPadding) {
  const std::string name = "decoder.layers.1.self_attention.linear_qkv.weight";
  const auto source = RandomModel(Small(), 5);
  const auto codes = [](const CanonicalSource& model) {
    std::vector<std::string> found;
    for (const Problem& p : *CheckValues(model, Small(), 2, NullProgress()))
      found.push_back(p.code);
    return found;
  };
  EXPECT_TRUE(codes(*source).empty());
  const auto problems =
      CheckValues(*WithElement(*source, name, 17, 0x7fc0), Small(), 2, NullProgress());
  ASSERT_EQ(problems->size(), 1u);
  EXPECT_EQ(problems->front().code, "nan");
  EXPECT_TRUE(problems->front().fatal);
  EXPECT_NE(problems->front().where.find(name + "[2, 1]"), std::string::npos)
      << problems->front().where;
  EXPECT_EQ(codes(*WithElement(*source, name, 17, 0xff80)), std::vector<std::string>{"inf"});
  EXPECT_EQ(codes(*WithElement(*source, name, 17, BF16FromFloat(1e6f))),
            std::vector<std::string>{"range"});
  auto dead = source;
  for (int64_t i = 8; i < 16; ++i) dead = WithElement(*dead, name, i, 0);
  EXPECT_EQ(codes(*dead), std::vector<std::string>{"constant_rows"});
  EXPECT_TRUE(codes(*WithElement(*source, std::string(kEmbeddingName), 23 * 8, 0x7fc0)).empty());
}

TEST(RowBlocks, CutIntoWholeRowsThatFit) {
  EXPECT_EQ(RowBlocks({{0, 0}, {5, 4}}, 2, 16).size(), 3u);
  EXPECT_EQ(RowBlocks({{0, 0}, {5, 4}}, 2, 1).size(), 5u);
  EXPECT_EQ(RowBlocks({{2}, {10}}, 2, 8).back(), (Box{{10}, {2}}));
  EXPECT_TRUE(RowBlocks({{0}, {0}}, 2, 8).empty());
  EXPECT_EQ(RowBlocks({}, 2, 8).size(), 1u);
}

}  // namespace
}  // namespace nemo
