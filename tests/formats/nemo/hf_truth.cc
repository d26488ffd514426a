#include "tests/formats/nemo/hf_truth.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "formats/safetensors/safetensors.h"
#include "libcore/base/format.h"
#include "tests/testing.h"

namespace nemo::testing {
namespace {

// The part of the name behind the layer number, in both worlds.
constexpr std::pair<std::string_view, std::string_view> kLayerNames[] = {
    {"self_attention.linear_qkv.layer_norm_weight", "input_layernorm.weight"},
    {"self_attention.linear_qkv.layer_norm_bias", "input_layernorm.bias"},
    {"self_attention.linear_proj.weight", "self_attn.o_proj.weight"},
    {"mlp.linear_fc1.layer_norm_weight", "post_attention_layernorm.weight"},
    {"mlp.linear_fc1.layer_norm_bias", "post_attention_layernorm.bias"},
    {"mlp.linear_fc1.weight", "mlp.up_proj.weight"},
    {"mlp.linear_fc2.weight", "mlp.down_proj.weight"},
};
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
    {"embedding.word_embeddings.weight", "model.embed_tokens.weight"},
    {"decoder.final_layernorm.weight", "model.norm.weight"},
    {"decoder.final_layernorm.bias", "model.norm.bias"},
    {"output_layer.weight", "lm_head.weight"},
};

/// Per query group: its query heads, its key head, its value head.
std::vector<std::byte> InterleavedQkv(const TensorSource& hf, const ModelConfig& config,
                                      const std::string& layer) {
  const auto q = ReadTensorOrDie(hf, layer + "self_attn.q_proj.weight");
  const auto k = ReadTensorOrDie(hf, layer + "self_attn.k_proj.weight");
  const auto v = ReadTensorOrDie(hf, layer + "self_attn.v_proj.weight");
  const int64_t head = config.kv_channels * config.hidden_size * 2;
  const int64_t queries = config.num_attention_heads / config.num_query_groups * head;
  std::vector<std::byte> out;
  for (int64_t group = 0; group < config.num_query_groups; ++group) {
    out.insert(out.end(), q.begin() + group * queries, q.begin() + (group + 1) * queries);
    out.insert(out.end(), k.begin() + group * head, k.begin() + (group + 1) * head);
    out.insert(out.end(), v.begin() + group * head, v.begin() + (group + 1) * head);
  }
  return out;
}

}  // namespace

std::shared_ptr<TensorSource> OpenHfModel(const std::string& model) {
  const std::string name = Format("models/{}/hf/model.safetensors", model);
  const std::string golden = GoldenPath(name);
  auto file = OpenFile(KindOf(golden) == PathKind::kFile ? golden : SharedPath("fixtures/" + name));
  NEMO_CHECK(file.has_value());
  auto source = safetensors::OpenFile(std::move(file).value());
  NEMO_CHECK(source.has_value());
  return std::move(source).value();
}

std::vector<std::byte> TruthFor(const TensorSource& hf, const ModelConfig& config,
                                const std::string& name) {
  for (const auto& [ours, theirs] : kOtherNames) {
    if (name == ours) return ReadTensorOrDie(hf, theirs);
  }
  const std::string_view begin = "decoder.layers.";
  NEMO_CHECK(name.starts_with(begin));
  const size_t dot = name.find('.', begin.size());
  const std::string layer =
      Format("model.layers.{}.", name.substr(begin.size(), dot - begin.size()));
  const std::string rest = name.substr(dot + 1);
  if (rest == "self_attention.linear_qkv.weight") return InterleavedQkv(hf, config, layer);
  for (const auto& [ours, theirs] : kLayerNames) {
    if (rest == ours) return ReadTensorOrDie(hf, layer + std::string(theirs));
  }
  ADD_FAILURE() << "no Hugging Face tensor for " << name;
  return {};
}

void ExpectEqualsHfModel(const TensorSource& source, const ModelConfig& config,
                         const std::string& model) {
  const auto hf = OpenHfModel(model);
  const int64_t head = config.share_embeddings_and_output_weights ? 0 : 1;
  EXPECT_EQ(static_cast<int64_t>(source.specs().size()), 8 * config.num_layers + 3 + head);
  for (const TensorSpec& spec : source.specs()) {
    const auto truth = TruthFor(*hf, config, spec.name);
    const auto found = ReadTensorOrDie(source, spec.name);
    const bool vocabulary =
        spec.name.ends_with("embeddings.weight") || spec.name == "output_layer.weight";
    ASSERT_GE(found.size(), truth.size()) << spec.name;
    EXPECT_TRUE(vocabulary || found.size() == truth.size()) << spec.name;
    EXPECT_TRUE(std::equal(truth.begin(), truth.end(), found.begin())) << spec.name;
  }
}

}  // namespace nemo::testing
