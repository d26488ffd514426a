// ShardLists: what a tensor rank tells of its shard of some rows of logits, so that tokens can be
// chosen from them. The backend looks at the logits; only lists and chunks come from its memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/arena.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/host_bridge.h"
#include "libcore/runtime/rank_shape.h"
#include "libcore/runtime/sampler.h"

namespace nemo {

/// Not thread-safe.
class ShardLists {
 public:
  struct Options {
    int64_t vocab_size = 0;
    int64_t max_rows = 64;  ///< of one call
    int64_t max_used = 0;   ///< different tokens of a row that the repetition penalty acts on
  };
  struct Row {
    int64_t row = 0;                  ///< of `logits`
    const TokenDraw* draw = nullptr;  ///< null: the best of the untouched row
  };

  /// `cut`: the rank's columns of the vocabulary; outlives the object.
  static Result<std::unique_ptr<ShardLists>> Create(const Options& options, const VocabCut& cut,
                                                    Backend& backend);

  /// One list for each of `rows`, which are different ones of `logits` [any, columns] (backend
  /// memory), of at most `limit` candidates. Beyond some thousands whole rows come to the host.
  Result<std::vector<ShardList>> Of(const float* logits, std::span<const Row> rows, int64_t limit);

 private:
  ShardLists(const Options& options, const VocabCut& cut, Backend& backend)
      : options_(options), cut_(cut), backend_(backend), bridge_(backend) {}

  Status Upload(std::span<const Row> rows);
  Status FetchChunks(std::span<const Row> rows, std::span<ShardList> lists);
  Status FetchBest(std::span<const Row> rows, int64_t limit, std::span<ShardList> lists);
  Status FetchRow(int64_t row, ShardList& list);

  const Options options_;
  const VocabCut& cut_;
  Backend& backend_;
  HostBridge bridge_;
  Arena arena_;
  RowDraw* draws_ = nullptr;           // [max_rows]
  int32_t* used_ = nullptr;            // [max_rows, max_used]
  float* scaled_ = nullptr;            // [max_rows, columns]
  Candidate* best_ = nullptr;          // [max_rows, limit]
  int32_t* num_candidates_ = nullptr;  // [max_rows]
  ChunkDraw* chunks_ = nullptr;        // [max_rows, chunks]
};

}  // namespace nemo
