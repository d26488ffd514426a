// Shard sets written, read back and resharded.
#include "formats/native/native.h"

#include <string>

#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "tests/conformance/source_suite.h"
#include "tests/formats/native/shard_set.h"

namespace nemo::testing {
namespace {

struct LayoutCase {
  const char* container;
  ParallelLayout layout;
  bool tied = false;
  Compression compression = {};
};

const LayoutCase kLayouts[] = {
    {"hdf5", {}},
    {"safetensors", {}},
    {"hdf5", {.tp_size = 2, .pp_size = 2}},
    {"safetensors", {.tp_size = 2, .pp_size = 2}},
    {"hdf5", {.tp_size = 4}},
    {"safetensors", {.tp_size = 4, .kv_duplicate = true}},
    {"hdf5", {.pp_size = 2, .layers_per_stage = {1, 3}}},
    {"safetensors", {.pp_size = 2, .vpp_size = 2}},
    {"hdf5", {.tp_size = 2, .pp_size = 2}, /*tied=*/true},
    {"hdf5", {.tp_size = 2, .pp_size = 2}, /*tied=*/true, {.zstd = true}},
    {"hdf5", {.tp_size = 4, .kv_duplicate = true}, /*tied=*/false, {.zstd = true, .level = 7}},
};

TargetOptions OptionsOf(const LayoutCase& c) {
  TargetOptions options;
  options.container = c.container;
  options.compression = c.compression;
  return options;
}

ModelConfig ConfigOf(const LayoutCase& c) {
  ModelConfig config = SmallConfig();
  config.share_embeddings_and_output_weights = c.tied;
  return config;
}

TEST(Native, GivesBackEveryBitInAnyLayout) {
  for (const LayoutCase& c : kLayouts) {
    SCOPED_TRACE(std::string(c.container) + " " + ToString(c.compression) + " " +
                 ToString(c.layout));
    TempDir dir;
    const ModelConfig config = ConfigOf(c);
    const auto model = SmallModel(config);
    const Status written = WriteShardSet(dir / "set", *model, config, c.layout, OptionsOf(c));
    ASSERT_TRUE(written.ok()) << written.message();
    const auto checkpoint = OpenNative(dir / "set");
    ASSERT_TRUE(checkpoint) << checkpoint.error().message();
    EXPECT_EQ(checkpoint->format, "native");
    EXPECT_EQ(checkpoint->container, c.container);
    EXPECT_EQ(checkpoint->compression, c.compression);
    EXPECT_EQ(checkpoint->layout, c.layout);
    EXPECT_EQ(checkpoint->config, config);
    EXPECT_EQ(checkpoint->model_config_yaml, SmallAttachments().model_config_yaml);
    EXPECT_EQ(checkpoint->tokenizer_model, SmallAttachments().tokenizer_model);
    EXPECT_EQ(checkpoint->tokenizer_name, "tokenizer.model");
    EXPECT_EQ(checkpoint->provenance, SmallAttachments().source);
    ASSERT_EQ(checkpoint->source->specs().size(), model->specs().size());
    for (const TensorSpec& spec : model->specs()) {
      EXPECT_EQ(ReadTensorOrDie(*checkpoint->source, spec.name), ReadTensorOrDie(*model, spec.name))
          << spec.name;
    }
    // Each replica too: the map holds all pieces.
    for (const auto& [name, pieces] : checkpoint->source->map().entries()) {
      for (const NamePiece& piece : pieces) {
        std::vector<std::byte> replica(static_cast<size_t>(NumElements(piece.canonical) * 2));
        std::vector<std::byte> truth(replica.size());
        ASSERT_TRUE(checkpoint->source->ReadPiece(piece, replica).ok());
        ASSERT_TRUE(model->Read(name, piece.canonical, truth).ok());
        EXPECT_EQ(replica, truth) << name;
      }
    }
    const auto problems = VerifyNative(dir / "set", CheckLevel::kChecksums, 2, NullProgress());
    ASSERT_TRUE(problems) << problems.error().message();
    for (const Problem& p : *problems)
      ADD_FAILURE() << p.code << " " << p.where << " " << p.message;
  }
}

TEST(Native, GivesTheSameFilesAfterAWayRound) {
  const LayoutCase kKinds[] = {
      {"hdf5", {}}, {"safetensors", {}}, {"hdf5", {}, /*tied=*/false, {.zstd = true}}};
  for (const LayoutCase& kind : kKinds) {
    TempDir dir;
    const ModelConfig config = SmallConfig();
    const ParallelLayout a{.tp_size = 2, .pp_size = 2}, b{.tp_size = 1, .pp_size = 4};
    ASSERT_TRUE(WriteShardSet(dir / "a", *SmallModel(config), config, a, OptionsOf(kind)).ok());
    const auto reshard = [&](const std::string& from, const std::string& to,
                             const ParallelLayout& layout) {
      const auto read = OpenNative(from);
      ASSERT_TRUE(read);
      const Attachments attachments{read->provenance, read->model_config_yaml,
                                    read->tokenizer_model};
      ASSERT_TRUE(
          WriteShardSet(to, *read->source, read->config, layout, OptionsOf(kind), attachments)
              .ok());
    };
    reshard(dir / "a", dir / "b", b);
    reshard(dir / "b", dir / "again", a);
    const auto files = OpenDirectory(dir / "a");
    ASSERT_TRUE(files);
    EXPECT_EQ((*files)->files().size(), 7u) << "4 ranks, manifest, config, tokenizer";
    for (const std::string& name : (*files)->files()) {
      EXPECT_EQ(ReadFileOrDie(JoinPath(dir / "a", name)),
                ReadFileOrDie(JoinPath(dir / "again", name)))
          << name;
    }
  }
}

TEST(Native, DoesWithoutConfigAndTokenizer) {
  TempDir dir;
  const ModelConfig config = SmallConfig();
  ASSERT_TRUE(WriteShardSet(dir / "set", *SmallModel(config), config, {}, {}, {}).ok());
  EXPECT_EQ(KindOf(dir / "set/tokenizer.model"), PathKind::kAbsent);
  const auto checkpoint = OpenNative(dir / "set");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(checkpoint->tokenizer_name, "");
}

TEST(Native, IsRecognisedByItsManifest) {
  TempDir dir;
  const ModelConfig config = SmallConfig();
  ASSERT_TRUE(WriteShardSet(dir / "set", *SmallModel(config), config, {}, {}).ok());
  EXPECT_TRUE(SniffNative(dir / "set"));
  EXPECT_FALSE(SniffNative(dir.path()));
  EXPECT_FALSE(SniffNative(dir / "absent"));
  EXPECT_FALSE(SniffNative(dir / "set/manifest.json"));
  WriteFileOrDie(dir / "hf/model-00001-of-00002.safetensors", "");
  EXPECT_FALSE(SniffNative(dir / "hf"));
}

TEST(Native, SaysThatASetWithoutManifestIsUnfinished) {
  TempDir dir;
  const ModelConfig config = SmallConfig();
  ASSERT_TRUE(WriteShardSet(dir / "set", *SmallModel(config), config, {}, {}).ok());
  ASSERT_TRUE(RemoveAll(dir / "set/manifest.json").ok());
  EXPECT_TRUE(SniffNative(dir / "set"));
  const auto checkpoint = OpenNative(dir / "set");
  ASSERT_FALSE(checkpoint);
  EXPECT_NE(checkpoint.error().message().find("unfinished"), std::string::npos);
}

TEST(Native, RefusesFilesThatAreNotAsTheManifestSays) {
  const ModelConfig config = SmallConfig();
  const auto model = SmallModel(config);
  const struct {
    const char* file;
    const char* bytes;  ///< nullptr removes the file
    const char* message;
  } kCases[] = {
      {"tp_rank_00_pp_rank_000.h5", nullptr, "tp_rank_00_pp_rank_000.h5"},
      {"tp_rank_00_pp_rank_000.h5", "short", "the copy is incomplete"},
      {"tokenizer.model", nullptr, "tokenizer.model"},
      {"tokenizer.model", "pieces\xfe\n", "tokenizer.model: its checksum"},
      {"model_config.yaml", "x", "the copy is incomplete"},
      {"manifest.json", "{", "manifest.json: not valid JSON"},
  };
  for (const auto& c : kCases) {
    TempDir dir;
    ASSERT_TRUE(WriteShardSet(dir / "set", *model, config, {}, {}).ok());
    const std::string path = JoinPath(dir / "set", c.file);
    if (c.bytes == nullptr) {
      ASSERT_TRUE(RemoveAll(path).ok());
    } else {
      WriteFileOrDie(path, c.bytes);
    }
    const auto checkpoint = OpenNative(dir / "set");
    ASSERT_FALSE(checkpoint) << c.file;
    EXPECT_NE(checkpoint.error().message().find(c.message), std::string::npos)
        << checkpoint.error().message();
  }
}

/// Through the suite that every source passes.
SourceUnderTest NativeSource(const TempDir& dir) {
  const ModelConfig config = SmallConfig();
  auto model = SmallModel(config);
  EXPECT_TRUE(WriteShardSet(dir / "set", *model, config, {.tp_size = 2, .pp_size = 2}, {}).ok());
  auto checkpoint = OpenNative(dir / "set");
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
  return {checkpoint ? checkpoint->source : nullptr, model};
}
INSTANTIATE_TEST_SUITE_P(Native, SourceSuite, ::testing::Values(NativeSource));

}  // namespace
}  // namespace nemo::testing
