// transformers' names of Nemotron's tensors and their places in the canonical ones: the fused QKV
// is three tensors here. Both reading (NameMap) and writing (PlanHf) follow this one table.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/model/config.h"
#include "libcore/model/name_map.h"
#include "libcore/tensor/box.h"
#include "libcore/tensor/spec.h"

namespace nemo::hf {

/// Which rows of its canonical tensor a stored tensor has.
enum class Part { kWhole, kQuery, kKey, kValue };

struct StoredTensor {
  std::string name;            ///< model.layers.0.self_attn.q_proj.weight
  std::string canonical_name;  ///< decoder.layers.0.self_attention.linear_qkv.weight
  Part part = Part::kWhole;
  Shape shape;
};

/// Every tensor of a checked config, in the order of transformers' state dict.
std::vector<StoredTensor> StoredTensors(const ModelConfig& config);

/// The same elements in both.
struct Piece {
  Box canonical;
  Box stored;
};
/// What `tensor` holds of its canonical tensor, ascending in both: one piece, or one per query
/// group.
std::vector<Piece> PiecesOf(const StoredTensor& tensor, const ModelConfig& config);

struct MappedNames {
  std::vector<TensorSpec> canonical;
  NameMap map;
};
/// A tensor of the checkpoint and the source that holds it.
struct FoundTensor {
  const TensorSpec* spec = nullptr;
  int source_index = 0;
};
using FoundTensors = std::map<std::string, FoundTensor, std::less<>>;

/// Finds every tensor of `config` among `found`. A tied model's lm_head, when it is stored, is a
/// replica of the embedding. kCorruption: a tensor is missing or its shape or the number of layers
/// contradicts config.json. kUnsupported: a tensor that the model has no place for.
Result<MappedNames> MapNames(const ModelConfig& config, const FoundTensors& found);

}  // namespace nemo::hf
