// A context/model.yaml as NeMo 2 writes it, for the golden model `micro`.
#pragma once

#include <string>
#include <string_view>

namespace nemo::testing {

inline constexpr std::string_view kMicroYaml =
    R"(_target_: nemo.collections.llm.gpt.model.nemotron.NemotronModel
config:
  _cpu_offloading_context: null
  _target_: nemo.collections.llm.gpt.model.nemotron.NemotronConfig
  activation_func:
    _call_: false
    _target_: nemo.collections.llm.fn.activation.squared_relu
  add_bias_linear: false
  ffn_hidden_size: 64
  hidden_size: 32
  kv_channels: 8
  layernorm_epsilon: 1.0e-05
  layernorm_zero_centered_gamma: true
  make_vocab_size_divisible_by: 128
  normalization: LayerNorm
  num_attention_heads: 4
  num_layers: 2
  num_query_groups: 2
  params_dtype:
    _call_: false
    _target_: torch.bfloat16
  pipeline_model_parallel_size: 1
  position_embedding_type: rope
  rotary_base: 10000.0
  rotary_percent: 0.5
  seq_length: 512
  share_embeddings_and_output_weights: false
  tensor_model_parallel_size: 2
optim: null
tokenizer:
  _target_: nemo.collections.common.tokenizers.sentencepiece_tokenizer.SentencePieceTokenizer
  legacy: false
  model_path: tokenizer.model
)";

/// kMicroYaml with the first `from` changed to `to`.
inline std::string Changed(std::string_view from, std::string_view to) {
  std::string text(kMicroYaml);
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace nemo::testing
