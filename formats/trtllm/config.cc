#include "formats/trtllm/config.h"

namespace nemo::trtllm {

Value ConfigValue(const Plan& plan) {
  const ModelConfig& config = plan.config;
  Value value;
  value.Set("architecture", "GPTForCausalLM");
  value.Set("dtype", "bfloat16");
  value.Set("logits_dtype", "float32");
  value.Set("num_hidden_layers", config.num_layers);
  value.Set("num_attention_heads", config.num_attention_heads);
  value.Set("num_key_value_heads", config.num_query_groups);
  value.Set("head_size", config.kv_channels);
  value.Set("hidden_size", config.hidden_size);
  value.Set("intermediate_size", config.ffn_hidden_size);
  value.Set("norm_epsilon", config.layernorm_epsilon);
  value.Set("vocab_size", config.padded_vocab_size);
  value.Set("position_embedding_type", "rope_gpt_neox");
  value.Set("max_position_embeddings", config.max_position_embeddings);
  value.Set("hidden_act", "squared-relu");
  value.Set("rotary_pct", config.rotary_percent);
  value.Set("rotary_base", config.rotary_base);
  value.Set("bias", false);
  value.Set("apply_query_key_layer_scaling", false);
  value.Set("share_embedding_table", config.share_embeddings_and_output_weights);
  value.Set("use_parallel_embedding", false);
  value.Set("embedding_sharding_dim", 0);
  value.Set("mapping", Value::Object{{"world_size", plan.layout.world_size()},
                                     {"tp_size", plan.layout.tp_size},
                                     {"pp_size", plan.layout.pp_size}});
  value.Set("quantization",
            Value::Object{{"quant_algo", Value()}, {"kv_cache_quant_algo", Value()}});
  return value;
}

}  // namespace nemo::trtllm
