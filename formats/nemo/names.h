// The keys of a Megatron Core distributed checkpoint -> canonical names.
// Facts: megatron/core/transformer/transformer_block.py (sharded_state_dict): layers stacked in one
// array under a key without layer number, or one array per layer. docs/formats/nemo.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/model/config.h"
#include "libcore/model/name_map.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// False for the keys of a checkpoint that are no weights whatever the model: states of an
/// optimizer (which repeat the model's keys behind a prefix of their own) and extra states of
/// layers.
bool IsModelKey(std::string_view key);

/// "decoder.layers.17.mlp.linear_fc1.weight" is layer 17's "mlp.linear_fc1.weight"; the layer of
/// any other name is -1.
struct LayerName {
  int64_t layer = -1;
  std::string_view rest;
};
LayerName LayerNameOf(std::string_view name);

/// What stands before Megatron's own names in every key of the model: "model.", "module.", "".
/// kCorruption: no key ends in a final layer norm's name, or several do.
Result<std::string> DetectPrefix(std::span<const TensorSpec> stored);

/// Rows of the stored embedding. kCorruption: there is no matrix of that name.
Result<int64_t> StoredVocabRows(std::span<const TensorSpec> stored, const std::string& prefix);

struct MappedNames {
  std::vector<TensorSpec> canonical;
  NameMap map;  ///< all pieces in source 0
};

/// Finds every logical tensor of `config` among `stored` (sorted by name), stacked or layer by
/// layer. kCorruption: a tensor is missing, or its shape or the number of layers contradicts the
/// config. kUnsupported: weights that the config's architecture has no place for (a bias, position
/// embeddings).
Result<MappedNames> MapNames(const ModelConfig& config, std::span<const TensorSpec> stored,
                             const std::string& prefix);

}  // namespace nemo
