// LogitHead: the end of a step on the last stage. What is wanted of each row of logits, put
// together over the tensor ranks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/arena.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/host_bridge.h"
#include "libcore/runtime/rank_shape.h"
#include "libcore/runtime/row_score.h"
#include "libcore/runtime/sampler.h"
#include "libcore/runtime/shard_lists.h"

namespace nemo {

/// A row of hidden states, and what is asked about its logits.
struct LogitRequest {
  int64_t hidden_row = 0;
  int32_t target = -1;              ///< a token whose logit is wanted; -1: none
  bool whole = false;               ///< the row of logits itself is wanted
  const TokenDraw* draw = nullptr;  ///< how a token is to be chosen; it is the target then
  int64_t num_top = 0;              ///< how many of the largest logits are wanted
};

struct LogitRow {
  RowScore score;
  int32_t token_id = -1;       ///< the one that was drawn
  float target_logit = 0;      ///< untouched by the draw's parameters
  std::vector<Candidate> top;  ///< as TopOf gives them, from untouched logits
  std::vector<float> logits;   ///< [vocab_size] where the request was `whole`, else empty
};

/// One per rank of the last stage. Logits exist for a block of rows at a time, in the backend's
/// memory; from it, and between tensor ranks, come the chunks' statistics, the lists of
/// token_draws.h, and whole rows only where they are asked for.
class LogitHead {
 public:
  struct Options {
    int64_t vocab_size = 0;
    int64_t block_rows = 64;  ///< rows of logits in memory at once
    int64_t max_used = 0;     ///< tokens of a sequence: as many may be penalized
  };
  /// Computes this rank's logits [rows, columns] of some hidden rows (OutputLayer).
  using ComputeLogits = std::function<Status(std::span<const int32_t> hidden_rows, float* logits)>;

  /// `cut`: the rank's columns of the vocabulary; outlives the head.
  static Result<std::unique_ptr<LogitHead>> Create(const Options& options, const VocabCut& cut,
                                                   Backend& backend, Communicator& tp);

  /// Collective over the tensor ranks; all of them get the same rows, in the order of the requests.
  Result<std::vector<LogitRow>> Run(const ComputeLogits& compute,
                                    std::span<const LogitRequest> requests);

 private:
  LogitHead(const Options& options, const VocabCut& cut, Backend& backend, Communicator& tp)
      : options_(options), cut_(cut), backend_(backend), tp_(tp), bridge_(backend) {}

  Status ComputeBlock(const ComputeLogits& compute, std::span<const LogitRequest> block);
  Status MergeScores(std::span<LogitRow> rows);
  Status Draw(std::span<const LogitRequest> block, std::span<LogitRow> rows);
  Status FetchTargets(std::span<const LogitRequest> block, std::span<LogitRow> rows);
  Status FetchTop(std::span<const LogitRequest> block, std::span<LogitRow> rows);
  Status FetchWhole(std::span<const LogitRequest> block, std::span<LogitRow> rows);

  const Options options_;
  const VocabCut& cut_;
  Backend& backend_;
  Communicator& tp_;
  HostBridge bridge_;
  Arena arena_;
  float* logits_ = nullptr;      // [block_rows, columns]
  ChunkStats* stats_ = nullptr;  // [block_rows, chunks]
  int32_t* targets_ = nullptr;   // [block_rows]
  float* picked_ = nullptr;      // [block_rows] logits of the targets
  std::unique_ptr<ShardLists> lists_;
};

}  // namespace nemo
