#include "formats/megatron_lm/args.h"

#include <initializer_list>
#include <string_view>

#include "libcore/base/format.h"

namespace nemo::megatron_lm {
namespace {

using torch::PickleNode;
using Kind = PickleNode::Kind;

/// Typed lookups; an argument that is absent or None has its default.
class Args {
 public:
  explicit Args(const PickleNode& node) : node_(node) {}

  const PickleNode* Find(std::string_view name) const {
    const PickleNode* value = node_.Attribute(name);
    return value == nullptr || value->Is(Kind::kNone) ? nullptr : value;
  }
  Result<int64_t> Int(std::string_view name, int64_t fallback) const {
    const PickleNode* value = Find(name);
    if (value == nullptr) return fallback;
    return Named(name, value->AsInt());
  }
  Result<int64_t> RequiredInt(std::string_view name) const {
    if (Find(name) == nullptr) return Corruption(Format("args.{} is missing", name));
    return Int(name, 0);
  }
  Result<double> Number(std::string_view name, double fallback) const {
    const PickleNode* value = Find(name);
    if (value == nullptr) return fallback;
    return Named(name, value->AsFloat());
  }
  Result<bool> Bool(std::string_view name, bool fallback) const {
    const PickleNode* value = Find(name);
    if (value == nullptr) return fallback;
    return Named(name, value->AsBool());
  }
  Result<std::string_view> Text(std::string_view name, std::string_view fallback) const {
    const PickleNode* value = Find(name);
    if (value == nullptr) return fallback;
    return Named(name, value->AsText());
  }

 private:
  template <typename T>
  static Result<T> Named(std::string_view name, Result<T> value) {
    if (!value) return value.error().At(Format("args.{}", name));
    return value;
  }

  const PickleNode& node_;
};

Status ReadSizes(const Args& args, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(model.num_layers, args.RequiredInt("num_layers"));
  NEMO_ASSIGN_OR_RETURN(model.hidden_size, args.RequiredInt("hidden_size"));
  NEMO_ASSIGN_OR_RETURN(model.num_attention_heads, args.RequiredInt("num_attention_heads"));
  if (model.hidden_size < 1 || model.hidden_size > (int64_t{1} << 31) ||
      model.num_attention_heads < 1) {
    return Corruption(
        Format("args.hidden_size is {} and args.num_attention_heads {}; both must be "
               "positive and below 2^31",
               model.hidden_size, model.num_attention_heads));
  }
  NEMO_ASSIGN_OR_RETURN(model.ffn_hidden_size, args.Int("ffn_hidden_size", 4 * model.hidden_size));
  NEMO_ASSIGN_OR_RETURN(model.kv_channels,
                        args.Int("kv_channels", model.hidden_size / model.num_attention_heads));
  // num_query_groups has a default of 1, which counts only together with the switch.
  NEMO_ASSIGN_OR_RETURN(const bool grouped, args.Bool("group_query_attention", false));
  model.num_query_groups = model.num_attention_heads;
  if (grouped) {
    NEMO_ASSIGN_OR_RETURN(model.num_query_groups, args.RequiredInt("num_query_groups"));
  }
  NEMO_ASSIGN_OR_RETURN(model.max_position_embeddings, args.RequiredInt("max_position_embeddings"));
  NEMO_ASSIGN_OR_RETURN(model.vocab_size, args.Int("vocab_size", 0));
  NEMO_ASSIGN_OR_RETURN(model.make_vocab_size_divisible_by,
                        args.Int("make_vocab_size_divisible_by", 128));
  return OkStatus();
}

Status ReadNumbers(const Args& args, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(model.rotary_percent, args.Number("rotary_percent", 1.0));
  NEMO_ASSIGN_OR_RETURN(model.rotary_base, args.Number("rotary_base", 10000.0));
  NEMO_ASSIGN_OR_RETURN(const double older, args.Number("layernorm_epsilon", 1e-5));
  NEMO_ASSIGN_OR_RETURN(model.layernorm_epsilon, args.Number("norm_epsilon", older));
  NEMO_ASSIGN_OR_RETURN(model.layernorm_zero_centered_gamma,
                        args.Bool("apply_layernorm_1p", false));
  NEMO_ASSIGN_OR_RETURN(const bool untied, args.Bool("untie_embeddings_and_output_weights", false));
  model.share_embeddings_and_output_weights = !untied;
  return OkStatus();
}

/// Switches that change what the model computes, off in a Nemotron model.
constexpr std::string_view kMustBeOff[] = {
    "add_bias_linear", "add_qkv_bias",       "qk_layernorm",
    "swiglu",          "rotary_interleaved", "multi_latent_attention",
    "openai_gelu",     "onnx_safe",          "apply_residual_connection_post_layernorm"};
constexpr std::string_view kMustBeNone[] = {"num_experts", "window_size"};

Status CheckFeatures(const Args& args) {
  for (const std::string_view name : kMustBeOff) {
    NEMO_ASSIGN_OR_RETURN(const bool on, args.Bool(name, false));
    if (on) return Unsupported(Format("args.{}: true is not supported by this build", name));
  }
  for (const std::string_view name : kMustBeNone) {
    if (args.Find(name) != nullptr) {
      return Unsupported(Format("args.{}: set; this build supports models without", name));
    }
  }
  NEMO_ASSIGN_OR_RETURN(const int64_t stretch, args.Int("rotary_seq_len_interpolation_factor", 1));
  if (stretch != 1) {
    return Unsupported(
        Format("args.rotary_seq_len_interpolation_factor: {}; this build supports "
               "models without",
               stretch));
  }
  NEMO_ASSIGN_OR_RETURN(const auto normalization, args.Text("normalization", "LayerNorm"));
  if (normalization != "LayerNorm") {
    return Unsupported(Format("args.normalization: '{}'; this build supports LayerNorm",
                              normalization.substr(0, 100)));
  }
  NEMO_ASSIGN_OR_RETURN(const bool squared_relu, args.Bool("squared_relu", false));
  if (!squared_relu) {
    return Unsupported("args.squared_relu: false; this build supports squared ReLU only");
  }
  // Before the type had a name of its own there was a switch.
  NEMO_ASSIGN_OR_RETURN(const bool rotary, args.Bool("use_rotary_position_embeddings", false));
  NEMO_ASSIGN_OR_RETURN(const auto positions,
                        args.Text("position_embedding_type", "learned_absolute"));
  if (!rotary && positions != "rope") {
    return Unsupported(Format("args.position_embedding_type: '{}'; this build supports rope",
                              positions.substr(0, 100)));
  }
  return OkStatus();
}

Result<ParallelLayout> ReadLayout(const Args& args) {
  ParallelLayout layout;
  struct Size {
    std::string_view name;
    int64_t* value;
  };
  for (const Size& size : {Size{"tensor_model_parallel_size", &layout.tp_size},
                           Size{"pipeline_model_parallel_size", &layout.pp_size}}) {
    NEMO_ASSIGN_OR_RETURN(*size.value, args.Int(size.name, 1));
    if (*size.value < 1) {
      return Corruption(Format("args.{} is {}, expected at least 1", size.name, *size.value));
    }
  }
  return layout;
}

}  // namespace

Result<SavedRun> ParseArgs(const torch::PickleNode& args) {
  if (!args.IsObjectOf("argparse", "Namespace")) {
    return Corruption(Format("args: expected an argparse.Namespace, found {}", args.Describe()));
  }
  const Args lookup(args);
  SavedRun run;
  NEMO_RETURN_IF_ERROR(ReadSizes(lookup, run.model));
  NEMO_RETURN_IF_ERROR(ReadNumbers(lookup, run.model));
  NEMO_RETURN_IF_ERROR(CheckFeatures(lookup));
  NEMO_ASSIGN_OR_RETURN(run.layout, ReadLayout(lookup));
  return run;
}

}  // namespace nemo::megatron_lm
