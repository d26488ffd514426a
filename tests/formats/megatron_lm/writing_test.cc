// Distributed checkpoints for Megatron-LM, written of Megatron Core's own .nemo archives and
// compared with transformers' files of the same models. torch's and Megatron Core's loaders are
// asked in tests/upstream.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/dcp/dcp.h"
#include "formats/megatron_lm/megatron_lm.h"
#include "formats/nemo/nemo.h"
#include "formats/torch/torch_file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/convert/convert.h"
#include "tests/formats/nemo/hf_truth.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;
using testing::TempDir;

/// An archive of tests/golden/nemo, with the number of pieces that its tokenizer has.
Result<Checkpoint> OpenGolden(const std::string& archive) {
  auto checkpoint = OpenNemo(GoldenPath("nemo/" + archive));
  if (checkpoint) checkpoint->config.vocab_size = archive.starts_with("tiny") ? 2048 : 1100;
  return checkpoint;
}

Status ConvertTo(const std::string& destination, const std::string& archive,
                 const PlanOptions& plan_options, TargetOptions options = {}) {
  NEMO_ASSIGN_OR_RETURN(const Checkpoint source, OpenGolden(archive));
  NEMO_ASSIGN_OR_RETURN(const Plan plan,
                        PlanMegatronLm(source.config, source.source->specs(), plan_options));
  options.attachments = {source.provenance, source.model_config_yaml, source.tokenizer_model};
  NEMO_ASSIGN_OR_RETURN(const auto target, CreateMegatronLmTarget(destination, options));

  return Convert(*source.source, plan, *target, {}, NullProgress()).error();
}

PlanOptions Layout(int64_t tp_size, int64_t pp_size) {
  PlanOptions options;
  options.layout.tp_size = tp_size;
  options.layout.pp_size = pp_size;
  return options;
}

TEST(MegatronLmTarget, HasTheTensorsOfTheModelInAnyLayout) {
  const struct {
    const char* archive;
    const char* model;
    int64_t tp_size, pp_size;
  } cases[] = {
      {"tiny_zarr_tp2pp2.nemo", "tiny", 1, 1},
      {"tiny_zarr_tp2pp2.nemo", "tiny", 2, 2},
      {"tiny_zarr_tp2pp2.nemo", "tiny", 4, 1},
      // Twice as many ranks as query groups: contiguous rows, as Megatron has them.
      {"tiny_zarr_tp2pp2.nemo", "tiny", 8, 2},
      {"odd_zarr_tp2pp3.nemo", "odd", 2, 3},
      {"tied_zarr_tp1pp2.nemo", "tied", 1, 2},
  };
  for (const auto& c : cases) {
    const TempDir folder;
    const Status status = ConvertTo(folder / "out", c.archive, Layout(c.tp_size, c.pp_size));
    ASSERT_TRUE(status.ok()) << status.message();
    const auto checkpoint = OpenMegatronLm(folder / "out");
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    EXPECT_EQ(checkpoint->layout, Layout(c.tp_size, c.pp_size).layout);
    EXPECT_EQ(checkpoint->container, "torch_dist");
    testing::ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, c.model);
    const auto source = OpenGolden(c.archive);
    EXPECT_EQ(checkpoint->tokenizer_model, source->tokenizer_model);
    EXPECT_FALSE(checkpoint->tokenizer_model.empty());
  }
}

TEST(MegatronLmTarget, KeepsTheConfiguration) {
  const TempDir folder;
  ASSERT_TRUE(ConvertTo(folder / "out", "odd_zarr_tp2pp3.nemo", Layout(2, 1)).ok());
  const auto source = OpenGolden("odd_zarr_tp2pp3.nemo");
  const auto written = OpenMegatronLm(folder / "out");
  ASSERT_TRUE(written) << written.error().message();
  EXPECT_EQ(ToJson(ToValue(written->config)), ToJson(ToValue(source->config)));
}

std::shared_ptr<TensorSource> OpenItems(const std::string& save) {
  return OpenDcp(OpenDirectory(save).value(), "", [](std::string_view) { return true; }).value();
}

TEST(MegatronLmTarget, StacksLayersUnderKeysWithoutNumber) {
  const TempDir folder;
  ASSERT_TRUE(ConvertTo(folder / "out", "tiny_zarr_tp2pp2.nemo", Layout(2, 2)).ok());
  const auto items = OpenItems(folder / "out/release");
  std::map<std::string, Shape> shapes;
  for (const TensorSpec& spec : items->specs()) shapes[spec.name] = spec.shape;
  EXPECT_EQ(shapes, (std::map<std::string, Shape>{
                        {"decoder.final_layernorm.bias", {64}},
                        {"decoder.final_layernorm.weight", {64}},
                        {"decoder.layers.mlp.linear_fc1.layer_norm_bias", {4, 64}},
                        {"decoder.layers.mlp.linear_fc1.layer_norm_weight", {4, 64}},
                        {"decoder.layers.mlp.linear_fc1.weight", {4, 256, 64}},
                        {"decoder.layers.mlp.linear_fc2.weight", {4, 64, 256}},
                        {"decoder.layers.self_attention.linear_proj.weight", {4, 64, 64}},
                        {"decoder.layers.self_attention.linear_qkv.layer_norm_bias", {4, 64}},
                        {"decoder.layers.self_attention.linear_qkv.layer_norm_weight", {4, 64}},
                        {"decoder.layers.self_attention.linear_qkv.weight", {4, 128, 64}},
                        {"embedding.word_embeddings.weight", {2048, 64}},
                        {"output_layer.weight", {2048, 64}},
                    }));
}

TEST(MegatronLmTarget, GivesEachRankItsShardsAndTheFirstWhatAllHold) {
  const TempDir folder;
  ASSERT_TRUE(ConvertTo(folder / "out", "tiny_zarr_tp2pp2.nemo", Layout(2, 2)).ok());
  const auto items = OpenItems(folder / "out/release");
  using Files = std::vector<std::string>;
  const auto files_of = [&](const char* layers, const Box& box) {
    return items->FilesOf(Format("decoder.layers.{}", layers), box);
  };
  // Rows 0..127 of fc1 belong to tensor-parallel rank 0; layers 2 and 3 to the second stage.
  EXPECT_EQ(files_of("mlp.linear_fc1.weight", {{0, 0, 0}, {2, 128, 64}}), Files{"__0_0.distcp"});
  EXPECT_EQ(files_of("mlp.linear_fc1.weight", {{0, 128, 0}, {2, 1, 1}}), Files{"__1_0.distcp"});
  EXPECT_EQ(files_of("mlp.linear_fc2.weight", {{3, 0, 128}, {1, 64, 1}}), Files{"__3_0.distcp"});
  EXPECT_EQ(files_of("mlp.linear_fc1.layer_norm_weight", {{1, 0}, {1, 64}}), Files{"__0_0.distcp"});
  EXPECT_EQ(items->FilesOf("output_layer.weight", {{1024, 0}, {1, 1}}), Files{"__3_0.distcp"});
}

TEST(MegatronLmTarget, PadsTheVocabularyWithZeros) {
  // 1100 pieces; the next multiple of 128 x TP2 is 1280.
  const TempDir folder;
  ASSERT_TRUE(ConvertTo(folder / "out", "odd_zarr_tp1pp1_gz.nemo", Layout(2, 1)).ok());
  const auto items = OpenItems(folder / "out/release");
  for (const char* name : {"embedding.word_embeddings.weight", "output_layer.weight"}) {
    EXPECT_EQ(FindSpec(items->specs(), name)->shape, (Shape{1280, 96}));
    std::vector<std::byte> padding(180 * 96 * 2, std::byte{1});
    ASSERT_TRUE(items->Read(name, {{1100, 0}, {180, 96}}, padding).ok());
    EXPECT_TRUE(std::all_of(padding.begin(), padding.end(),
                            [](std::byte byte) { return byte == std::byte{0}; }));
  }
}

TEST(MegatronLmTarget, IsAReleaseOfVersionThree) {
  const TempDir folder;
  ASSERT_TRUE(ConvertTo(folder / "out", "tiny_zarr_tp2pp2.nemo", Layout(2, 2)).ok());
  EXPECT_EQ(testing::ReadFileOrDie(folder / "out/latest_checkpointed_iteration.txt"), "release");
  const auto common = torch::OpenTorchFile(OpenFile(folder / "out/release/common.pt").value());
  ASSERT_TRUE(common) << common.error().message();
  const torch::PickleNode& root = (*common)->pickle.root();
  EXPECT_EQ(*root.Find("checkpoint_version")->AsFloat(), 3.0);
  EXPECT_EQ(*root.Find("iteration")->AsInt(), 0);
  // What Megatron-LM compares with its own arguments before it loads anything.
  const torch::PickleNode& args = *root.Find("args");
  EXPECT_EQ(*args.Attribute("num_layers")->AsInt(), 4);
  EXPECT_EQ(*args.Attribute("padded_vocab_size")->AsInt(), 2048);
  EXPECT_EQ(*args.Attribute("rotary_base")->AsInt(), 10000);
  EXPECT_TRUE(*args.Attribute("squared_relu")->AsBool());
  const auto description = ParseJson(testing::ReadFileOrDie(folder / "out/release/metadata.json"));
  ASSERT_TRUE(description);
  EXPECT_EQ(*description->GetString("sharded_backend"), "torch_dist");
}

/// Keys of the index that are no tensors.
std::vector<std::string> Objects(const std::string& save) {
  const auto metadata = torch::ParsePickle(testing::ReadFileOrDie(save + "/.metadata"));
  std::vector<std::string> keys;
  for (const auto& entry : metadata->root().Attribute("state_dict_metadata")->entries()) {
    if (!entry.value->IsObjectOf("torch.distributed.checkpoint.metadata", "BytesStorageMetadata")) {
      continue;
    }
    keys.emplace_back(*entry.key->AsText());
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

TEST(MegatronLmTarget, HasTheExtraStatesThatMegatronCoreAsksFor) {
  const TempDir folder;
  ASSERT_TRUE(ConvertTo(folder / "out", "tied_zarr_tp1pp2.nemo", Layout(1, 2)).ok());
  std::vector<std::string> expected = {"decoder.final_layernorm._extra_state/shard_0_1"};
  for (const char* module : {"mlp.linear_fc1", "mlp.linear_fc2", "self_attention.core_attention",
                             "self_attention.linear_proj", "self_attention.linear_qkv"}) {
    for (const int layer : {0, 1}) {
      expected.push_back(Format("decoder.layers.{}._extra_state/shard_{}_2", module, layer));
    }
  }
  EXPECT_EQ(Objects(folder / "out/release"), expected);
}

TEST(MegatronLmTarget, RefusesWhatSaysNothingToADistributedCheckpoint) {
  const auto source = OpenGolden("tiny_zarr_tp2pp2.nemo");
  ASSERT_TRUE(source) << source.error().message();
  std::vector<PlanOptions> options(4, Layout(2, 2));
  options[0].layout.vpp_size = 2;
  options[1].layout.layers_per_stage = {1, 3};
  options[2].layout.kv_duplicate = true;
  options[3].layout.tp_size = 3;
  for (const PlanOptions& wrong : options) {
    const auto plan = PlanMegatronLm(source->config, source->source->specs(), wrong);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code(), StatusCode::kInvalidArgument) << plan.error().message();
  }
}

TEST(MegatronLmTarget, ReplacesOnlyItsOwnKind) {
  const TempDir folder;
  const std::string archive = "tied_zarr_tp1pp2.nemo";
  ASSERT_TRUE(ConvertTo(folder / "out", archive, Layout(1, 2)).ok());
  EXPECT_FALSE(ConvertTo(folder / "out", archive, Layout(1, 1)).ok());
  TargetOptions force;
  force.force = true;
  ASSERT_TRUE(ConvertTo(folder / "out", archive, Layout(1, 1), force).ok());
  EXPECT_EQ(KindOf(folder / "out/release/__1_0.distcp"), PathKind::kAbsent);
  testing::WriteFileOrDie(folder / "out/release/mp_rank_00/model_optim_rng.pt", "not ours");
  EXPECT_FALSE(ConvertTo(folder / "out", archive, Layout(1, 1), force).ok());
  EXPECT_EQ(KindOf(folder / "out/release/__0_0.distcp"), PathKind::kFile);
}

}  // namespace
}  // namespace nemo
