// What stands at the destination, before and after: nothing half-written, nothing of others
// removed.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/native/native.h"
#include "tests/formats/native/shard_set.h"

namespace nemo::testing {
namespace {

const std::vector<std::string> kFinished = {"manifest.json", "model_config.yaml", "tokenizer.model",
                                            "tp_rank_00_pp_rank_000.h5"};

Status WriteSmall(const std::string& path, bool force, uint32_t changed_byte = 0) {
  const ModelConfig config = SmallConfig();
  Attachments attachments = SmallAttachments();
  attachments.source.size_bytes = changed_byte;
  return WriteShardSet(path, *SmallModel(config), config, {}, {"hdf5", force}, attachments);
}

std::vector<std::string> FilesIn(const std::string& path) {
  return OpenDirectory(path).value()->files();
}

/// Names directly in the folder, directories too.
bool OnlySetIsIn(const TempDir& dir) {
  return KindOf(dir / "set.partial") == PathKind::kAbsent &&
         KindOf(dir / "set.old") == PathKind::kAbsent;
}

TEST(NativeTarget, GrowsBesideItsDestinationUntilItIsFinished) {
  TempDir dir;
  auto target = CreateNativeTarget(dir / "set", {});
  ASSERT_TRUE(target);
  EXPECT_EQ(KindOf(dir / "set"), PathKind::kAbsent);
  EXPECT_EQ(KindOf(dir / "set.partial"), PathKind::kDirectory);
  (*target)->Abandon();
  EXPECT_EQ(KindOf(dir / "set.partial"), PathKind::kAbsent);
  ASSERT_TRUE(WriteSmall(dir / "set", false).ok());
  EXPECT_EQ(FilesIn(dir / "set"), kFinished);
  EXPECT_TRUE(OnlySetIsIn(dir));
}

TEST(NativeTarget, ReplacesNothingUnlessForced) {
  TempDir dir;
  ASSERT_TRUE(WriteSmall(dir / "set", false, 1).ok());
  const Status refused = WriteSmall(dir / "set", false, 2);
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("--force"), std::string::npos) << refused.message();
  EXPECT_EQ(OpenNative(dir / "set")->provenance.size_bytes, 1);
  ASSERT_TRUE(WriteSmall(dir / "set", true, 3).ok());
  EXPECT_EQ(OpenNative(dir / "set")->provenance.size_bytes, 3);
  EXPECT_EQ(FilesIn(dir / "set"), kFinished);
  EXPECT_TRUE(OnlySetIsIn(dir));
}

TEST(NativeTarget, KeepsTheOldSetWhenTheNewOneFails) {
  TempDir dir;
  ASSERT_TRUE(WriteSmall(dir / "set", false, 1).ok());
  auto target = CreateNativeTarget(dir / "set", {"hdf5", true});
  ASSERT_TRUE(target);
  EXPECT_EQ(OpenNative(dir / "set")->provenance.size_bytes, 1);
  (*target)->Abandon();
  EXPECT_EQ(OpenNative(dir / "set")->provenance.size_bytes, 1);
}

TEST(NativeTarget, RemovesOnlyShardSetsEvenWhenForced) {
  const struct {
    const char* what;
    std::vector<std::string> files;
    bool ok;
  } kCases[] = {
      {"an empty directory", {"set/x/../."}, true},
      {"a shard set", {"set/manifest.json", "set/tp_rank_00_pp_rank_000.h5"}, true},
      {"an unfinished one",
       {"set/tp_rank_00_pp_rank_000.safetensors.partial", "set/tp_rank_00_pp_rank_000.h5"},
       true},
      {"somebody's notes beside",
       {"set/manifest.json", "set/tp_rank_00_pp_rank_000.h5", "set/notes.txt"},
       false},
      {"a subfolder", {"set/tp_rank_00_pp_rank_000.h5", "set/sub/manifest.json"}, false},
      {"a web page's manifest", {"set/manifest.json"}, false},
      {"a Hugging Face model", {"set/config.json", "set/model.safetensors"}, false},
      {"a file", {"set"}, false},
      {"leftovers under the temporary name",
       {"set.partial/tp_rank_00_pp_rank_000.h5.partial"},
       true},
      {"somebody's folder under the temporary name", {"set.partial/thesis.tex"}, false},
  };
  for (const auto& c : kCases) {
    TempDir dir;
    for (const std::string& file : c.files) {
      if (file.ends_with(".")) {
        ASSERT_TRUE(CreateDirectories(dir / "set").ok());
      } else {
        WriteFileOrDie(dir / file, "keep");
      }
    }
    const Status status = WriteSmall(dir / "set", true);
    EXPECT_EQ(status.ok(), c.ok) << c.what << ": " << status.message();
    if (c.ok) {
      EXPECT_EQ(FilesIn(dir / "set"), kFinished) << c.what;
      EXPECT_TRUE(OnlySetIsIn(dir)) << c.what;
    } else {
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.what;
      for (const std::string& file : c.files)
        EXPECT_EQ(ReadFileOrDie(dir / file), "keep") << c.what;
    }
  }
}

TEST(NativeTarget, TakesTrailingSlashesAndRefusesNamelessDestinations) {
  TempDir dir;
  ASSERT_TRUE(WriteSmall(dir / "set//", false).ok());
  EXPECT_EQ(FilesIn(dir / "set"), kFinished);
  for (const char* path : {"", ".", "..", "/", "a/.."}) {
    EXPECT_EQ(CreateNativeTarget(path, {"hdf5", true}).error().code(), StatusCode::kInvalidArgument)
        << path;
  }
}

TEST(NativeTarget, CompressesOnlyWhereTheContainerCan) {
  TempDir dir;
  TargetOptions options;
  options.container = "safetensors";
  options.compression = {.zstd = true};
  const auto target = CreateNativeTarget(dir / "set", options);
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(target.error().message().find("choose the container hdf5"), std::string::npos);
  EXPECT_EQ(KindOf(dir / "set.partial"), PathKind::kAbsent);
}

TEST(NativeTarget, NamesTheContainersItKnows) {
  TempDir dir;
  const auto target = CreateNativeTarget(dir / "set", {"netcdf", false});
  ASSERT_FALSE(target);
  EXPECT_NE(target.error().message().find("[hdf5, safetensors]"), std::string::npos);
  EXPECT_EQ(KindOf(dir / "set.partial"), PathKind::kAbsent);
}

}  // namespace
}  // namespace nemo::testing
