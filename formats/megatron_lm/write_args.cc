// The arguments that Megatron-LM looks for in a checkpoint. Facts:
// megatron/training/checkpointing.py (load_args_from_checkpoint, check_checkpoint_args),
// arguments.py (types); docs/formats/megatron_lm.md.
#include <cmath>

#include "formats/megatron_lm/args.h"

namespace nemo::megatron_lm {
namespace {

using torch::PickleValue;
using Entries = PickleValue::Dict;

/// --rotary-base is an integer where it can be.
PickleValue RotaryBase(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value == std::floor(value) && value < kExact) return static_cast<int64_t>(value);
  return value;
}

void AddSizes(const ModelConfig& model, Entries& args) {
  const bool grouped = model.num_query_groups != model.num_attention_heads;
  args.emplace_back("num_layers", model.num_layers);
  args.emplace_back("hidden_size", model.hidden_size);
  args.emplace_back("ffn_hidden_size", model.ffn_hidden_size);
  args.emplace_back("num_attention_heads", model.num_attention_heads);
  args.emplace_back("kv_channels", model.kv_channels);
  args.emplace_back("group_query_attention", grouped);
  args.emplace_back("num_query_groups", model.num_query_groups);
  args.emplace_back("max_position_embeddings", model.max_position_embeddings);
  args.emplace_back("seq_length", model.max_position_embeddings);
  args.emplace_back("vocab_size",
                    model.vocab_size == 0 ? PickleValue() : PickleValue(model.vocab_size));
  args.emplace_back("padded_vocab_size", model.padded_vocab_size);
  args.emplace_back("make_vocab_size_divisible_by", model.make_vocab_size_divisible_by);
}

void AddFeatures(const ModelConfig& model, Entries& args) {
  args.emplace_back("position_embedding_type", "rope");
  args.emplace_back("rotary_percent", model.rotary_percent);
  args.emplace_back("rotary_base", RotaryBase(model.rotary_base));
  args.emplace_back("rotary_interleaved", false);
  args.emplace_back("normalization", "LayerNorm");
  // The first is the name since core 0.5, the second the one before.
  args.emplace_back("norm_epsilon", model.layernorm_epsilon);
  args.emplace_back("layernorm_epsilon", model.layernorm_epsilon);
  args.emplace_back("apply_layernorm_1p", model.layernorm_zero_centered_gamma);
  args.emplace_back("squared_relu", true);
  args.emplace_back("untie_embeddings_and_output_weights",
                    !model.share_embeddings_and_output_weights);
  for (const char* name : {"swiglu", "add_bias_linear", "add_qkv_bias", "qk_layernorm"}) {
    args.emplace_back(name, false);
  }
  for (const char* name : {"num_experts", "window_size"}) args.emplace_back(name, PickleValue());
}

void AddRun(const ParallelLayout& layout, Entries& args) {
  args.emplace_back("tensor_model_parallel_size", layout.tp_size);
  args.emplace_back("pipeline_model_parallel_size", layout.pp_size);
  args.emplace_back("virtual_pipeline_model_parallel_size", PickleValue());
  args.emplace_back("expert_model_parallel_size", 1);
  args.emplace_back("bf16", true);
  args.emplace_back("ckpt_format", "torch_dist");
}

}  // namespace

torch::PickleValue ArgsValue(const SavedRun& run) {
  Entries args;
  AddSizes(run.model, args);
  AddFeatures(run.model, args);
  AddRun(run.layout, args);
  return PickleValue::Object(PickleValue::Global("argparse", "Namespace"),
                             PickleValue::DictOf(std::move(args)));
}

}  // namespace nemo::megatron_lm
