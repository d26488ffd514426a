// A whole model on the emulated device: prompts, decoding in recorded steps, ranks that sum there.
#include <cmath>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/cuda/backend.h"
#include "kernels/reference/backend.h"
#include "libcore/base/format.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/padded_batch.h"
#include "tests/kernels/cuda/emulator/runtime.h"
#include "tools/nemo-bench/engine/synthetic_source.h"

namespace nemo::testing {
namespace {

ModelConfig SmallModel() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 64;
  config.ffn_hidden_size = 192;
  config.num_attention_heads = 4;
  config.num_query_groups = 2;
  config.kv_channels = 128;
  config.vocab_size = 320;
  config.padded_vocab_size = 384;
  config.max_position_embeddings = 128;
  return config;
}

struct Run {
  int tp = 1, pp = 1;
  std::function<Result<std::unique_ptr<Backend>>()> backend;
};

/// One step of logits for each listed (slot, start, tokens).
struct Step {
  int64_t slot, start;
  std::vector<int32_t> ids;
};

/// Three prompts of different lengths in one step, then six tokens of each; all logits in order.
Status Drive(Engine& engine, std::vector<float>* logits) {
  const int64_t lengths[] = {70, 3, 20};
  constexpr int64_t kDecoded = 6;
  for (int64_t step = 0; step <= kDecoded; ++step) {
    Batch batch;
    for (int64_t slot = 0; slot < 3; ++slot) {
      SequenceStep s;
      s.slot = slot;
      s.start = step == 0 ? 0 : lengths[slot] + step - 1;
      const int64_t count = step == 0 ? lengths[slot] : 1;
      for (int64_t i = 0; i < count; ++i) {
        s.token_ids.push_back(static_cast<int32_t>((37 * (s.start + i) + 11 * slot) % 320));
      }
      s.num_logit_rows = s.num_whole_rows = 1;
      NEMO_RETURN_IF_ERROR(engine.kv().book().Reserve(slot, s.start + count));
      batch.sequences.push_back(std::move(s));
    }
    NEMO_ASSIGN_OR_RETURN(const std::vector<LogitRow> rows, engine.Forward(batch));
    for (const LogitRow& row : rows)
      logits->insert(logits->end(), row.logits.begin(), row.logits.end());
  }
  return OkStatus();
}

Result<std::vector<float>> LogitsWith(const Run& run) {
  const ModelConfig config = SmallModel();
  NEMO_ASSIGN_OR_RETURN(const auto source, SyntheticSource::Create(config));
  ParallelLayout layout;
  layout.tp_size = run.tp;
  layout.pp_size = run.pp;
  std::vector<float> logits;
  const Status status = RunRanks(run.tp * run.pp, [&](Communicator& world) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, run.backend());
    NEMO_ASSIGN_OR_RETURN(RankWeights weights, LoadWeights(*source, config, layout, world.rank(),
                                                           *backend, 1, NullProgress()));
    EngineOptions options;
    options.max_step_tokens = 96;
    options.max_sequences = 3;
    NEMO_ASSIGN_OR_RETURN(const auto engine, Engine::Create(config, layout, options,
                                                            std::move(weights), *backend, world));
    std::vector<float> mine;
    NEMO_RETURN_IF_ERROR(Drive(*engine, &mine));
    if (world.rank() == engine->last_stage_root()) logits = std::move(mine);
    return world.Barrier();
  });
  NEMO_RETURN_IF_ERROR(status);
  return logits;
}

class EmulatedEngine : public ::testing::Test {
 protected:
  void SetUp() override {
    simt::SetOrder(simt::Order::kShuffled);
    auto expected = LogitsWith(
        {1, 1, []() -> Result<std::unique_ptr<Backend>> { return CreateReferenceBackend(); }});
    ASSERT_TRUE(expected) << expected.error().message();
    expected_ = std::move(*expected);
    ASSERT_EQ(expected_.size(), 7u * 3 * 320);
  }
  std::vector<float> expected_;
};

TEST_F(EmulatedEngine, HasTheBitsOfTheReferenceWhereItPromisesThem) {
  const int64_t launches = simt::NumCalls("cudaGraphLaunch");
  for (const auto& [tp, pp] : {std::pair{1, 1}, {1, 2}, {2, 2}}) {
    const auto logits =
        LogitsWith({tp, pp, [] { return CreateCudaBackend({.deterministic = true}); }});
    ASSERT_TRUE(logits) << logits.error().message();
    EXPECT_EQ(*logits, expected_) << "TP" << tp << " PP" << pp;
  }
  // Of six decode steps of each of seven ranks the first is done as it is.
  EXPECT_EQ(simt::NumCalls("cudaGraphLaunch") - launches, 7 * 5);
}

TEST_F(EmulatedEngine, IsWithinRoundingOfTheReferenceOnTheTensorCores) {
  for (const int tp : {1, 2}) {
    const auto logits = LogitsWith({tp, 1, [] { return CreateCudaBackend({}); }});
    ASSERT_TRUE(logits) << logits.error().message();
    double square = 0, difference = 0;
    for (size_t i = 0; i < expected_.size(); ++i) {
      square += double{expected_[i]} * expected_[i];
      difference += std::pow(double{(*logits)[i]} - expected_[i], 2);
    }
    EXPECT_GT(square, 0);
    // The rms of what bf16 leaves open: see docs/nemo-bench.md, --check.
    EXPECT_LT(std::sqrt(difference / square), 1.0 / 128) << "TP" << tp;
    if (tp > 1) continue;
    const auto again = LogitsWith({tp, 1, [] { return CreateCudaBackend({}); }});
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *logits) << "the same batch on the same layout";
  }
}

TEST(PaddedBatch, HasFewSizes) {
  EXPECT_EQ(PaddedBatch(1), 1);
  EXPECT_EQ(PaddedBatch(2), 2);
  EXPECT_EQ(PaddedBatch(3), 4);
  EXPECT_EQ(PaddedBatch(5), 8);
  EXPECT_EQ(PaddedBatch(9), 16);
  EXPECT_EQ(PaddedBatch(33), 40);
  EXPECT_EQ(PaddedBatch(256), 256);
  EXPECT_EQ(PaddedBatch(257), 0);
}

}  // namespace
}  // namespace nemo::testing
