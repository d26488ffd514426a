// ParallelLayout: tensor- and pipeline-parallel ranks, and which of them owns which box of what.
// Rank = pp_rank * tp_size + tp_rank (tensor ranks adjacent). Facts:
// megatron/core/parallel_state.py, transformer/transformer_layer.py (layer offsets).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/model/config.h"
#include "libcore/model/logical_tensor.h"

namespace nemo {

struct ParallelLayout {
  int64_t tp_size = 1;
  int64_t pp_size = 1;
  int64_t vpp_size = 1;                        ///< virtual stages (chunks) per pipeline rank
  std::vector<int64_t> layers_per_stage = {};  ///< uneven PP: one count per stage; empty: even
  bool kv_duplicate =
      false;  ///< TP beyond the query groups: whole K/V heads on each rank, not rows

  int64_t world_size() const { return tp_size * pp_size; }
  bool operator==(const ParallelLayout&) const = default;
};

/// Every constraint of `layout` on `config`: heads, groups, ffn, vocabulary rows, layers.
/// kInvalidArgument says which one fails and names the nearest legal values.
Status CheckLayout(const ParallelLayout& layout, const ModelConfig& config);

/// Global layer indices of a pipeline rank, ascending (all its virtual stages together).
std::vector<int64_t> LayersOfStage(const ParallelLayout& layout, const ModelConfig& config,
                                   int64_t pp_rank);
/// The pipeline rank that holds `tensor`.
int64_t StageOf(const ParallelLayout& layout, const ModelConfig& config,
                const LogicalTensor& tensor);

/// `tp_rank`'s shard of `tensor`. The layout must have passed CheckLayout.
Shard ShardOf(const LogicalTensor& tensor, const ParallelLayout& layout, const ModelConfig& config,
              int64_t tp_rank);

/// "TP2 x PP2", "TP8 x PP4 (12,28,28,28)".
std::string ToString(const ParallelLayout& layout);
Value ToValue(const ParallelLayout& layout);
Result<ParallelLayout> LayoutFromValue(const Value& value);

}  // namespace nemo
