// A checkpoint laid out as Megatron-LM does (tests/golden/megatron_lm/make.py), against the Hugging
// Face file of the same model.
#include "formats/megatron_lm/megatron_lm.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "formats/megatron_lm/args.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tests/formats/nemo/hf_truth.h"
#include "tests/formats/nemo/micro_dcp.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;
using testing::TempDir;
using testing::WriteFileOrDie;

ModelConfig Micro() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 32;
  config.ffn_hidden_size = 64;
  config.num_attention_heads = 4;
  config.num_query_groups = 2;
  config.kv_channels = 8;
  config.max_position_embeddings = 512;
  config.padded_vocab_size = 1280;
  return config;
}

TEST(MegatronLm, HasTheConfigAndTheTensorsOfTheModel) {
  const auto checkpoint = OpenMegatronLm(GoldenPath("megatron_lm"));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(ToJson(ToValue(checkpoint->config)), ToJson(ToValue(Micro())));
  EXPECT_EQ(checkpoint->layout, (ParallelLayout{2, 2}));
  EXPECT_EQ(checkpoint->format, "megatron");
  EXPECT_EQ(checkpoint->container, "torch");
  EXPECT_EQ(checkpoint->provenance.base_name, "iter_0000500");
  testing::ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, "micro");
}

/// A copy of the golden checkpoint.
void Copy(const TempDir& folder) {
  ASSERT_EQ(
      std::system(Format("cp -r '{}/.' '{}'", GoldenPath("megatron_lm"), folder.path()).c_str()),
      0);
}

TEST(MegatronLm, IsRecognisedFromBothFolders) {
  EXPECT_TRUE(SniffMegatronLm(GoldenPath("megatron_lm")));
  EXPECT_TRUE(SniffMegatronLm(GoldenPath("megatron_lm/iter_0000500")));
  EXPECT_FALSE(SniffMegatronLm(GoldenPath("nemo")));
  EXPECT_TRUE(OpenMegatronLm(GoldenPath("megatron_lm/iter_0000500")));
}

TEST(MegatronLm, AReleaseIsFoundByItsName) {
  const TempDir folder;
  Copy(folder);
  ASSERT_TRUE(RenameAndSync(folder / "iter_0000500", folder / "release").ok());
  WriteFileOrDie(folder / "latest_checkpointed_iteration.txt", "release\n");
  const auto checkpoint = OpenMegatronLm(folder.path());
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
}

TEST(MegatronLm, RefusalsNameTheCause) {
  const struct {
    const char* tracker;
    const char* removed;
    StatusCode code;
    const char* words;
  } cases[] = {
      {"500", "iter_0000500/mp_rank_01_001", StatusCode::kCorruption,
       "missing rank: mp_rank_01_001/model_optim_rng.pt"},
      {"500", "iter_0000500/mp_rank_00_000", StatusCode::kCorruption, "mp_rank_00/model_optim_rng"},
      {"501", "", StatusCode::kCorruption, "'iter_0000501', which is not there"},
      {"../..", "", StatusCode::kCorruption, "expected the number of an iteration"},
      {"-1", "", StatusCode::kCorruption, "expected the number of an iteration"},
      {"", "", StatusCode::kCorruption, "expected the number of an iteration"},
  };
  for (const auto& c : cases) {
    const TempDir folder;
    Copy(folder);
    WriteFileOrDie(folder / "latest_checkpointed_iteration.txt", c.tracker);
    if (*c.removed != '\0') {
      ASSERT_TRUE(RemoveAll(folder / c.removed).ok());
    }
    const auto checkpoint = OpenMegatronLm(folder.path());
    ASSERT_FALSE(checkpoint) << c.words;
    EXPECT_EQ(checkpoint.error().code(), c.code);
    EXPECT_NE(checkpoint.error().message().find(c.words), std::string::npos)
        << checkpoint.error().message();
    EXPECT_TRUE(checkpoint.error().message().starts_with(folder.path()));
  }
}

/// The model `micro` as a distributed checkpoint: its arguments are those of the golden ranks.
class MegatronLmDistributed : public ::testing::Test {
 protected:
  void SetUp() override {
    const TempDir nemo;
    if (!testing::UnpackMicroDcp(nemo)) {
      GTEST_SKIP() << "tar cannot unpack hostile.tar.xz; install xz-utils";
    }
    std::filesystem::copy(nemo / "model_weights", iteration_);
    WriteFileOrDie(iteration_ + "/common.pt",
                   testing::ReadFileOrDie(
                       GoldenPath("megatron_lm/iter_0000500/mp_rank_00_000/model_optim_rng.pt")));
    WriteFileOrDie(folder_ / "latest_checkpointed_iteration.txt", "7");
  }
  void ExpectRefused(std::string_view words) const {
    const auto checkpoint = OpenMegatronLm(folder_.path());
    ASSERT_FALSE(checkpoint) << words;
    EXPECT_EQ(checkpoint.error().code(), StatusCode::kCorruption);
    EXPECT_NE(checkpoint.error().message().find(words), std::string::npos)
        << checkpoint.error().message();
  }

  TempDir folder_;
  const std::string iteration_ = folder_ / "iter_0000007";
};

TEST_F(MegatronLmDistributed, HasTheTensorsOfTheModel) {
  for (const std::string& path : {folder_.path(), iteration_}) {
    EXPECT_TRUE(SniffMegatronLm(path));
    const auto checkpoint = OpenMegatronLm(path);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    EXPECT_EQ(checkpoint->format, "megatron");
    EXPECT_EQ(checkpoint->container, "torch_dist");
    EXPECT_EQ(checkpoint->provenance.base_name, "iter_0000007");
    testing::ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, "micro");
  }
}

TEST_F(MegatronLmDistributed, HalfCopiedOnesAreRefused) {
  const struct {
    const char* removed;
    const char* words;
  } cases[] = {
      {"__0_0.distcp", "'__0_0.distcp' is missing"},
      {".metadata", ".metadata is missing"},
      {"common.pt", "common.pt is missing"},
      {"metadata.json", "nor metadata.json"},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(RemoveAll(iteration_ + "/" + c.removed).ok());
    ExpectRefused(c.words);
  }
}

TEST_F(MegatronLmDistributed, ACommonStateWithoutArgumentsIsRefused) {
  const TempDir nemo;
  ASSERT_TRUE(testing::UnpackMicroDcp(nemo));
  WriteFileOrDie(iteration_ + "/common.pt",
                 testing::ReadFileOrDie(nemo / "model_weights/common.pt"));
  ExpectRefused("no args: not saved by Megatron-LM");
}

/// A Namespace as protocol 2 writes it, with these items of its dict.
std::string Namespace(const std::string& items) {
  return "cargparse\nNamespace\n)\x81}(" + items + "ub.";
}
std::string Text(const std::string& text) {
  return "X" + std::string(1, static_cast<char>(text.size())) + std::string(3, '\0') + text;
}
std::string Number(int value) { return "K" + std::string(1, static_cast<char>(value)); }

const std::string kSizes = Text("num_layers") + Number(2) + Text("hidden_size") + Number(32) +
                           Text("num_attention_heads") + Number(4) +
                           Text("max_position_embeddings") + Number(64);
const std::string kFeatures =
    Text("squared_relu") + "\x88" + Text("position_embedding_type") + Text("rope");

Result<megatron_lm::SavedRun> Parse(const std::string& items) {
  const auto pickle = torch::ParsePickle(Namespace(items));
  EXPECT_TRUE(pickle) << pickle.error().message();
  return megatron_lm::ParseArgs(pickle->root());
}

TEST(MegatronLmArgs, AbsentOnesHaveMegatronsDefaults) {
  const auto run = Parse(kSizes + kFeatures);
  ASSERT_TRUE(run) << run.error().message();
  ModelConfig expected;
  expected.num_layers = 2;
  expected.hidden_size = 32;
  expected.ffn_hidden_size = 128;
  expected.num_attention_heads = expected.num_query_groups = 4;
  expected.kv_channels = 8;
  expected.max_position_embeddings = 64;
  expected.rotary_percent = 1.0;
  expected.layernorm_zero_centered_gamma = false;
  expected.share_embeddings_and_output_weights = true;
  EXPECT_EQ(ToJson(ToValue(run->model)), ToJson(ToValue(expected)));
  EXPECT_EQ(run->layout, ParallelLayout{});
}

TEST(MegatronLmArgs, QueryGroupsCountOnlyWithTheirSwitch) {
  const std::string groups = Text("num_query_groups") + Number(1);
  EXPECT_EQ(Parse(kSizes + kFeatures + groups)->model.num_query_groups, 4);
  EXPECT_EQ(Parse(kSizes + kFeatures + groups + Text("group_query_attention") + "\x88")
                ->model.num_query_groups,
            1);
}

TEST(MegatronLmArgs, WhatIsNotComputedIsNamed) {
  const struct {
    std::string items;
    StatusCode code;
    const char* words;
  } cases[] = {
      {kFeatures, StatusCode::kCorruption, "args.num_layers is missing"},
      {kSizes, StatusCode::kUnsupported, "args.squared_relu"},
      {kSizes + Text("squared_relu") + "\x88", StatusCode::kUnsupported, "learned_absolute"},
      {kSizes + kFeatures + Text("swiglu") + "\x88", StatusCode::kUnsupported, "args.swiglu"},
      {kSizes + kFeatures + Text("add_bias_linear") + "\x88", StatusCode::kUnsupported,
       "args.add_bias_linear"},
      {kSizes + kFeatures + Text("num_experts") + Number(8), StatusCode::kUnsupported,
       "args.num_experts"},
      {kSizes + kFeatures + Text("normalization") + Text("RMSNorm"), StatusCode::kUnsupported,
       "'RMSNorm'"},
      {kSizes + kFeatures + Text("rotary_base") + Text("x"), StatusCode::kCorruption,
       "args.rotary_base: expected a number, found a text"},
      {kSizes + kFeatures + Text("tensor_model_parallel_size") + Number(0), StatusCode::kCorruption,
       "args.tensor_model_parallel_size is 0"},
  };
  for (const auto& c : cases) {
    const auto run = Parse(c.items);
    ASSERT_FALSE(run) << c.words;
    EXPECT_EQ(run.error().code(), c.code) << run.error().message();
    EXPECT_NE(run.error().message().find(c.words), std::string::npos) << run.error().message();
  }
  const auto other = torch::ParsePickle("}.");
  EXPECT_FALSE(megatron_lm::ParseArgs(other->root()));
}

}  // namespace
}  // namespace nemo
