// Opening and recognising: whole, cut short, half saved, in a form that is not read.
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "formats/nemo/nemo.h"
#include "libcore/base/format.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;
using testing::TempDir;
using testing::WriteFileOrDie;

/// The golden archive unpacked into `folder`.
void Unpack(const TempDir& folder) {
  const std::string command =
      Format("tar xf '{}' -C '{}'", GoldenPath("nemo/tied_zarr_tp1pp2.nemo"), folder.path());
  ASSERT_EQ(std::system(command.c_str()), 0);
}

void ExpectRefused(const std::string& path, StatusCode code, const std::string& words) {
  const auto checkpoint = OpenNemo(path);
  ASSERT_FALSE(checkpoint) << words;
  EXPECT_EQ(checkpoint.error().code(), code) << checkpoint.error().message();
  EXPECT_NE(checkpoint.error().message().find(words), std::string::npos)
      << checkpoint.error().message();
  EXPECT_TRUE(checkpoint.error().message().starts_with(path)) << checkpoint.error().message();
}

TEST(NemoOpen, AnArchiveCutAtAnyBlockIsRefused) {
  const TempDir folder;
  const std::string whole = testing::ReadFileOrDie(GoldenPath("nemo/tied_zarr_tp1pp2.nemo"));
  const std::string path = folder / "cut.nemo";
  WriteFileOrDie(path, whole);
  // From the blocks of zeros at the end, which nothing depends on, to nothing.
  for (size_t size = whole.find_last_not_of('\0') / 512 * 512 + 512; size > 0;) {
    size -= 512;
    std::filesystem::resize_file(path, size);
    const auto checkpoint = OpenNemo(path);
    ASSERT_FALSE(checkpoint) << size;
    EXPECT_EQ(checkpoint.error().code(), StatusCode::kCorruption) << checkpoint.error().message();
  }
}

TEST(NemoOpen, AGzippedArchiveCutShortIsRefused) {
  const TempDir folder;
  const std::string whole = testing::ReadFileOrDie(GoldenPath("nemo/odd_zarr_tp1pp1_gz.nemo"));
  for (const size_t size : {whole.size() - 1, whole.size() / 2, size_t{20}, size_t{2}}) {
    WriteFileOrDie(folder / "cut.nemo", std::string_view(whole).substr(0, size));
    ExpectRefused(folder / "cut.nemo", StatusCode::kCorruption, "truncated");
  }
}

TEST(NemoOpen, GzipOfSomethingElseIsRefused) {
  const TempDir folder;
  WriteFileOrDie(folder / "text", std::string(2000, 'x'));
  ASSERT_EQ(std::system(Format("gzip -c '{}' > '{}'", folder / "text", folder / "x.nemo").c_str()),
            0);
  ExpectRefused(folder / "x.nemo", StatusCode::kCorruption, "no tar archive inside");
}

TEST(NemoOpen, HalfSavedOrHalfCopiedDirectoriesAreRefused) {
  const struct {
    const char* removed;
    const char* words;
  } cases[] = {
      {"model_config.yaml", "model_config.yaml is missing"},
      {"model_weights/metadata.json", "metadata.json is missing"},
      {"model_weights", "no weights"},
      {"model_weights/model.embedding.word_embeddings.weight", "word_embeddings.weight is missing"},
      {"model_weights/model.decoder.final_layernorm.weight", "final_layernorm.weight is missing"},
      {"model_weights/model.decoder.layers.mlp.linear_fc1.weight", "linear_fc1.weight is missing"},
      {"model_weights/model.decoder.layers.mlp.linear_fc1.weight/1.0.0",
       "linear_fc1.weight/1.0.0' is missing"},
      {"29e0db5f7dd14bcf9f32727ff482502b_nemotron_2_256k.model", "missing tokenizer"},
  };
  for (const auto& c : cases) {
    const TempDir folder;
    Unpack(folder);
    ASSERT_NE(KindOf(folder / c.removed), PathKind::kAbsent) << c.removed;
    ASSERT_TRUE(RemoveAll(folder / c.removed).ok());
    ExpectRefused(folder.path(), StatusCode::kCorruption, c.words);
  }
}

TEST(NemoOpen, MetadataOfOtherWritersIsNamed) {
  const struct {
    const char* text;
    StatusCode code;
    const char* words;
  } cases[] = {
      {"{\"sharded_backend\": \"torch_dist\", \"sharded_backend_version\": 1}",
       StatusCode::kCorruption, "model_weights/.metadata is missing"},
      {"{\"sharded_backend\": \"parquet\"}", StatusCode::kUnsupported, "'parquet'"},
      {"{\"sharded_backend\": \"zarr\", \"sharded_backend_version\": 2}", StatusCode::kUnsupported,
       "sharded_backend_version 2"},
      {"{\"sharded_backend\": 1}", StatusCode::kCorruption, "sharded_backend"},
      {"{}", StatusCode::kNotFound, "sharded_backend"},
      {"{\"sharded", StatusCode::kCorruption, "metadata.json: not valid JSON"},
  };
  const TempDir folder;
  Unpack(folder);
  for (const auto& c : cases) {
    WriteFileOrDie(folder / "model_weights/metadata.json", c.text);
    ExpectRefused(folder.path(), c.code, c.words);
  }
}

TEST(NemoOpen, ExtraStateAndCommonStateDoNotMatter) {
  const TempDir folder;
  Unpack(folder);
  const std::string extra = "model_weights/model.decoder.layers.mlp.linear_fc1._extra_state";
  ASSERT_EQ(KindOf(folder / extra), PathKind::kDirectory);
  ASSERT_TRUE(RemoveAll(folder / extra).ok());
  WriteFileOrDie(folder / "model_weights/common.pt", "PK\x03\x04 rubbish");
  const auto checkpoint = OpenNemo(folder.path());
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
}

TEST(NemoOpen, AConfigBelowTheTopIsPointedOut) {
  const TempDir folder;
  WriteFileOrDie(folder / "mymodel/model_config.yaml", "a: 1");
  ExpectRefused(folder.path(), StatusCode::kCorruption, "mymodel/model_config.yaml");
}

TEST(NemoOpen, AFileThatTorchDidNotWriteIsNamed) {
  const struct {
    const char* file;
    const char* words;
  } cases[] = {
      {"model_weights.ckpt", "model_weights.ckpt: not a file of torch.save"},
      {"mp_rank_00/model_weights.ckpt", "says pipeline-parallel size 2"},
      {"tp_rank_00_pp_rank_000/model_weights.ckpt",
       "tp_rank_00_pp_rank_000/model_weights.ckpt: not a file of torch.save"},
  };
  for (const auto& c : cases) {
    const TempDir folder;
    Unpack(folder);
    ASSERT_TRUE(RemoveAll(folder / "model_weights").ok());
    WriteFileOrDie(folder / c.file, "PK");
    EXPECT_TRUE(SniffNemo(folder.path())) << c.file;
    ExpectRefused(folder.path(), StatusCode::kCorruption, c.words);
  }
}

TEST(NemoSniff, KnowsArchivesAndDirectories) {
  const TempDir folder;
  WriteFileOrDie(folder / "by_name.nemo", "anything");
  WriteFileOrDie(folder / "text.txt", "anything");
  WriteFileOrDie(folder / "archive",
                 testing::ReadFileOrDie(GoldenPath("nemo/tied_zarr_tp1pp2.nemo")));
  WriteFileOrDie(folder / "gzipped", "\x1f\x8b");
  WriteFileOrDie(folder / "native/manifest.json", "{}");
  WriteFileOrDie(folder / "native/model_config.yaml", "");
  WriteFileOrDie(folder / "dir/model_weights/metadata.json", "{}");
  EXPECT_TRUE(SniffNemo(folder / "by_name.nemo"));
  EXPECT_TRUE(SniffNemo(folder / "archive"));
  EXPECT_TRUE(SniffNemo(folder / "gzipped"));
  EXPECT_TRUE(SniffNemo(folder / "dir"));
  EXPECT_FALSE(SniffNemo(folder / "text.txt"));
  EXPECT_FALSE(SniffNemo(folder / "native"));
  EXPECT_FALSE(SniffNemo(folder / "absent.nemo"));
}

}  // namespace
}  // namespace nemo
