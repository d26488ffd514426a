// What a rank is said to take is what it takes.
#include "libcore/runtime/rank_memory.h"

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/runtime/model/golden_model.h"
#include "tests/models.h"

namespace nemo {
namespace {

TEST(MemoryOfRank, IsThatOfTheLoadedWeights) {
  const struct {
    const char* name;
    int64_t tp_size, pp_size;
  } kCases[] = {{"micro", 1, 1}, {"micro", 2, 2}, {"tied", 1, 1}, {"tied", 1, 2}};
  for (const auto& row : kCases) {
    SCOPED_TRACE(Format("{} {} {}", row.name, row.tp_size, row.pp_size));
    const auto model = testing::LoadGoldenModel(row.name);
    ASSERT_TRUE(model) << model.error().message();
    // The backend whose weights have no padding.
    testing::RunOptions options = {.backend = "reference"};
    options.layout = {.tp_size = row.tp_size, .pp_size = row.pp_size};
    const Status status = testing::RunEngines(*model, options, [&](Engine& engine) -> Status {
      const int rank = engine.world().rank();
      NEMO_ASSIGN_OR_RETURN(const RankMemory memory,
                            MemoryOfRank(model->config, options.layout, rank, options.engine));
      EXPECT_EQ(memory.weight_bytes, engine.weight_bytes()) << "rank " << rank;
      return OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

TEST(MemoryOfRank, Of340BIsWhatItsParametersTake) {
  const auto rank = MemoryOfRank(testing::Nemotron340B(), {.tp_size = 8, .pp_size = 2}, 0,
                                 {.max_sequences = 1, .max_sequence_tokens = 4096});
  ASSERT_TRUE(rank) << rank.error().message();
  // 341 billion parameters of two bytes on 16 ranks (docs/slurm.md).
  EXPECT_NEAR(static_cast<double>(rank->weight_bytes), 43e9, 0.5e9);
  // 48 layers, one K/V head of 192, two of them, two bytes.
  EXPECT_EQ(rank->kv_bytes, int64_t{4096} * 48 * 2 * 192 * 2);
}

}  // namespace
}  // namespace nemo
