#include "formats/megatron/rank_names.h"

#include <charconv>
#include <utility>

#include "libcore/base/format.h"

namespace nemo::megatron {
namespace {

constexpr std::string_view kLayers = "decoder.layers.";
constexpr int64_t kMaxLayers = 1'000'000;

using Renaming = std::pair<std::string_view, std::string_view>;

// Beginnings of names outside of layers, from before Megatron Core.
constexpr Renaming kTop[] = {
    {"encoder.", "decoder."},
    {"transformer.", "decoder."},
    {"word_embeddings_for_head.", "output_layer."},
    {"word_embeddings.", "output_layer."},  // the last stage's copy of a tied embedding
};

// Beginnings of names inside a layer: the local layer spec's norms, and those from before.
constexpr Renaming kInLayer[] = {
    {"input_layernorm.", "self_attention.linear_qkv.layer_norm_"},
    {"pre_mlp_layernorm.", "mlp.linear_fc1.layer_norm_"},
    {"post_attention_layernorm.", "mlp.linear_fc1.layer_norm_"},
    {"self_attention.query_key_value.", "self_attention.linear_qkv."},
    {"self_attention.dense.", "self_attention.linear_proj."},
    {"attention.query_key_value.", "self_attention.linear_qkv."},
    {"attention.dense.", "self_attention.linear_proj."},
    {"mlp.dense_h_to_4h.", "mlp.linear_fc1."},
    {"mlp.dense_4h_to_h.", "mlp.linear_fc2."},
};

template <typename Table>
std::string Renamed(std::string_view name, const Table& table) {
  for (const auto& [from, to] : table) {
    if (name.starts_with(from)) return std::string(to) + std::string(name.substr(from.size()));
  }
  return std::string(name);
}

/// Without the names of torch.compile's and the data-parallel wrappers.
std::string Unwrapped(std::string_view stored_name) {
  constexpr std::string_view kCompiled = "_orig_mod.";
  std::string name(stored_name);
  for (size_t at; (at = name.find(kCompiled)) != std::string::npos;)
    name.erase(at, kCompiled.size());
  std::string_view rest = name;
  bool again = true;
  while (again) {
    again = false;
    for (const std::string_view wrapper : {"model.", "module.", "language_model."}) {
      if (!rest.starts_with(wrapper)) continue;
      rest.remove_prefix(wrapper.size());
      again = true;
    }
  }
  return std::string(rest);
}

/// Where the layer number of a canonical name ends; 0: it has none.
size_t LayerEnd(std::string_view name, int64_t& layer) {
  if (!name.starts_with(kLayers)) return 0;
  const char* const begin = name.data() + kLayers.size();
  const auto [end, error] = std::from_chars(begin, name.data() + name.size(), layer);
  if (error != std::errc() || layer < 0 || layer >= kMaxLayers ||
      end == name.data() + name.size() || *end != '.')
    return 0;
  return static_cast<size_t>(end - name.data());
}

}  // namespace

std::string CanonicalRankName(std::string_view stored_name) {
  const std::string name = Renamed(Unwrapped(stored_name), kTop);
  int64_t layer = 0;
  const size_t end = LayerEnd(name, layer);
  if (end == 0) return name;
  return name.substr(0, end + 1) + Renamed(std::string_view(name).substr(end + 1), kInLayer);
}

int64_t LayerOf(std::string_view canonical_name) {
  int64_t layer = 0;
  return LayerEnd(canonical_name, layer) == 0 ? -1 : layer;
}

std::string WithLayer(std::string_view canonical_name, int64_t layer) {
  int64_t old = 0;
  const size_t end = LayerEnd(canonical_name, old);
  if (end == 0) return std::string(canonical_name);
  return Format("{}{}{}", kLayers, layer, canonical_name.substr(end));
}

}  // namespace nemo::megatron
