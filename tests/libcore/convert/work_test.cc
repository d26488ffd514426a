#include "libcore/convert/work.h"

#include <set>
#include <utility>

#include <gtest/gtest.h>

#include "libcore/layout/planner.h"
#include "libcore/model/architecture.h"

namespace nemo {
namespace {

ModelConfig Small() {
  ModelConfig c;
  c.num_layers = 4;
  c.hidden_size = 8;
  c.ffn_hidden_size = 16;
  c.num_attention_heads = 4;
  c.num_query_groups = 2;
  c.kv_channels = 4;
  c.max_position_embeddings = 64;
  c.vocab_size = c.padded_vocab_size = 32;
  c.make_vocab_size_divisible_by = 4;
  return c;
}

Plan PlanOf(const ParallelLayout& layout) {
  std::vector<TensorSpec> specs;
  for (const LogicalTensor& tensor : *LogicalTensors(Small())) {
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
  }
  std::sort(specs.begin(), specs.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return *PlanShards(Small(), specs, layout, {VocabRule::Kind::kKeep});
}

constexpr auto kAll = [](const PlanIndex&) { return true; };
constexpr auto kOneFile = [](const std::vector<const Move*>&) { return true; };
constexpr auto kSingleRows = [](const PlanIndex&) -> int64_t { return 1; };

const PlannedTensor& At(const Plan& plan, const PlanIndex& index) {
  return plan.files[index.file].tensors[index.tensor];
}

TEST(Work, EveryTensorIsInOneGroupAndItsBlocksCoverIt) {
  for (const ParallelLayout& layout :
       {ParallelLayout{1, 1}, ParallelLayout{2, 2}, ParallelLayout{4, 1},
        ParallelLayout{.tp_size = 4, .pp_size = 2, .kv_duplicate = true}}) {
    const Plan plan = PlanOf(layout);
    std::set<std::pair<size_t, size_t>> seen;
    for (const WorkGroup& group : MakeWork(plan, kAll, kOneFile, 100, kSingleRows)) {
      for (const PlanIndex& member : group.members) {
        EXPECT_TRUE(seen.emplace(member.file, member.tensor).second);
        int64_t row = 0;
        for (const Box& block : group.blocks) {
          EXPECT_EQ(block.offset[0], row);
          row += block.extent[0];
        }
        EXPECT_EQ(row, At(plan, member).tensor.spec.shape[0]);
      }
    }
    size_t total = 0;
    for (const PlannedFile& file : plan.files) total += file.tensors.size();
    EXPECT_EQ(seen.size(), total) << ToString(layout);
  }
}

TEST(Work, ShardsThatDivideColumnsAndCopiesAreReadTogether) {
  const Plan plan = PlanOf({.tp_size = 4});
  for (const WorkGroup& group : MakeWork(plan, kAll, kOneFile, 1 << 20, kSingleRows)) {
    const SinkTensor& tensor = At(plan, group.members.front()).tensor;
    const bool shared =
        tensor.note.shard_rule == "split_cols" || tensor.note.shard_rule == "replicate";
    EXPECT_EQ(group.members.size(), shared ? 4u : 1u) << tensor.spec.name;
    if (tensor.note.shard_rule != "split_cols") continue;
    EXPECT_EQ(group.shared.source, Box::Whole(tensor.note.global_shape));
    for (size_t rank = 0; rank < 4; ++rank) {
      EXPECT_EQ(group.place_in_shared[rank], At(plan, group.members[rank]).moves[0].source);
    }
  }
}

TEST(Work, ShardsThatLieApartAreReadApart) {
  const Plan plan = PlanOf({.tp_size = 4});
  const auto apart = [](const std::vector<const Move*>&) { return false; };
  for (const WorkGroup& group : MakeWork(plan, kAll, apart, 1 << 20, kSingleRows)) {
    EXPECT_EQ(group.members.size(), 1u);
  }
}

TEST(Work, StagesAreNotMixedAndFilesKeepTheirOrder) {
  const Plan plan = PlanOf({.tp_size = 2, .pp_size = 2});
  std::vector<size_t> next(plan.files.size(), 0);
  for (const WorkGroup& group : MakeWork(plan, kAll, kOneFile, 1 << 20, kSingleRows)) {
    for (const PlanIndex& member : group.members) {
      EXPECT_EQ(member.tensor, next[member.file]++);
      EXPECT_EQ(plan.files[member.file].pp_rank, plan.files[group.members[0].file].pp_rank);
    }
  }
}

TEST(Work, WhatIsNotWantedIsLeftOutOfItsGroup) {
  const Plan plan = PlanOf({.tp_size = 2});
  const auto wanted = [](const PlanIndex& index) { return index.file == 1; };
  size_t count = 0;
  for (const WorkGroup& group : MakeWork(plan, wanted, kOneFile, 1 << 20, kSingleRows)) {
    ASSERT_EQ(group.members.size(), 1u);
    EXPECT_EQ(group.members[0].file, 1u);
    ++count;
  }
  EXPECT_EQ(count, plan.files[1].tensors.size());
}

TEST(Work, BlocksKeepToTheirFilesRowsAndToTheirSize) {
  const Plan plan = PlanOf({.tp_size = 2});
  const auto three_rows = [](const PlanIndex&) -> int64_t { return 3; };
  for (const WorkGroup& group : MakeWork(plan, kAll, kOneFile, 64, three_rows)) {
    for (size_t i = 0; i < group.blocks.size(); ++i) {
      const Box& block = group.blocks[i];
      EXPECT_EQ(block.offset[0] % 3, 0);
      const bool is_last = i + 1 == group.blocks.size();
      EXPECT_TRUE(is_last || block.extent[0] % 3 == 0);
      const int64_t bytes = NumElements(block) * 2 * std::ssize(group.members);
      EXPECT_TRUE(bytes <= 64 || block.extent[0] <= 3) << bytes;
    }
  }
}

}  // namespace
}  // namespace nemo
