// Archives and directories written by Megatron Core and NeMo, against the Hugging Face files of the
// same models.
#include <cstdlib>

#include <gtest/gtest.h>

#include "formats/nemo/nemo.h"
#include "libcore/base/json.h"
#include "tests/formats/nemo/hf_truth.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::DataPath;
using testing::ExpectEqualsHfModel;
using testing::GoldenPath;

struct Golden {
  const char* path;
  const char* model;
  int64_t tp_size, pp_size;
  int64_t padded_vocab_size;
};
constexpr Golden kGolden[] = {
    {"nemo/tiny_zarr_tp1pp1.nemo", "tiny", 1, 1, 2048},
    {"nemo/tiny_zarr_tp2pp2.nemo", "tiny", 2, 2, 2048},
    {"nemo/tiny_zarr_tp4pp1_dir", "tiny", 4, 1, 2048},
    {"nemo/odd_zarr_tp2pp3.nemo", "odd", 2, 3, 1280},
    {"nemo/odd_zarr_tp1pp1_gz.nemo", "odd", 1, 1, 1152},
    {"nemo/odd_realnemo_zarr.nemo", "odd", 1, 1, 1152},
    {"nemo/tied_zarr_tp1pp2.nemo", "tied", 1, 2, 1152},
};

class NemoGolden : public ::testing::TestWithParam<Golden> {};
INSTANTIATE_TEST_SUITE_P(Files, NemoGolden, ::testing::ValuesIn(kGolden));

TEST_P(NemoGolden, HasTheTensorsOfTheHuggingFaceModel) {
  const auto checkpoint = OpenNemo(GoldenPath(GetParam().path));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, GetParam().model);
}

TEST_P(NemoGolden, SaysHowItWasSaved) {
  const Golden& golden = GetParam();
  const auto checkpoint = OpenNemo(GoldenPath(golden.path));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->format, "nemo");
  EXPECT_EQ(checkpoint->container, "zarr");
  EXPECT_EQ(checkpoint->layout, (ParallelLayout{golden.tp_size, golden.pp_size}));
  EXPECT_EQ(checkpoint->config.padded_vocab_size, golden.padded_vocab_size);
  EXPECT_TRUE(checkpoint->tokenizer_name.ends_with("_nemotron_2_256k.model"));
  EXPECT_EQ(checkpoint->tokenizer_model,
            testing::ReadFileOrDie(GoldenPath(golden.model == std::string("tiny")
                                                  ? "tokenizers/bpe2048.model"
                                                  : "tokenizers/bpe1100.model")));
  EXPECT_EQ(checkpoint->provenance.kind, "nemo");
  EXPECT_EQ(checkpoint->provenance.base_name, BaseName(golden.path));
  EXPECT_TRUE(SniffNemo(GoldenPath(golden.path)));
}

TEST(Nemo, ReadsTheConfigOfARealSave) {
  const auto checkpoint = OpenNemo(GoldenPath("nemo/odd_realnemo_zarr.nemo"));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  ModelConfig expected;
  expected.num_layers = 6;
  expected.hidden_size = 96;
  expected.ffn_hidden_size = 320;
  expected.num_attention_heads = 6;
  expected.num_query_groups = 2;
  expected.kv_channels = 24;
  expected.max_position_embeddings = 512;
  expected.padded_vocab_size = 1152;
  expected.rotary_base = 50000;
  EXPECT_EQ(ToJson(ToValue(checkpoint->config)), ToJson(ToValue(expected)));
}

TEST(Nemo, ReadsTheDemoModel) {
  const auto checkpoint = OpenNemo(DataPath("shakespeare.nemo"));
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->config.num_layers, 6);
  EXPECT_EQ(checkpoint->source->specs().size(), 8u * 6 + 4);
}

TEST(Nemo, AnUnpackedArchiveHasTheSameIndexHash) {
  testing::TempDir folder;
  const std::string archive = GoldenPath("nemo/tied_zarr_tp1pp2.nemo");
  ASSERT_EQ(std::system(("tar xf '" + archive + "' -C '" + folder.path() + "'").c_str()), 0);
  const auto packed = OpenNemo(archive);
  const auto unpacked = OpenNemo(folder.path());
  ASSERT_TRUE(packed) << packed.error().message();
  ASSERT_TRUE(unpacked) << unpacked.error().message();
  EXPECT_EQ(packed->provenance.index_xxh3, unpacked->provenance.index_xxh3);
  EXPECT_EQ(packed->provenance.index_xxh3.size(), 32u);
}

}  // namespace
}  // namespace nemo
