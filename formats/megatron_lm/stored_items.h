// Which items a rank writes into a distributed checkpoint.
// Facts: megatron/core/transformer/transformer_block.py (sharded_state_dict), mapping.py (keys of
// objects); docs/formats/megatron_lm.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/dcp/items.h"
#include "libcore/layout/plan.h"

namespace nemo::megatron_lm {

/// What a name is called in a distributed checkpoint: layers are a stack under one key.
struct StackedName {
  std::string key;     ///< decoder.layers.mlp.linear_fc1.weight
  int64_t layer = -1;  ///< its place in the stack; -1: it is of no layer
};
StackedName StackedNameOf(std::string_view name);

/// The items of a file whose tensors have their notes as they stand in the checkpoint: of layers,
/// the stack [num_layers, ...] and the place in it. First the tensors in their order, then, in the
/// files of first tensor-parallel ranks, the extra states of the same modules: Megatron Core asks
/// for them when it loads; these say that there is none.
dcp::FileItems ItemsOf(const PlannedFile& file);

}  // namespace nemo::megatron_lm
