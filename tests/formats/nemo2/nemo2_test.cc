// NeMo 2 directories against the same models as .nemo archives, which tests/formats/nemo proves.
#include "formats/nemo2/nemo2.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "formats/nemo/nemo.h"
#include "libcore/base/format.h"
#include "tests/formats/nemo/micro_dcp.h"
#include "tests/formats/nemo2/model_yaml.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;
using testing::TempDir;
using testing::WriteFileOrDie;

void ExpectEqual(const Checkpoint& found, const Checkpoint& expected, int64_t vocab_size) {
  ModelConfig found_config = found.config, expected_config = expected.config;
  found_config.vocab_size = expected_config.vocab_size = vocab_size;
  const auto comparison =
      Compare(*found.source, found_config, *expected.source, expected_config, 1, NullProgress());
  ASSERT_TRUE(comparison) << comparison.error().message();
  EXPECT_TRUE(comparison->equal());
  EXPECT_EQ(comparison->num_tensors, 8 * expected.config.num_layers + 4);
  EXPECT_EQ(found.tokenizer_model, expected.tokenizer_model);
  expected_config.padded_vocab_size = found_config.padded_vocab_size;
  EXPECT_EQ(found_config, expected_config);
}

TEST(Nemo2, FixturesHoldTheSameModelsAsNemoArchives) {
  const struct {
    const char* name;
    const char* archive;
    int64_t vocab_size, tp_size, pp_size;
  } cases[] = {
      {"tiny_nemo2_tp2pp2", "nemo/tiny_zarr_tp1pp1.nemo", 2048, 2, 2},
      {"odd_nemo2_tp1pp1", "nemo/odd_zarr_tp1pp1_gz.nemo", 1100, 1, 1},
  };
  for (const auto& c : cases) {
    const std::string path = testing::SharedPath(Format("fixtures/nemo/{}", c.name));
    if (path.empty()) GTEST_SKIP() << "the shared fixtures are not beside the project";
    EXPECT_TRUE(SniffNemo2(path));
    const auto found = OpenNemo2(path);
    ASSERT_TRUE(found) << found.error().message();
    const auto expected = OpenNemo(GoldenPath(c.archive));
    ASSERT_TRUE(expected) << expected.error().message();
    EXPECT_EQ(found->layout, (ParallelLayout{c.tp_size, c.pp_size}));
    ExpectEqual(*found, *expected, c.vocab_size);
  }
}

/// The golden model `micro` saved by Megatron Core, laid out as NeMo 2 does.
class Nemo2Micro : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::UnpackMicroDcp(nemo_)) {
      GTEST_SKIP() << "tar cannot unpack hostile.tar.xz; install xz-utils";
    }
    namespace fs = std::filesystem;
    ASSERT_TRUE(CreateDirectories(path_).ok());
    fs::copy(nemo_ / "model_weights", path_ + "/weights", fs::copy_options::recursive);
    WriteFileOrDie(path_ + "/context/model.yaml", testing::kMicroYaml);
    WriteFileOrDie(path_ + "/context/io.json", "{}");
    WriteFileOrDie(path_ + "/context/tokenizer.model",
                   testing::ReadFileOrDie(GoldenPath("tokenizers/bpe1100.model")));
  }
  void ExpectRefused(StatusCode code, std::string_view words) const {
    EXPECT_TRUE(SniffNemo2(path_)) << words;
    const auto checkpoint = OpenNemo2(path_);
    ASSERT_FALSE(checkpoint) << words;
    const std::string& message = checkpoint.error().message();
    EXPECT_EQ(checkpoint.error().code(), code) << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with(path_)) << message;
  }
  void ExpectMicro() const {
    EXPECT_TRUE(SniffNemo2(path_));
    EXPECT_FALSE(SniffNemo(path_));
    const auto found = OpenNemo2(path_);
    ASSERT_TRUE(found) << found.error().message();
    const auto expected = OpenNemo(nemo_.path());
    ASSERT_TRUE(expected) << expected.error().message();
    ExpectEqual(*found, *expected, 1100);
    EXPECT_EQ(found->container, "torch_dist");
  }

  TempDir nemo_, folder_;
  const std::string path_ = folder_ / "model";
};

TEST_F(Nemo2Micro, IsReadWithItsContext) {
  ExpectMicro();
  const auto checkpoint = OpenNemo2(path_);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->format, "nemo2");
  EXPECT_EQ(checkpoint->tokenizer_name, "context/tokenizer.model");
  EXPECT_EQ(checkpoint->model_config_yaml, "");
  EXPECT_EQ(checkpoint->provenance.kind, "nemo2");
  EXPECT_EQ(checkpoint->provenance.base_name, "model");
}

TEST_F(Nemo2Micro, DataMayLieBesideTheContext) {
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/weights")) {
    std::filesystem::rename(entry.path(), path_ + "/" + entry.path().filename().string());
  }
  ASSERT_TRUE(RemoveAll(path_ + "/weights").ok());
  ExpectMicro();
}

TEST_F(Nemo2Micro, ATokenizerIsFoundInAFolderOfTheContext) {
  const std::string context = path_ + "/context";
  ASSERT_TRUE(CreateDirectories(context + "/nemo_tokenizer").ok());
  ASSERT_TRUE(
      RenameAndSync(context + "/tokenizer.model", context + "/nemo_tokenizer/a.model").ok());
  ExpectMicro();
}

TEST_F(Nemo2Micro, ATokenizerOfAnotherKindIsLeftOut) {
  ASSERT_TRUE(RemoveAll(path_ + "/context/tokenizer.model").ok());
  ExpectRefused(StatusCode::kCorruption, "missing tokenizer");
  WriteFileOrDie(path_ + "/context/model.yaml",
                 testing::Changed("sentencepiece_tokenizer.SentencePieceTokenizer",
                                  "huggingface.auto_tokenizer.AutoTokenizer"));
  const auto checkpoint = OpenNemo2(path_);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->tokenizer_model, "");
}

TEST_F(Nemo2Micro, HalfCopiedDirectoriesAreRefused) {
  const struct {
    const char* removed;
    const char* words;
  } cases[] = {
      {"/weights/__0_0.distcp", "'weights/__0_0.distcp' is missing"},
      {"/weights/metadata.json", "weights/metadata.json is missing"},
      {"/context/model.yaml", "context/model.yaml is missing"},
      {"/context", "copy the folder context/"},
  };
  for (const auto& c : cases) {
    ASSERT_TRUE(RemoveAll(path_ + c.removed).ok());
    ExpectRefused(StatusCode::kCorruption, c.words);
  }
}

TEST_F(Nemo2Micro, AConfigOfAnotherModelIsRefused) {
  WriteFileOrDie(path_ + "/context/model.yaml", testing::Changed("num_layers: 2", "num_layers: 5"));
  ExpectRefused(StatusCode::kCorruption, "num_layers 5, and the weights have 2 layers");
  WriteFileOrDie(path_ + "/context/model.yaml",
                 testing::Changed("ffn_hidden_size: 64", "ffn_hidden_size: 96"));
  ExpectRefused(StatusCode::kCorruption, "the model's config asks for");
}

TEST(Nemo2Sniff, LeavesOtherDirectoriesAlone) {
  const TempDir folder;
  EXPECT_FALSE(SniffNemo2(folder.path()));
  WriteFileOrDie(folder / "iter/metadata.json", "{}");
  WriteFileOrDie(folder / "context/weights/a", "");
  WriteFileOrDie(folder / "file", "");
  EXPECT_FALSE(SniffNemo2(folder.path()));
  EXPECT_FALSE(SniffNemo2(folder / "iter"));
  EXPECT_FALSE(SniffNemo2(folder / "file"));
  EXPECT_FALSE(SniffNemo2(folder / "absent"));
}

}  // namespace
}  // namespace nemo
