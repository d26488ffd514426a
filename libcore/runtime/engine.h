// Engine: weights + KV cache; a batch of token positions in, scored rows of logits out. Prefill and
// decode are one call. Ranks: rank = pp_rank * tp_size + tp_rank; each runs its stage's layers
// (docs/runtime.md).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/kv_cache.h"
#include "libcore/runtime/logit_head.h"
#include "libcore/runtime/stage.h"
#include "libcore/runtime/weights.h"

namespace nemo {

struct EngineOptions {
  DTypeProfile profile = DTypeProfile::kMegatron;
  int64_t max_step_tokens = 256;    ///< of one Forward; all buffers are sized by it
  int64_t max_sequences = 8;        ///< slots of the KV cache
  int64_t max_sequence_tokens = 0;  ///< of one sequence; 0: the model's max_position_embeddings
  int64_t kv_pages = 0;             ///< per layer; 0: every slot can be full
  int64_t logit_rows = 64;          ///< rows of logits in memory at once
};

/// With the numbers that its zeros stand for.
EngineOptions WithDefaults(EngineOptions options, const ModelConfig& config);

/// Consecutive tokens of one sequence.
struct SequenceStep {
  int64_t slot = 0;   ///< of the KV cache, reserved up to the last token
  int64_t start = 0;  ///< position of token_ids[0]; earlier ones have been fed
  std::vector<int32_t> token_ids;
  int64_t num_logit_rows = 0;    ///< the last this many tokens want logits
  std::vector<int32_t> targets;  ///< per such row a token whose logit is wanted, -1: none; or empty
  int64_t num_whole_rows = 0;    ///< the last this many of the rows want all logits
  int64_t num_top = 0;           ///< of the largest logits, for each row
  std::optional<TokenDraw> draw;  ///< for the last row: LogitRow::token_id is wanted
};

struct Batch {
  std::vector<SequenceStep> sequences;  ///< distinct slots
};

/// One per rank. Not thread-safe; refers to backend and world.
class Engine {
 public:
  /// Collective over `world`. kInvalidArgument: the layout does not have world.size() ranks, the
  /// options make no sense, or another rank was given other ones. kIo: out of memory.
  static Result<std::unique_ptr<Engine>> Create(const ModelConfig& config,
                                                const ParallelLayout& layout,
                                                const EngineOptions& options, RankWeights weights,
                                                Backend& backend, Communicator& world);

  /// Runs `batch` through this rank's stage. Collective: every rank calls it with the same batch.
  /// Returns the requested rows in order (sequences, then their rows) on each rank of the last
  /// stage, nothing elsewhere. The same numbers for every batch, chunking and, where
  /// RankShape::invariant, layout. kInvalidArgument: too many tokens, an id outside the vocabulary,
  /// a position that is not reserved. kCorruption, on the last stage: logits that are no numbers.
  Result<std::vector<LogitRow>> Forward(const Batch& batch);

  /// Stage::Observe.
  void Observe(StreamObserver observer) { stage_->Observe(std::move(observer)); }

  KvCache& kv() { return kv_; }
  Communicator& world() { return world_; }
  Communicator& tp() { return *tp_; }  ///< the ranks of this stage
  const ModelConfig& config() const { return config_; }
  const EngineOptions& options() const { return options_; }
  const RankShape& shape() const { return weights_.shape; }
  /// World rank that speaks for the last stage.
  int last_stage_root() const { return static_cast<int>((shape().pp_size - 1) * shape().tp_size); }
  int64_t weight_bytes() const { return weights_.size_bytes(); }

 private:
  Engine(const ModelConfig& config, const EngineOptions& options, RankWeights weights,
         Backend& backend, Communicator& world, std::unique_ptr<Communicator> tp, KvCache kv);

  Status CheckBatch(const Batch& batch) const;
  std::vector<LogitRequest> RequestsOf(const Batch& batch) const;

  const ModelConfig config_;
  const EngineOptions options_;
  const RankWeights weights_;
  Backend& backend_;
  Communicator& world_;
  std::unique_ptr<Communicator> tp_;
  KvCache kv_;
  std::unique_ptr<Stage> stage_;  // refers to the members above
};

}  // namespace nemo
