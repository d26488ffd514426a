// The Nemotron architecture (Nemotron-3-8B, Nemotron-4-15B and -340B, Minitron): a Megatron GPT
// with grouped queries, squared ReLU, LayerNorm with zero-centred weights and biases, no linear
// biases. Names and shapes: megatron/core/models/gpt/gpt_model.py with the Transformer Engine layer
// spec, whose fused names (linear_qkv.layer_norm_weight) are the ones in distributed checkpoints.
#include "libcore/model/nemotron.h"

#include "libcore/base/format.h"

namespace nemo {

Status CheckNemotron(const ModelConfig& config) {
  NEMO_RETURN_IF_ERROR(CheckConfig(config));
  if (config.activation != "squared_relu") {
    return Unsupported(
        Format("activation '{}'; this architecture has squared_relu", config.activation));
  }
  if (config.normalization != "layernorm") {
    return Unsupported(
        Format("normalization '{}'; this architecture has layernorm", config.normalization));
  }
  return OkStatus();
}

std::vector<LogicalTensor> NemotronTensors(const ModelConfig& c) {
  const int64_t heads_width = c.num_attention_heads * c.kv_channels;
  const int64_t qkv_rows = heads_width + 2 * c.num_query_groups * c.kv_channels;
  const Shape norm = {c.hidden_size};
  struct Row {
    std::string_view name;
    Shape shape;
    ShardRule rule;
  };
  const Row layer_rows[] = {
      {"self_attention.linear_qkv.layer_norm_weight", norm, ShardRule::kReplicate},
      {"self_attention.linear_qkv.layer_norm_bias", norm, ShardRule::kReplicate},
      {"self_attention.linear_qkv.weight", {qkv_rows, c.hidden_size}, ShardRule::kQueryGroup},
      {"self_attention.linear_proj.weight", {c.hidden_size, heads_width}, ShardRule::kSplitCols},
      {"mlp.linear_fc1.layer_norm_weight", norm, ShardRule::kReplicate},
      {"mlp.linear_fc1.layer_norm_bias", norm, ShardRule::kReplicate},
      {"mlp.linear_fc1.weight", {c.ffn_hidden_size, c.hidden_size}, ShardRule::kSplitRows},
      {"mlp.linear_fc2.weight", {c.hidden_size, c.ffn_hidden_size}, ShardRule::kSplitCols},
  };

  const Shape vocab = {c.padded_vocab_size, c.hidden_size};
  std::vector<LogicalTensor> tensors;
  tensors.push_back({std::string(kEmbeddingName), vocab, ShardRule::kVocab, StageRole::kFirst, -1});
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    for (const Row& row : layer_rows) {
      tensors.push_back({Format("decoder.layers.{}.{}", layer, row.name), row.shape, row.rule,
                         StageRole::kLayer, layer});
    }
  }
  for (const char* name : {"decoder.final_layernorm.weight", "decoder.final_layernorm.bias"}) {
    tensors.push_back({name, norm, ShardRule::kReplicate, StageRole::kLast, -1});
  }
  if (!c.share_embeddings_and_output_weights) {
    tensors.push_back(
        {std::string(kOutputLayerName), vocab, ShardRule::kVocab, StageRole::kLast, -1});
  }
  return tensors;
}

}  // namespace nemo
