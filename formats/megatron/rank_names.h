// The names of parameters in the files of single ranks -> Megatron Core's names. A rank file has
// what torch's state_dict() gave: wrappers' prefixes, the norms of either layer spec, or the names
// from before Megatron Core. Facts: megatron/core/models/gpt/gpt_layer_specs.py; NeMo's
// scripts/checkpoint_converters/convert_gpt_nemo_to_mcore.py; docs/formats/nemo.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nemo::megatron {

/// The parameter as the canonical names have it, but for its layer number, which counts from the
/// first layer of the rank's chunk: "decoder.layers.0.mlp.linear_fc1.weight". Names that are not
/// known come back without the wrappers' prefixes.
std::string CanonicalRankName(std::string_view stored_name);

/// The layer of a canonical name; -1: not a layer's.
int64_t LayerOf(std::string_view canonical_name);
/// The canonical name with another layer number.
std::string WithLayer(std::string_view canonical_name, int64_t layer);

}  // namespace nemo::megatron
