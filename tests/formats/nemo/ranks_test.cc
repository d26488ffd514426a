// Checkpoints of one torch file per rank, as Megatron Core's state_dict() and torch.save wrote
// them, against the Hugging Face files of the same models.
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include "formats/nemo/nemo.h"
#include "libcore/base/format.h"
#include "libcore/convert/check.h"
#include "tests/formats/nemo/hf_truth.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;
using testing::SharedPath;
using testing::TempDir;

constexpr const char* kTied = "nemo/tied_legacy_pp2.nemo";

struct Saved {
  const char* file;
  const char* model;
  int64_t tp_size, pp_size;
  int64_t padded_vocab_size;
};
constexpr Saved kSaved[] = {
    {"tiny_legacy_single", "tiny", 1, 1, 2048}, {"tiny_legacy_single_gz", "tiny", 1, 1, 2048},
    {"tiny_legacy_tp2", "tiny", 2, 1, 2048},    {"tiny_legacy_tp2pp2", "tiny", 2, 2, 2048},
    {"odd_legacy_tp2pp3", "odd", 2, 3, 1280},   {"tied_legacy_pp2", "tied", 1, 2, 1152},
    {"mha_premcore_single", "mha", 1, 1, 1152}, {"mha_premcore_tp2pp2", "mha", 2, 2, 1280},
};

class NemoRanks : public ::testing::TestWithParam<Saved> {};
INSTANTIATE_TEST_SUITE_P(Files, NemoRanks, ::testing::ValuesIn(kSaved),
                         [](const auto& info) { return std::string(info.param.file); });

TEST_P(NemoRanks, HaveTheTensorsOfTheHuggingFaceModel) {
  const Saved& saved = GetParam();
  const std::string path = SharedPath(Format("fixtures/nemo/{}.nemo", saved.file));
  if (path.empty()) GTEST_SKIP() << "the shared fixtures are not here";
  const auto checkpoint = OpenNemo(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->container, "torch");
  EXPECT_EQ(checkpoint->layout, (ParallelLayout{saved.tp_size, saved.pp_size}));
  EXPECT_EQ(checkpoint->config.padded_vocab_size, saved.padded_vocab_size);
  testing::ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, saved.model);
}

TEST(NemoRanks, AreReadInTheTypeTheyWereSavedIn) {
  const std::string path = SharedPath("fixtures/nemo/tiny_legacy_fp32.nemo");
  if (path.empty()) GTEST_SKIP() << "the shared fixtures are not here";
  const auto checkpoint = OpenNemo(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  const auto hf = testing::OpenHfModel("tiny");
  for (const TensorSpec& spec : checkpoint->source->specs()) {
    ASSERT_EQ(spec.dtype, DType::kF32) << spec.name;
    const auto wide = testing::ReadTensorOrDie(*checkpoint->source, spec.name);
    std::vector<std::byte> narrow;  // the bf16 weights were widened before the save
    for (size_t i = 0; i < wide.size(); i += 4) {
      ASSERT_TRUE(wide[i] == std::byte{0} && wide[i + 1] == std::byte{0}) << spec.name;
      narrow.insert(narrow.end(), {wide[i + 2], wide[i + 3]});
    }
    EXPECT_EQ(narrow, testing::TruthFor(*hf, checkpoint->config, spec.name)) << spec.name;
  }
}

TEST(NemoRanks, ATiedOutputLayerIsACopyOfTheEmbedding) {
  const auto ranks = OpenNemo(GoldenPath(kTied));
  ASSERT_TRUE(ranks) << ranks.error().message();
  EXPECT_EQ(FindSpec(ranks->source->specs(), "output_layer.weight"), nullptr);
  EXPECT_EQ(ranks->source->map().Replicas("embedding.word_embeddings.weight").size(), 1u);
  testing::ExpectEqualsHfModel(*ranks->source, ranks->config, "tied");
}

TEST(NemoRanks, EqualTheDistributedCheckpointOfTheSameModel) {
  const std::string path = SharedPath("demo/shakespeare_legacy_tp2pp2.nemo");
  if (path.empty()) GTEST_SKIP() << "the shared demo model is not here";
  const auto ranks = OpenNemo(path);
  const auto zarr = OpenNemo(testing::DataPath("shakespeare.nemo"));
  ASSERT_TRUE(ranks) << ranks.error().message();
  ASSERT_TRUE(zarr) << zarr.error().message();
  const auto comparison =
      Compare(*ranks->source, ranks->config, *zarr->source, zarr->config, 2, NullProgress());
  ASSERT_TRUE(comparison) << comparison.error().message();
  EXPECT_TRUE(comparison->equal());
  EXPECT_EQ(comparison->num_tensors, 8 * 6 + 4);
}

/// The golden archive unpacked, with changes that break it.
class NemoRankFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(std::system(Format("tar xf '{}' -C '{}'", GoldenPath(kTied), folder_.path()).c_str()),
              0);
  }
  void ExpectRefused(const std::string& words) {
    const auto checkpoint = OpenNemo(folder_.path());
    ASSERT_FALSE(checkpoint) << words;
    EXPECT_EQ(checkpoint.error().code(), StatusCode::kCorruption) << checkpoint.error().message();
    EXPECT_NE(checkpoint.error().message().find(words), std::string::npos)
        << checkpoint.error().message();
  }
  void ReplaceInConfig(const std::string& from, const std::string& to) {
    std::string config = testing::ReadFileOrDie(folder_ / "model_config.yaml");
    const size_t at = config.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    testing::WriteFileOrDie(folder_ / "model_config.yaml", config.replace(at, from.size(), to));
  }

  TempDir folder_;
  const std::string first_ = "tp_rank_00_pp_rank_000/model_weights.ckpt";
  const std::string last_ = "tp_rank_00_pp_rank_001/model_weights.ckpt";
};

TEST_F(NemoRankFolder, IsReadAsItIs) {
  const auto checkpoint = OpenNemo(folder_.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  testing::ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, "tied");
}

TEST_F(NemoRankFolder, WithoutARankIsRefused) {
  ASSERT_TRUE(RemoveAll(folder_ / last_).ok());
  ExpectRefused("missing rank: " + last_);
}

TEST_F(NemoRankFolder, OfFewerRanksThanTheConfigSaysIsRefused) {
  ReplaceInConfig("\npipeline_model_parallel_size: 2", "\npipeline_model_parallel_size: 3");
  ExpectRefused("missing rank: tp_rank_00_pp_rank_002");
}

TEST_F(NemoRankFolder, OfMoreRanksThanTheConfigSaysIsRefused) {
  ReplaceInConfig("\npipeline_model_parallel_size: 2", "\npipeline_model_parallel_size: 1");
  ExpectRefused("2 files called model_weights.ckpt");
}

TEST_F(NemoRankFolder, OfOtherLayersThanTheConfigSaysIsRefused) {
  ReplaceInConfig("\nnum_layers: ", "\nnum_layers: 1");
  ExpectRefused("shape mismatch");
}

TEST_F(NemoRankFolder, WithOneStageTwiceIsRefused) {
  testing::WriteFileOrDie(folder_ / last_, testing::ReadFileOrDie(folder_ / first_));
  ExpectRefused("final_layernorm.weight is missing");
}

TEST_F(NemoRankFolder, CutAnywhereIsRefused) {
  const std::string whole = testing::ReadFileOrDie(folder_ / last_);
  for (size_t size = 0; size < whole.size(); size += 997) {
    std::filesystem::resize_file(folder_ / last_, 0);
    testing::WriteFileOrDie(folder_ / last_, std::string_view(whole).substr(0, size));
    ExpectRefused(last_);
  }
}

TEST_F(NemoRankFolder, AFlippedBitInAWeightIsFoundWhenItIsRead) {
  const auto intact = OpenNemo(folder_.path());
  ASSERT_TRUE(intact) << intact.error().message();
  const auto bytes =
      testing::ReadTensorOrDie(*intact->source, "decoder.layers.1.mlp.linear_fc1.weight");
  const std::string needle(reinterpret_cast<const char*>(bytes.data()), 64);
  for (const std::string& file : {first_, last_}) {
    std::string damaged = testing::ReadFileOrDie(folder_ / file);
    const size_t at = damaged.find(needle);
    if (at == std::string::npos) continue;
    damaged[at + 1] ^= 4;
    testing::WriteFileOrDie(folder_ / file, damaged);
    const auto checkpoint = OpenNemo(folder_.path());
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    const TensorSpec& spec =
        *FindSpec(checkpoint->source->specs(), "decoder.layers.1.mlp.linear_fc1.weight");
    std::vector<std::byte> out(static_cast<size_t>(spec.size_bytes()) / 2);
    Box part = Box::Whole(spec.shape);
    part.extent[0] /= 2;
    part.offset[0] = part.extent[0];  // the flipped bit is in the other half
    const Status status = checkpoint->source->Read(spec.name, part, out);
    EXPECT_EQ(status.code(), StatusCode::kCorruption);
    EXPECT_NE(status.message().find("CRC-32"), std::string::npos) << status.message();
    return;
  }
  FAIL() << "no file holds the tensor";
}

}  // namespace
}  // namespace nemo
