// What a damaged shard set is told to have.
#include <algorithm>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "formats/native/native.h"
#include "tests/formats/native/shard_set.h"

namespace nemo::testing {
namespace {

/// "code where" of each problem.
std::vector<std::string> ProblemsOf(const std::string& path, CheckLevel level) {
  const auto problems = VerifyNative(path, level, 2, NullProgress());
  EXPECT_TRUE(problems) << problems.error().message();
  std::vector<std::string> lines;
  if (problems) {
    for (const Problem& problem : *problems) {
      EXPECT_FALSE(problem.message.empty());
      lines.push_back(problem.code + " " + problem.where);
    }
  }
  return lines;
}

void FlipByte(const std::string& path, int64_t at) {
  std::string bytes = ReadFileOrDie(path);
  bytes[static_cast<size_t>(at)] = static_cast<char>(bytes[static_cast<size_t>(at)] ^ 1);
  WriteFileOrDie(path, bytes);
}

void ReplaceIn(const std::string& path, const std::string& from, const std::string& to) {
  std::string text = ReadFileOrDie(path);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  WriteFileOrDie(path, text.replace(at, from.size(), to));
}

/// Container and compression.
struct Kind {
  const char* container;
  Compression compression;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.container << " " << ToString(kind.compression);
}

class VerifyTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const ModelConfig config = SmallConfig();
    TargetOptions options;
    options.container = GetParam().container;
    options.compression = GetParam().compression;
    ASSERT_TRUE(
        WriteShardSet(set_, *SmallModel(config), config, {.tp_size = 2, .pp_size = 2}, options)
            .ok());
    file_ = std::string("tp_rank_01_pp_rank_000") +
            (options.container == "hdf5" ? ".h5" : ".safetensors");
    manifest_ = ReadManifest();
  }
  Manifest ReadManifest() const {
    return ParseManifest(ReadFileOrDie(JoinPath(set_, "manifest.json"))).value();
  }
  void WriteManifest(const Manifest& manifest) const {
    WriteFileOrDie(JoinPath(set_, "manifest.json"), ToJsonText(manifest));
  }
  std::string PathOf(const std::string& file) const { return JoinPath(set_, file); }
  using Lines = std::vector<std::string>;

  TempDir dir_;
  std::string set_ = dir_ / "set";
  std::string file_;
  Manifest manifest_;
};

TEST_P(VerifyTest, FindsNothingInASoundSet) {
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kIndex), Lines{});
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kChecksums), Lines{});
}

TEST_P(VerifyTest, FindsAMissingFile) {
  ASSERT_TRUE(RemoveAll(PathOf(file_)).ok());
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kChecksums), Lines{"missing_file " + file_});
}

TEST_P(VerifyTest, FindsAnIncompleteFile) {
  const std::string bytes = ReadFileOrDie(PathOf(file_));
  WriteFileOrDie(PathOf(file_), bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kChecksums), Lines{"size " + file_});
}

TEST_P(VerifyTest, NamesTheTensorWhoseBytesChanged) {
  const ManifestTensor& tensor = manifest_.tensors[3];
  const auto shard = std::find_if(tensor.shards.begin(), tensor.shards.end(),
                                  [&](const ManifestShard& s) { return s.file == file_; });
  ASSERT_NE(shard, tensor.shards.end());
  FlipByte(PathOf(file_), shard->place.offset_bytes + shard->place.size_bytes - 1);
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kIndex), Lines{}) << "this degree does not read tensors";
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kChecksums),
            Lines{"checksum " + file_ + ": " + shard->stored_name});
}

TEST_P(VerifyTest, NamesTheTensorWhicheverOfItsBitsChanged) {
  const ManifestShard& shard = manifest_.tensors[0].shards[0];
  const std::string bytes = ReadFileOrDie(PathOf(shard.file));
  for (int64_t i = 0; i < std::min<int64_t>(shard.place.size_bytes, 300); ++i) {
    for (const int bit : {static_cast<int>(i % 8), 4}) {  // 4: the one that zstd's header ignores
      std::string damaged = bytes;
      char& byte = damaged[static_cast<size_t>(shard.place.offset_bytes + i)];
      byte = static_cast<char>(byte ^ (1 << bit));
      WriteFileOrDie(PathOf(shard.file), damaged);
      ASSERT_EQ(ProblemsOf(set_, CheckLevel::kChecksums),
                Lines{"checksum " + shard.file + ": " + shard.stored_name})
          << "byte " << i << " bit " << bit;
    }
  }
}

TEST_P(VerifyTest, FindsAnyChangedByteOutsideTheTensors) {
  for (const int64_t at : {0, 9, 100, 1000, 4095}) {
    FlipByte(PathOf(file_), at);
    EXPECT_EQ(ProblemsOf(set_, CheckLevel::kIndex), Lines{"metadata " + file_}) << at;
    FlipByte(PathOf(file_), at);
  }
  FlipByte(PathOf("tokenizer.model"), 0);
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kIndex), Lines{"metadata tokenizer.model"});
}

TEST_P(VerifyTest, FindsAnIndexThatDisagreesWithTheManifest) {
  // The lie keeps sizes and places: only the container's own index can tell.
  ManifestTensor& tensor = manifest_.tensors[0];
  for (ManifestShard& shard : tensor.shards) shard.stored_name = "renamed";
  WriteManifest(manifest_);
  const Lines found = ProblemsOf(set_, CheckLevel::kIndex);
  EXPECT_NE(std::find(found.begin(), found.end(),
                      "index " + tensor.shards[0].file + ": renamed (" + tensor.spec.name + ")"),
            found.end());
}

TEST_P(VerifyTest, FindsShardsThatTheLayoutDoesNotPutThere) {
  // Two ranks' parts swapped: every byte is where the manifest says, and the model is another one.
  for (ManifestTensor& tensor : manifest_.tensors) {
    if (tensor.rule != ShardRule::kSplitRows) continue;
    std::swap(tensor.shards[0].shard, tensor.shards[1].shard);
    WriteManifest(manifest_);
    EXPECT_EQ(ProblemsOf(set_, CheckLevel::kChecksums),
              (Lines{"layout " + tensor.shards[0].file + ": " + tensor.spec.name,
                     "layout " + tensor.shards[1].file + ": " + tensor.spec.name}));
    return;
  }
  FAIL() << "the model has no tensor split by rows";
}

TEST_P(VerifyTest, FindsALayoutThatIsNotTheFiles) {
  ReplaceIn(PathOf("manifest.json"), "\"pp\":2", "\"pp\":4");
  const Lines found = ProblemsOf(set_, CheckLevel::kIndex);
  ASSERT_FALSE(found.empty());
  EXPECT_TRUE(found[0].starts_with("layout ")) << found[0];
}

TEST_P(VerifyTest, FindsATensorThatIsLeftOut) {
  manifest_.tensors.erase(manifest_.tensors.begin());
  WriteManifest(manifest_);
  EXPECT_EQ(ProblemsOf(set_, CheckLevel::kIndex).front(), "layout manifest.json");
}

TEST_P(VerifyTest, ReturnsAnErrorWhenThereIsNoManifestToCompareWith) {
  WriteFileOrDie(PathOf("manifest.json"), "{}");
  const auto broken = VerifyNative(set_, CheckLevel::kIndex, 1, NullProgress());
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), StatusCode::kCorruption);
  EXPECT_EQ(VerifyNative(dir_ / "absent", CheckLevel::kIndex, 1, NullProgress()).error().code(),
            StatusCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Containers, VerifyTest,
                         ::testing::Values(Kind{"hdf5", {}}, Kind{"safetensors", {}},
                                           Kind{"hdf5", {.zstd = true}}));

}  // namespace
}  // namespace nemo::testing
