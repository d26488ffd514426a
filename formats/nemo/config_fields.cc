#include "formats/nemo/config_fields.h"

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// An integer that must be there.
Result<int64_t> RequiredInt(const Config& config, std::string_view key) {
  NEMO_ASSIGN_OR_RETURN(const Value value, config.Get(key));
  if (value.is_null()) return Corruption(Format("{} is missing", key));
  return config.GetInt(key, 0);
}

/// An integer above zero; `fallback` when absent or null.
Result<int64_t> PositiveInt(const Config& config, std::string_view key, int64_t fallback) {
  NEMO_ASSIGN_OR_RETURN(const int64_t value, config.GetInt(key, fallback));
  if (value < 1) return Corruption(Format("{} is {}, expected at least 1", key, value));
  return value;
}

}  // namespace

Status ReadSizes(const Config& config, std::string_view sequence_key, ModelConfig& model) {
  NEMO_ASSIGN_OR_RETURN(model.num_layers, RequiredInt(config, "num_layers"));
  NEMO_ASSIGN_OR_RETURN(model.hidden_size, RequiredInt(config, "hidden_size"));
  NEMO_ASSIGN_OR_RETURN(model.num_attention_heads, RequiredInt(config, "num_attention_heads"));
  if (model.hidden_size < 1 || model.hidden_size > (int64_t{1} << 31) ||
      model.num_attention_heads < 1) {
    return Corruption(
        Format("hidden_size is {} and num_attention_heads {}; both must be positive "
               "and below 2^31",
               model.hidden_size, model.num_attention_heads));
  }
  NEMO_ASSIGN_OR_RETURN(model.ffn_hidden_size,
                        config.GetInt("ffn_hidden_size", 4 * model.hidden_size));
  NEMO_ASSIGN_OR_RETURN(model.num_query_groups,
                        config.GetInt("num_query_groups", model.num_attention_heads));
  NEMO_ASSIGN_OR_RETURN(
      model.kv_channels,
      config.GetInt("kv_channels", model.hidden_size / model.num_attention_heads));
  NEMO_ASSIGN_OR_RETURN(const int64_t sequence, config.GetInt(sequence_key, 0));
  NEMO_ASSIGN_OR_RETURN(model.max_position_embeddings,
                        config.GetInt("max_position_embeddings", sequence));
  NEMO_ASSIGN_OR_RETURN(model.make_vocab_size_divisible_by, config.GetInt(kVocabMultipleKey, 128));
  return OkStatus();
}

Result<ParallelLayout> ReadLayout(const Config& config) {
  ParallelLayout layout;
  NEMO_ASSIGN_OR_RETURN(layout.tp_size, PositiveInt(config, kTensorParallelKey, 1));
  NEMO_ASSIGN_OR_RETURN(layout.pp_size, PositiveInt(config, kPipelineParallelKey, 1));
  NEMO_ASSIGN_OR_RETURN(layout.vpp_size, PositiveInt(config, kVirtualPipelineKey, 1));
  return layout;
}

}  // namespace nemo
