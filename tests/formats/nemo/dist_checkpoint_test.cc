// Checkpoints that Megatron Core and NeMo wrote with the torch_dist backend, against the Hugging
// Face files of the same models. Those with the zarr backend: golden_test.cc.
#include "formats/nemo/dist_checkpoint.h"

#include <gtest/gtest.h>

#include "formats/nemo/nemo.h"
#include "tests/formats/nemo/hf_truth.h"
#include "tests/formats/nemo/micro_dcp.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::ExpectEqualsHfModel;
using testing::TempDir;

struct Fixture {
  const char* name;
  const char* model;
  int64_t tp_size, pp_size;
};
constexpr Fixture kFixtures[] = {
    {"tiny_dcp_tp1pp1", "tiny", 1, 1},      {"tiny_dcp_tp2pp2", "tiny", 2, 2},
    {"tiny_dcp_tp2pp2_mc09", "tiny", 2, 2}, {"odd_dcp_tp2pp2", "odd", 2, 2},
    {"tiny_realnemo_dcp", "tiny", 1, 1},
};

class TorchDist : public ::testing::TestWithParam<Fixture> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, TorchDist, ::testing::ValuesIn(kFixtures),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(TorchDist, HasTheTensorsOfTheHuggingFaceModel) {
  const Fixture& fixture = GetParam();
  const std::string path = testing::SharedPath(Format("fixtures/nemo/{}.nemo", fixture.name));
  if (path.empty()) GTEST_SKIP() << "the shared fixtures are not beside the project";
  const auto checkpoint = OpenNemo(path);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->format, "nemo");
  EXPECT_EQ(checkpoint->container, "torch_dist");
  EXPECT_EQ(checkpoint->layout, (ParallelLayout{fixture.tp_size, fixture.pp_size}));
  EXPECT_FALSE(checkpoint->tokenizer_model.empty());
  ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, fixture.model);
}

class MicroTorchDist : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::UnpackMicroDcp(folder_)) {
      GTEST_SKIP() << "tar cannot unpack hostile.tar.xz; install xz-utils";
    }
  }
  void ExpectRefused(StatusCode code, std::string_view words) const {
    const auto checkpoint = OpenNemo(folder_.path());
    ASSERT_FALSE(checkpoint) << words;
    EXPECT_EQ(checkpoint.error().code(), code) << checkpoint.error().message();
    EXPECT_NE(checkpoint.error().message().find(words), std::string::npos)
        << checkpoint.error().message();
  }

  TempDir folder_;
};

TEST_F(MicroTorchDist, HasTheTensorsOfTheHuggingFaceModel) {
  const auto checkpoint = OpenNemo(folder_.path());
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->container, "torch_dist");
  ExpectEqualsHfModel(*checkpoint->source, checkpoint->config, "micro");
}

TEST_F(MicroTorchDist, HalfCopiedCheckpointsAreRefused) {
  const struct {
    const char* removed;
    const char* words;
  } cases[] = {
      {"model_weights/__1_1.distcp", "'model_weights/__1_1.distcp' is missing"},
      {"model_weights/.metadata", "model_weights/.metadata is missing"},
      {"model_weights/metadata.json", "model_weights/metadata.json is missing"},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(RemoveAll(folder_ / c.removed).ok());
    ExpectRefused(StatusCode::kCorruption, c.words);
  }
}

TEST_F(MicroTorchDist, AFileThatIsCutShortIsRefused) {
  const std::string path = folder_ / "model_weights/__0_1.distcp";
  const std::string whole = testing::ReadFileOrDie(path);
  testing::WriteFileOrDie(path, std::string_view(whole).substr(0, whole.size() - 1));
  ExpectRefused(StatusCode::kCorruption, "past the end of 'model_weights/__0_1.distcp'");
}

TEST_F(MicroTorchDist, AMetadataCutAnywhereIsRefused) {
  const std::string path = folder_ / "model_weights/.metadata";
  const std::string whole = testing::ReadFileOrDie(path);
  for (size_t size = 0; size < whole.size(); size += 7) {
    testing::WriteFileOrDie(path, std::string_view(whole).substr(0, size));
    ExpectRefused(StatusCode::kCorruption, ".metadata");
  }
}

TEST_F(MicroTorchDist, ACommonStateThatRunsSomethingIsRefused) {
  testing::WriteFileOrDie(folder_ / "model_weights/common.pt",
                          "\x80\x02"
                          "cos\nsystem\nX\x01");
  ExpectRefused(StatusCode::kCorruption, "unsafe pickle");
}

}  // namespace
}  // namespace nemo
