#include "formats/nemo/config_text.h"

#include <cmath>

#include "formats/nemo/artifact.h"
#include "formats/nemo/config.h"
#include "formats/nemo/config_fields.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr double kMaxInteger = 1e15;

/// As YAML 1.1 wants a number with a fraction: 1e-05 without a point would be text in Python.
std::string Number(double value) {
  std::string text = Format("{}", value);
  const size_t exponent = text.find('e');
  if (text.find('.') != std::string::npos) return text;
  return text.insert(exponent == std::string::npos ? text.size() : exponent, ".0");
}

/// Megatron Core's rotary embedding wants an integer.
std::string Base(double value) {
  const bool whole = value == std::floor(value) && std::abs(value) < kMaxInteger;
  return whole ? Format("{}", static_cast<int64_t>(value)) : Number(value);
}

/// The lines of a block mapping.
class Lines {
 public:
  Lines& Add(std::string_view key, std::string_view value) {
    text_ += Format("{}: {}\n", key, value);
    return *this;
  }
  Lines& Add(std::string_view key, int64_t value) { return Add(key, Format("{}", value)); }
  Lines& Add(std::string_view key, bool value) { return Add(key, value ? "true" : "false"); }
  Lines& Add(std::string_view key, const char* value) { return Add(key, std::string_view(value)); }
  Lines& Raw(std::string_view lines) {
    text_ += lines;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// What says how to run and train it, in the order of NeMo's own configurations.
constexpr std::string_view kRun =
    "init_method_std: 0.0063\n"
    "use_scaled_init_method: true\n"
    "hidden_dropout: 0.0\n"
    "attention_dropout: 0.0\n"
    "ffn_dropout: 0.0\n"
    "apply_query_key_layer_scaling: false\n"
    "do_layer_norm_weight_decay: false\n"
    "pre_process: true\n"
    "post_process: true\n"
    "persist_layer_norm: true\n"
    "native_amp_init_scale: 4294967296\n"
    "native_amp_growth_interval: 1000\n"
    "hysteresis: 2\n"
    "fp32_residual_connection: false\n"
    "fp16_lm_cross_entropy: false\n"
    "megatron_amp_O2: true\n"
    "grad_allreduce_chunk_size_mb: 125\n"
    "grad_div_ar_fusion: true\n"
    "gradient_accumulation_fusion: false\n"
    "bias_activation_fusion: false\n"
    "bias_dropout_add_fusion: false\n"
    "masked_softmax_fusion: true\n"
    "seed: 1234\n"
    "resume_from_checkpoint: null\n"
    "use_cpu_initialization: false\n"
    "onnx_safe: false\n"
    "apex_transformer_log_level: 30\n"
    "gradient_as_bucket_view: true\n"
    "sync_batch_comm: false\n"
    "activations_checkpoint_granularity: null\n"
    "activations_checkpoint_method: null\n"
    "activations_checkpoint_num_layers: null\n"
    "num_micro_batches_with_partial_activation_checkpoints: null\n"
    "activations_checkpoint_layers_per_pipeline: null\n"
    "sequence_parallel: false\n"
    "transformer_engine: true\n"
    "fp8: false\n"
    "ub_tp_comm_overlap: false\n"
    "optim:\n"
    "  name: fused_adam\n"
    "  lr: 0.0001\n"
    "  weight_decay: 0.1\n"
    "  betas:\n"
    "  - 0.9\n"
    "  - 0.95\n"
    "  sched:\n"
    "    name: CosineAnnealing\n"
    "    warmup_steps: 500\n"
    "    constant_steps: 0\n"
    "    min_lr: 1.0e-05\n";

void AddModel(const ModelConfig& config, Lines& lines) {
  const bool zero_centered = config.layernorm_zero_centered_gamma;
  lines.Add("encoder_seq_length", config.max_position_embeddings)
      .Add("max_position_embeddings", config.max_position_embeddings)
      .Add("num_layers", config.num_layers)
      .Add("hidden_size", config.hidden_size)
      .Add("ffn_hidden_size", config.ffn_hidden_size)
      .Add("num_attention_heads", config.num_attention_heads)
      .Add("num_query_groups", config.num_query_groups)
      .Add("kv_channels", config.kv_channels)
      .Add("normalization", zero_centered ? "layernorm1p" : "layernorm")
      .Add("layernorm_zero_centered_gamma", zero_centered)
      .Add("layernorm_epsilon", Number(config.layernorm_epsilon))
      .Add(kVocabMultipleKey, config.make_vocab_size_divisible_by)
      .Add("bias", false)
      .Add("activation", "squared-relu")
      .Add("headscale", false)
      .Add("transformer_block_type", "pre_ln")
      .Add("openai_gelu", false)
      .Add("normalize_attention_scores", true)
      .Add("position_embedding_type", "rope")
      .Add("rotary_percentage", Number(config.rotary_percent))
      .Add("rotary_base", Base(config.rotary_base))
      .Add("attention_type", "multihead")
      .Add("share_embeddings_and_output_weights", config.share_embeddings_and_output_weights);
}

}  // namespace

std::string ConfigText(const ModelConfig& config, const ParallelLayout& layout,
                       std::string_view tokenizer) {
  Lines lines;
  lines.Raw("mcore_gpt: true\nmicro_batch_size: 1\nglobal_batch_size: 1\n");
  lines.Add(kTensorParallelKey, layout.tp_size).Add(kPipelineParallelKey, layout.pp_size);
  lines.Add(kVirtualPipelineKey, layout.vpp_size == 1 ? "null" : Format("{}", layout.vpp_size));
  AddModel(config, lines);
  lines.Raw("tokenizer:\n  library: sentencepiece\n  type: null\n");
  lines.Add("  model", tokenizer.empty() ? "null" : Format("{}{}", kArtifactScheme, tokenizer));
  if (config.vocab_size > 0) lines.Add(Format("  {}", kTokenizerSizeKey), config.vocab_size);
  lines.Raw("  delimiter: null\n  vocab_file: null\n  merge_file: null\n")
      .Raw("  sentencepiece_legacy: false\n");
  lines.Raw(kRun);
  lines.Raw("data:\n  data_impl: mmap\n  splits_string: 98,1,1\n");
  lines.Add("  seq_length", config.max_position_embeddings);
  lines.Raw("  num_workers: 2\n  dataloader_type: single\n  index_mapping_dir: null\n")
      .Raw("  data_prefix: []\n");
  lines.Add("precision", "bf16");
  lines.Add("target",
            "nemo.collections.nlp.models.language_modeling.megatron_gpt_model.MegatronGPTModel");
  return lines.text();
}

}  // namespace nemo
