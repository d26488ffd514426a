// A small model on the ranks of a layout, whatever their backend: all its logits.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/reference/backend.h"
#include "libcore/runtime/engine.h"
#include "tools/nemo-bench/engine/synthetic_source.h"

namespace nemo::testing {

inline ModelConfig SmallModel() {
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

struct ModelRun {
  int tp = 1, pp = 1;
  std::function<Result<std::unique_ptr<Backend>>()> backend;
};

/// Three prompts of different lengths in one step, then six tokens of each; all logits in order.
inline Status Drive(Engine& engine, std::vector<float>* logits) {
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

inline Result<std::vector<float>> LogitsWith(const ModelRun& run) {
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

/// Logits of SmallModel on one rank of the reference backend.
inline std::vector<float> ExpectedLogits() {
  auto logits = LogitsWith(
      {1, 1, []() -> Result<std::unique_ptr<Backend>> { return CreateReferenceBackend(); }});
  EXPECT_TRUE(logits) << logits.error().message();
  return logits ? *logits : std::vector<float>();
}

}  // namespace nemo::testing
