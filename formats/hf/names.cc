#include "formats/hf/names.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/model/logical_tensor.h"

namespace nemo::hf {
namespace {

constexpr std::string_view kLayers = "model.layers.";
constexpr std::string_view kHead = "lm_head.weight";

struct Row {
  std::string_view name;
  std::string_view canonical;
  Part part;
  Shape shape;
};

/// One layer, in the order of the modules of NemotronDecoderLayer.
std::vector<Row> LayerRows(const ModelConfig& c) {
  const int64_t query_rows = c.num_attention_heads * c.kv_channels;
  const int64_t group_rows = c.num_query_groups * c.kv_channels;
  constexpr std::string_view kQkv = "self_attention.linear_qkv.weight";
  return {
      {"self_attn.q_proj.weight", kQkv, Part::kQuery, {query_rows, c.hidden_size}},
      {"self_attn.k_proj.weight", kQkv, Part::kKey, {group_rows, c.hidden_size}},
      {"self_attn.v_proj.weight", kQkv, Part::kValue, {group_rows, c.hidden_size}},
      {"self_attn.o_proj.weight",
       "self_attention.linear_proj.weight",
       Part::kWhole,
       {c.hidden_size, query_rows}},
      {"mlp.up_proj.weight",
       "mlp.linear_fc1.weight",
       Part::kWhole,
       {c.ffn_hidden_size, c.hidden_size}},
      {"mlp.down_proj.weight",
       "mlp.linear_fc2.weight",
       Part::kWhole,
       {c.hidden_size, c.ffn_hidden_size}},
      {"input_layernorm.weight",
       "self_attention.linear_qkv.layer_norm_weight",
       Part::kWhole,
       {c.hidden_size}},
      {"input_layernorm.bias",
       "self_attention.linear_qkv.layer_norm_bias",
       Part::kWhole,
       {c.hidden_size}},
      {"post_attention_layernorm.weight",
       "mlp.linear_fc1.layer_norm_weight",
       Part::kWhole,
       {c.hidden_size}},
      {"post_attention_layernorm.bias",
       "mlp.linear_fc1.layer_norm_bias",
       Part::kWhole,
       {c.hidden_size}},
  };
}

/// `count` rows of a matrix of `shape` from `begin`.
Box Rows(const Shape& shape, int64_t begin, int64_t count) {
  Box box = Box::Whole(shape);
  box.offset[0] = begin;
  box.extent[0] = count;
  return box;
}

/// Layers that the names speak of.
int64_t NumStoredLayers(const FoundTensors& found) {
  std::set<int64_t> layers;
  for (auto it = found.lower_bound(kLayers); it != found.end(); ++it) {
    const std::string_view name = it->first;
    if (!name.starts_with(kLayers)) break;
    int64_t layer = -1;
    const char* begin = name.data() + kLayers.size();
    const auto [end, error] = std::from_chars(begin, name.data() + name.size(), layer);
    if (error == std::errc() && layer >= 0) layers.insert(layer);
  }
  return static_cast<int64_t>(layers.size());
}

/// Gathers the pieces of each canonical tensor.
class Mapper {
 public:
  Mapper(const ModelConfig& config, const FoundTensors& found) : config_(config), found_(found) {}

  Status Map(const StoredTensor& tensor);
  /// Every tensor has served, or is known not to be a weight.
  Status CheckNothingLeft() const;
  MappedNames Finish() &&;

 private:
  const ModelConfig& config_;
  const FoundTensors& found_;
  std::set<std::string_view> used_;
  std::map<std::string, std::vector<NamePiece>> pieces_;
  std::map<std::string, TensorSpec> canonical_;
};

Status Mapper::Map(const StoredTensor& tensor) {
  const auto it = found_.find(tensor.name);
  if (it == found_.end()) {
    return Corruption(
        Format("tensor {} is missing; the save or the copy is incomplete", tensor.name));
  }
  const TensorSpec& spec = *it->second.spec;
  if (spec.shape != tensor.shape) {
    return Corruption(
        Format("tensor {}: stored shape {}, and config.json asks for {}; they do not "
               "belong together",
               spec.name, FormatList(spec.shape), FormatList(tensor.shape)));
  }
  used_.insert(it->first);
  TensorSpec& canonical = canonical_[tensor.canonical_name];
  if (canonical.name.empty()) {
    canonical = {tensor.canonical_name, spec.dtype, tensor.shape};
  } else if (tensor.part != Part::kWhole) {
    canonical.shape[0] += tensor.shape[0];  // query, key and value stand above one another
  }
  std::vector<NamePiece>& pieces = pieces_[tensor.canonical_name];
  for (Piece& piece : PiecesOf(tensor, config_)) {
    pieces.push_back({std::move(piece.canonical), it->second.source_index, tensor.name,
                      std::move(piece.stored)});
  }
  return OkStatus();
}

Status Mapper::CheckNothingLeft() const {
  for (const auto& [name, tensor] : found_) {
    // Rotary frequencies follow from the config.
    if (used_.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
    return Unsupported(Format(
        "tensor {}: the model that config.json describes has no place for it in this build", name));
  }
  return OkStatus();
}

MappedNames Mapper::Finish() && {
  MappedNames names;
  for (auto& [name, spec] : canonical_) names.canonical.push_back(std::move(spec));
  for (auto& [name, pieces] : pieces_) {
    // In the order of rows, whatever file they come from: covering a box is then linear.
    std::stable_sort(pieces.begin(), pieces.end(), [](const NamePiece& a, const NamePiece& b) {
      return a.canonical.offset[0] < b.canonical.offset[0];
    });
    for (NamePiece& piece : pieces) names.map.Add(name, std::move(piece));
  }
  return names;
}

}  // namespace

std::vector<StoredTensor> StoredTensors(const ModelConfig& c) {
  const Shape vocab = {c.padded_vocab_size, c.hidden_size};
  const Shape norm = {c.hidden_size};
  std::vector<StoredTensor> tensors;
  const auto add = [&](std::string name, std::string_view canonical, const Shape& shape) {
    tensors.push_back({std::move(name), std::string(canonical), Part::kWhole, shape});
  };
  add("model.embed_tokens.weight", kEmbeddingName, vocab);
  const std::vector<Row> rows = LayerRows(c);
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    for (const Row& row : rows) {
      tensors.push_back({Format("{}{}.{}", kLayers, layer, row.name),
                         Format("decoder.layers.{}.{}", layer, row.canonical), row.part,
                         row.shape});
    }
  }
  add("model.norm.weight", "decoder.final_layernorm.weight", norm);
  add("model.norm.bias", "decoder.final_layernorm.bias", norm);
  if (!c.share_embeddings_and_output_weights) add(std::string(kHead), kOutputLayerName, vocab);
  return tensors;
}

std::vector<Piece> PiecesOf(const StoredTensor& tensor, const ModelConfig& c) {
  if (tensor.part == Part::kWhole) return {{Box::Whole(tensor.shape), Box::Whole(tensor.shape)}};
  // A group's block of the fused tensor: its query heads, its key head, its value head.
  const int64_t queries = c.num_attention_heads / c.num_query_groups * c.kv_channels;
  const int64_t block = queries + 2 * c.kv_channels;
  const int64_t count = tensor.part == Part::kQuery ? queries : c.kv_channels;
  int64_t begin = 0;
  if (tensor.part == Part::kKey) begin = queries;
  if (tensor.part == Part::kValue) begin = queries + c.kv_channels;
  std::vector<Piece> pieces;
  for (int64_t group = 0; group < c.num_query_groups; ++group) {
    pieces.push_back({Rows(tensor.shape, group * block + begin, count),
                      Rows(tensor.shape, group * count, count)});
  }
  return pieces;
}

Result<MappedNames> MapNames(const ModelConfig& config, const FoundTensors& found) {
  // Before a list of names is made of a number that somebody wrote into config.json.
  const int64_t num_layers = NumStoredLayers(found);
  if (num_layers != config.num_layers) {
    return Corruption(
        Format("shape mismatch: config.json says num_hidden_layers {}, and the weights "
               "have {} layers; they do not belong together",
               config.num_layers, num_layers));
  }
  std::vector<StoredTensor> tensors = StoredTensors(config);
  if (config.share_embeddings_and_output_weights && found.contains(kHead)) {
    tensors.push_back(tensors.front());
    tensors.back().name = kHead;
  }
  Mapper mapper(config, found);
  for (const StoredTensor& tensor : tensors) NEMO_RETURN_IF_ERROR(mapper.Map(tensor));
  NEMO_RETURN_IF_ERROR(mapper.CheckNothingLeft());
  return std::move(mapper).Finish();
}

}  // namespace nemo::hf
