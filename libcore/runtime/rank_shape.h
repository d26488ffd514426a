// RankShape: what one rank computes. Unlike the shards of files, it is chosen so that the
// arithmetic of a model does not depend on the number of ranks (docs/runtime.md, "One answer for
// every layout").
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

/// The vocabulary in chunks whose number is a multiple of 8 and does not depend on the tensor ranks
/// or on the file's padding: a chunk has 2000 columns where that divides the vocabulary in this
/// way, else an eighth of it, rounded up. The last chunk may reach past vocab_size: those rows are
/// zero and take no part.
struct VocabCut {
  int64_t chunk_columns = 0;
  int64_t num_chunks = 0;
  int64_t chunk_begin = 0, chunk_end = 0;  ///< this rank's chunks; may be none when TP exceeds them

  int64_t column_begin() const { return chunk_begin * chunk_columns; }
  int64_t num_columns() const { return (chunk_end - chunk_begin) * chunk_columns; }
  /// The most columns any rank has.
  int64_t max_rank_chunks(int64_t tp_size) const { return (num_chunks + tp_size - 1) / tp_size; }
};

VocabCut CutVocabulary(int64_t vocab_size, int64_t tp_size, int64_t tp_rank);
/// The tensor rank that owns column `id`.
int64_t OwnerOfColumn(const VocabCut& cut, int64_t tp_size, int64_t id);

struct RankShape {
  int64_t tp_size = 1, tp_rank = 0, pp_size = 1, pp_rank = 0;
  std::vector<int64_t> layers;  ///< global indices of this stage, ascending
  int64_t hidden_size = 0;
  int64_t head_dim = 0;
  int64_t num_q_heads = 0, q_head_begin = 0;
  int64_t num_kv_heads = 0,
          kv_head_begin = 0;  ///< a replica of one head when TP exceeds the query groups
  int64_t ffn_size = 0, ffn_begin = 0;
  int64_t rotary_dim = 0;
  int proj_leaves = 1, fc2_leaves = 1;  ///< canonical K leaves of this rank's share
  VocabCut vocab;
  /// True when every TP of 1, 2, 4 or 8 gives the bits of one rank: the rows of K fall into
  /// kNumLeaves equal leaves and TP divides their number.
  bool invariant = false;

  bool first_stage() const { return pp_rank == 0; }
  bool last_stage() const { return pp_rank == pp_size - 1; }
  int64_t qkv_columns() const { return (num_q_heads + 2 * num_kv_heads) * head_dim; }
};

/// kInvalidArgument: `layout` does not fit `config` or cannot run (virtual stages), `rank` is
/// outside of it, or the vocabulary's size is not known.
Result<RankShape> ShapeOfRank(const ModelConfig& config, const ParallelLayout& layout,
                              int64_t rank);

}  // namespace nemo
