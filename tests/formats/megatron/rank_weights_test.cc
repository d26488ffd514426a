// Models cut into ranks by the rules of ParallelLayout, and joined again.
#include "formats/megatron/rank_weights.h"

#include <functional>
#include <map>

#include <gtest/gtest.h>

#include "formats/megatron/rank_names.h"
#include "libcore/base/format.h"
#include "libcore/model/architecture.h"
#include "libcore/tensor/dense.h"
#include "tests/conformance/sample_tensors.h"
#include "tests/testing.h"

namespace nemo::megatron {
namespace {

using testing::MemorySource;

ModelConfig Config(int64_t num_layers, bool tied = false) {
  ModelConfig config;
  config.num_layers = num_layers;
  config.hidden_size = 16;
  config.ffn_hidden_size = 24;
  config.num_attention_heads = 4;
  config.num_query_groups = 2;
  config.kv_channels = 4;
  config.max_position_embeddings = 8;
  config.padded_vocab_size = 128;
  config.share_embeddings_and_output_weights = tied;
  return config;
}

/// Every tensor of the model, with bytes of its own.
MemorySource WholeModel(const ModelConfig& config) {
  MemorySource source;
  uint32_t seed = 1;
  for (const LogicalTensor& tensor : *LogicalTensors(config)) {
    const TensorSpec spec{tensor.name, DType::kBF16, tensor.shape};
    source.Add(spec, testing::PatternBytes(spec.size_bytes(), seed++));
  }
  return source;
}

std::vector<std::byte> ShardBytes(const MemorySource& whole, const std::string& name,
                                  const Shard& shard) {
  std::vector<std::byte> out(static_cast<size_t>(NumElements(shard.shape) * 2));
  for (const ShardPart& part : shard.parts) {
    std::vector<std::byte> bytes(static_cast<size_t>(NumElements(part.canonical) * 2));
    EXPECT_TRUE(whole.Read(name, part.canonical, bytes).ok());
    CopyBox(bytes.data(), part.canonical.extent, Box::Whole(part.canonical.extent), out.data(),
            shard.shape, part.local, 2);
  }
  return out;
}

struct Cut {
  ModelConfig config;
  ParallelLayout layout;
  std::vector<int64_t> layers;  ///< of each chunk, by pipeline rank, then virtual stage
  MemorySource whole;
  std::vector<std::shared_ptr<MemorySource>> sources;  ///< as JoinRanks takes them

  Result<RankWeights> Join() const {
    std::vector<RankChunk> chunks;
    for (size_t i = 0; i < sources.size(); ++i) {
      const auto index = static_cast<int64_t>(i);
      const int64_t tp = layout.tp_size, vpp = layout.vpp_size;
      chunks.push_back(
          {index % tp, index / tp / vpp, index / tp % vpp, Format("file{}", i), sources[i]});
    }
    ModelConfig unpadded = config;
    unpadded.padded_vocab_size = 0;
    return JoinRanks(std::move(chunks), std::move(unpadded));
  }
};

/// Cuts a model; chunk c of stage p holds the layers that follow those of all chunks before it in
/// rounds. `change` may rename tensors (an empty name drops one) or touch their bytes.
Cut CutModel(ModelConfig config, ParallelLayout layout, std::vector<int64_t> layers,
             const std::function<void(size_t chunk, std::string& name, Shape& shape,
                                      std::vector<std::byte>& bytes)>& change = {}) {
  Cut cut{config, layout, layers, WholeModel(config), {}};
  std::map<std::pair<int64_t, int64_t>, int64_t> first;
  int64_t next = 0;
  for (int64_t vpp = 0; vpp < layout.vpp_size; ++vpp) {
    for (int64_t pp = 0; pp < layout.pp_size; ++pp) {
      first[{pp, vpp}] = next;
      next += layers[static_cast<size_t>(pp * layout.vpp_size + vpp)];
    }
  }
  for (int64_t pp = 0; pp < layout.pp_size; ++pp) {
    for (int64_t vpp = 0; vpp < layout.vpp_size; ++vpp) {
      for (int64_t tp = 0; tp < layout.tp_size; ++tp) {
        auto source = std::make_shared<MemorySource>();
        const auto add = [&](const LogicalTensor& tensor, std::string name) {
          const Shard shard = ShardOf(tensor, layout, config, tp);
          auto bytes = ShardBytes(cut.whole, tensor.name, shard);
          Shape shape = shard.shape;
          name = "model." + name;
          if (change) change(cut.sources.size(), name, shape, bytes);
          if (!name.empty()) source->Add({name, DType::kBF16, shape}, std::move(bytes));
        };
        const bool is_first = pp == 0 && vpp == 0;
        const bool is_last = pp + 1 == layout.pp_size && vpp + 1 == layout.vpp_size;
        const int64_t begin = first[{pp, vpp}];
        const int64_t end = begin + layers[static_cast<size_t>(pp * layout.vpp_size + vpp)];
        for (const LogicalTensor& tensor : *LogicalTensors(config)) {
          const bool own_layer = tensor.layer_index >= begin && tensor.layer_index < end;
          if (tensor.role == StageRole::kFirst && is_first) add(tensor, tensor.name);
          if (tensor.role == StageRole::kLast && is_last) add(tensor, tensor.name);
          if (tensor.role == StageRole::kLayer && own_layer) {
            add(tensor, WithLayer(tensor.name, tensor.layer_index - begin));
          }
          const bool copied = config.share_embeddings_and_output_weights && is_last &&
                              tensor.name == kEmbeddingName;
          if (copied) add(tensor, std::string(kOutputLayerName));
        }
        cut.sources.push_back(std::move(source));
      }
    }
  }
  return cut;
}

TEST(JoinRanks, GivesTheModelBackFromAnyCut) {
  struct Case {
    ParallelLayout layout;
    int64_t num_layers;
    std::vector<int64_t> layers;
  };
  const Case cases[] = {
      {{1, 1}, 3, {3}},
      {{2, 1}, 3, {3}},
      {{4, 1}, 2, {2}},  // more ranks than query groups: cut inside a group
      {{1, 2}, 4, {2, 2}},
      {{2, 3}, 6, {2, 2, 2}},
      {{1, 3}, 6, {1, 3, 2}},  // uneven stages
      {{2, 2, 2}, 8, {2, 2, 2, 2}},
      {{1, 2, 3}, 6, {1, 1, 1, 1, 1, 1}},
  };
  for (const bool tied : {false, true}) {
    for (const Case& c : cases) {
      const Cut cut = CutModel(Config(c.num_layers, tied), c.layout, c.layers);
      const auto joined = cut.Join();
      ASSERT_TRUE(joined) << ToString(c.layout) << ": " << joined.error().message();
      EXPECT_EQ(joined->config, cut.config);
      EXPECT_EQ(joined->layout.tp_size, c.layout.tp_size);
      EXPECT_EQ(joined->layout.pp_size, c.layout.pp_size);
      EXPECT_EQ(joined->layout.vpp_size, c.layout.vpp_size);
      const auto whole_specs = cut.whole.specs();
      ASSERT_EQ(joined->source->specs().size(), whole_specs.size());
      for (const TensorSpec& spec : whole_specs) {
        EXPECT_EQ(testing::ReadTensorOrDie(*joined->source, spec.name),
                  testing::ReadTensorOrDie(cut.whole, spec.name))
            << ToString(c.layout) << " " << spec.name;
      }
    }
  }
}

TEST(JoinRanks, UnevenStagesShowInTheLayout) {
  EXPECT_EQ(CutModel(Config(6), {1, 3}, {1, 3, 2}).Join()->layout.layers_per_stage,
            (std::vector<int64_t>{1, 3, 2}));
  EXPECT_TRUE(CutModel(Config(6), {1, 3}, {2, 2, 2}).Join()->layout.layers_per_stage.empty());
}

TEST(JoinRanks, RefusalsNameTheFileAndTheTensor) {
  using Bytes = std::vector<std::byte>;
  struct Case {
    const char* what;
    bool tied;
    std::function<void(size_t, std::string&, Shape&, Bytes&)> change;
    StatusCode code;
    std::vector<const char*> words;
  };
  const Case cases[] = {
      {"a tensor is missing",
       false,
       [](size_t chunk, std::string& name, Shape&, Bytes&) {
         if (chunk == 2 && name.ends_with("layers.1.mlp.linear_fc2.weight")) name.clear();
       },
       StatusCode::kCorruption,
       {"file2", "decoder.layers.1.mlp.linear_fc2.weight is missing",
        "decoder.layers.3.mlp.linear_fc2.weight"}},
      {"a replica differs in one bit",
       false,
       [](size_t chunk, std::string& name, Shape&, Bytes& bytes) {
         if (chunk == 3 && name.ends_with("final_layernorm.bias")) bytes[5] ^= std::byte{1};
       },
       StatusCode::kCorruption,
       {"replica mismatch", "decoder.final_layernorm.bias", "[0:16]"}},
      {"the tied copy differs",
       true,
       [](size_t chunk, std::string& name, Shape&, Bytes& bytes) {
         if (chunk == 3 && name.ends_with("output_layer.weight")) bytes[5] ^= std::byte{1};
       },
       StatusCode::kCorruption,
       {"replica mismatch", "embedding.word_embeddings.weight"}},
      {"a shape of another split",
       false,
       [](size_t chunk, std::string& name, Shape& shape, Bytes& bytes) {
         if (chunk != 1 || !name.ends_with("layers.0.mlp.linear_fc1.weight")) return;
         shape[0] /= 2;
         bytes.resize(bytes.size() / 2);
       },
       StatusCode::kCorruption,
       {"file1", "layers.0.mlp.linear_fc1.weight", "[6, 16]", "[12, 16]"}},
      {"a bias that the model does not have",
       false,
       [](size_t chunk, std::string& name, Shape& shape, Bytes& bytes) {
         if (chunk != 0 || !name.ends_with("layers.0.mlp.linear_fc1.layer_norm_bias")) return;
         name = "model.decoder.layers.0.mlp.linear_fc1.bias";
         shape = {12};
         bytes.resize(24);
       },
       StatusCode::kCorruption,
       {"file0", "layer_norm_bias is missing"}},
      {"no embedding",
       false,
       [](size_t, std::string& name, Shape&, Bytes&) {
         if (name.ends_with("word_embeddings.weight")) name.clear();
       },
       StatusCode::kCorruption,
       {"file0", "embedding.word_embeddings.weight is missing"}},
      {"an embedding that is no matrix",
       false,
       [](size_t, std::string& name, Shape& shape, Bytes&) {
         if (name.ends_with("word_embeddings.weight")) shape = {NumElements(shape)};
       },
       StatusCode::kCorruption,
       {"word_embeddings.weight", "shape [1024]"}},
      {"one layer too few",
       false,
       [](size_t, std::string& name, Shape&, Bytes&) {
         if (LayerOf(CanonicalRankName(name)) == 1) name.clear();
       },
       StatusCode::kCorruption,
       {"num_layers 4", "2 layers"}},
  };
  for (const Case& c : cases) {
    const auto joined = CutModel(Config(4, c.tied), {2, 2}, {2, 2}, c.change).Join();
    ASSERT_FALSE(joined) << c.what;
    EXPECT_EQ(joined.error().code(), c.code) << c.what;
    for (const char* word : c.words) {
      EXPECT_NE(joined.error().message().find(word), std::string::npos)
          << c.what << ": '" << word << "' in: " << joined.error().message();
    }
  }
}

TEST(JoinRanks, WeightsWithoutAPlaceAreRefused) {
  for (const char* name :
       {"model.decoder.layers.0.mlp.linear_fc1.bias", "model.embedding.position_embeddings.weight",
        "model.language_model.encoder.layers.0.mlp.dense_h_to_4h_2.weight"}) {
    const Cut cut = CutModel(Config(2), {1, 1}, {2});
    cut.sources[0]->Add({name, DType::kBF16, {2}}, std::vector<std::byte>(4));
    const auto joined = cut.Join();
    ASSERT_FALSE(joined) << name;
    EXPECT_EQ(joined.error().code(), StatusCode::kUnsupported) << joined.error().message();
    EXPECT_NE(joined.error().message().find(name), std::string::npos) << joined.error().message();
  }
}

TEST(JoinRanks, TwoSpellingsOfOneTensorAreRefused) {
  const Cut cut = CutModel(Config(2), {1, 1}, {2});
  cut.sources[0]->Add({"model.decoder.layers.0.input_layernorm.weight", DType::kBF16, {16}},
                      std::vector<std::byte>(32));
  const auto joined = cut.Join();
  ASSERT_FALSE(joined);
  EXPECT_NE(joined.error().message().find("are both"), std::string::npos);
}

TEST(JoinRanks, RotaryFrequenciesAndUnknownNamesDoNotMatter) {
  const Cut cut = CutModel(Config(2), {1, 1}, {2});
  for (const char* name : {"model.rotary_pos_emb.inv_freq", "optimizer.step"}) {
    cut.sources[0]->Add({name, DType::kF32, {2}}, std::vector<std::byte>(8));
  }
  const auto joined = cut.Join();
  EXPECT_TRUE(joined) << joined.error().message();
}

}  // namespace
}  // namespace nemo::megatron
