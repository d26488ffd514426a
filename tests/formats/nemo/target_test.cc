// Written archives and directories against those that Megatron Core and NeMo wrote of the same
// model in the same layout: all of their files but the pickles are the same bytes.
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "formats/nemo/archive.h"
#include "formats/nemo/nemo.h"
#include "libcore/base/format.h"
#include "libcore/convert/check.h"
#include "libcore/convert/convert.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::GoldenPath;
using testing::TempDir;

struct Wish {
  std::string container = "zarr";
  ParallelLayout layout;
  bool archive = false;
  bool force = false;
  bool resume = false;
  VocabRule vocab = {VocabRule::Kind::kKeep};
};

Status Write(const Checkpoint& source, const std::string& path, const Wish& wish) {
  PlanOptions options;
  options.layout = wish.layout;
  options.vocab = wish.vocab;
  options.container = wish.container;
  options.archive = wish.archive;
  NEMO_ASSIGN_OR_RETURN(const Plan plan, PlanNemo(source.config, source.source->specs(), options));
  TargetOptions target_options;
  target_options.container = wish.container;
  target_options.archive = wish.archive;
  target_options.force = wish.force;
  target_options.resume = wish.resume;
  target_options.attachments = {source.provenance, source.model_config_yaml,
                                source.tokenizer_model};
  target_options.config = plan.config;
  target_options.layout = plan.layout;
  NEMO_ASSIGN_OR_RETURN(const auto target, CreateNemoTarget(path, target_options));
  ConvertOptions convert;
  convert.jobs = 2;
  convert.block_bytes = 4096;
  return Convert(*source.source, plan, *target, convert, NullProgress()).error();
}

Checkpoint OpenOrDie(const std::string& path) {
  auto checkpoint = OpenNemo(path);
  EXPECT_TRUE(checkpoint) << checkpoint.error().message();
  return *checkpoint;
}

std::map<std::string, std::string> Files(const std::string& path) {
  std::map<std::string, std::string> files;
  const auto tree = OpenArchive(path);
  EXPECT_TRUE(tree) << tree.error().message();
  for (const std::string& name : (*tree)->files()) {
    files[name] = *ReadAll(**(*tree)->Open(name), 1 << 24);
  }
  return files;
}

/// Those that torch wrote hold no weights, and another pickle of the same None.
bool IsPickle(const std::string& name) { return name.ends_with(".pt"); }

void ExpectEqualTensors(const Checkpoint& a, const Checkpoint& b) {
  ASSERT_EQ(a.source->specs().size(), b.source->specs().size());
  for (const TensorSpec& spec : b.source->specs()) {
    EXPECT_EQ(testing::ReadTensorOrDie(*a.source, spec.name),
              testing::ReadTensorOrDie(*b.source, spec.name))
        << spec.name;
  }
}

class NemoTargetOfGolden : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Files, NemoTargetOfGolden,
                         ::testing::Values("tiny_zarr_tp1pp1.nemo", "tiny_zarr_tp2pp2.nemo",
                                           "tiny_zarr_tp4pp1_dir", "odd_zarr_tp2pp3.nemo",
                                           "odd_zarr_tp1pp1_gz.nemo", "odd_realnemo_zarr.nemo",
                                           "tied_zarr_tp1pp2.nemo"));

TEST_P(NemoTargetOfGolden, HasTheFilesOfTheOriginal) {
  const std::string original = GoldenPath(Format("nemo/{}", GetParam()));
  const Checkpoint source = OpenOrDie(original);
  TempDir dir;
  ASSERT_EQ(Write(source, dir / "d", {.layout = source.layout}).message(), "");
  ASSERT_EQ(Write(source, dir / "a.nemo", {.layout = source.layout, .archive = true}).message(),
            "");
  const auto files = Files(dir / "d");
  EXPECT_EQ(files, Files(dir / "a.nemo"));
  for (const auto& [name, bytes] : Files(original)) {
    ASSERT_TRUE(files.contains(name)) << name;
    EXPECT_TRUE(IsPickle(name) || files.at(name) == bytes) << name;
  }
}

TEST_P(NemoTargetOfGolden, HasTheSameTensorsAsRankFiles) {
  const Checkpoint source = OpenOrDie(GoldenPath(Format("nemo/{}", GetParam())));
  for (const ParallelLayout& layout :
       {ParallelLayout{1, 1}, ParallelLayout{2, 1}, ParallelLayout{1, 2}, ParallelLayout{2, 2}}) {
    if (source.config.num_query_groups % layout.tp_size != 0) continue;
    TempDir dir;
    ASSERT_EQ(Write(source, dir / "d", {.container = "torch", .layout = layout}).message(), "");
    ASSERT_EQ(
        Write(source, dir / "a.nemo", {.container = "torch", .layout = layout, .archive = true})
            .message(),
        "");
    EXPECT_EQ(Files(dir / "d"), Files(dir / "a.nemo"));
    const Checkpoint back = OpenOrDie(dir / "a.nemo");
    EXPECT_EQ(back.layout, layout);
    EXPECT_EQ(back.config, source.config);
    EXPECT_EQ(back.container, "torch");
    ExpectEqualTensors(back, source);
  }
}

TEST(NemoTarget, RankFilesHaveTheNamesThatMegatronGaveThem) {
  const Checkpoint source = OpenOrDie(GoldenPath("nemo/tied_legacy_pp2.nemo"));
  TempDir dir;
  ASSERT_EQ(Write(source, dir / "d", {.container = "torch", .layout = {1, 2}, .archive = false})
                .message(),
            "");
  std::set<std::string> names, expected;
  for (const auto& [name, bytes] : Files(dir / "d")) names.insert(name);
  for (const auto& [name, bytes] : Files(GoldenPath("nemo/tied_legacy_pp2.nemo"))) {
    expected.insert(name);
  }
  EXPECT_EQ(names, expected);
}

TEST(NemoTarget, AnotherVocabularyIsOneThatNemoPadsToTheSameSize) {
  const Checkpoint source = OpenOrDie(GoldenPath("nemo/odd_zarr_tp2pp3.nemo"));
  ASSERT_EQ(source.config.padded_vocab_size, 1280);
  constexpr int64_t kVocab = 1100;
  Checkpoint known = source;
  known.config.vocab_size = kVocab;
  const struct {
    VocabRule vocab;
    int64_t rows, multiple;
  } kCases[] = {
      {{VocabRule::Kind::kMegatron}, 1280, 128},
      {{VocabRule::Kind::kKeep}, 1280, 128},
      {{VocabRule::Kind::kPrune}, 1100, 550},
      {{VocabRule::Kind::kPad, 100}, 1200, 600},
  };
  for (const auto& c : kCases) {
    TempDir dir;
    ASSERT_EQ(Write(known, dir / "d", {.layout = {2, 1}, .vocab = c.vocab}).message(), "");
    const Checkpoint back = OpenOrDie(dir / "d");
    EXPECT_EQ(back.config.padded_vocab_size, c.rows);
    EXPECT_EQ(back.config.make_vocab_size_divisible_by, c.multiple);
    const int64_t step = 2 * back.config.make_vocab_size_divisible_by;
    EXPECT_EQ((kVocab + step - 1) / step * step, c.rows) << "as NeMo computes it";
  }
}

TEST(NemoTarget, LayoutsThatItsConfigurationCannotSayAreRefused) {
  const Checkpoint source = OpenOrDie(GoldenPath("nemo/odd_zarr_tp2pp3.nemo"));
  ParallelLayout uneven{1, 2}, virtual_stages{1, 2}, duplicated{4, 1};
  uneven.layers_per_stage = {2, 4};
  virtual_stages.vpp_size = 3;
  duplicated.kv_duplicate = true;
  const struct {
    Wish wish;
    const char* says;
  } kCases[] = {
      {{.layout = uneven}, "--pipeline-layout"},
      {{.container = "torch", .layout = virtual_stages}, "--vpp"},
      {{.layout = duplicated}, "--kv-duplicate"},
      {{.container = "hdf5"}, "known: zarr, torch"},
  };
  TempDir dir;
  for (const auto& c : kCases) {
    const Status status = Write(source, dir / "d", c.wish);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find(c.says), std::string::npos) << status.message();
    EXPECT_EQ(KindOf(dir / "d"), PathKind::kAbsent);
  }
  ASSERT_EQ(Write(source, dir / "v", {.layout = virtual_stages}).message(), "");
  EXPECT_EQ(OpenOrDie(dir / "v").layout, virtual_stages) << "arrays are cut by no stage";
}

TEST(NemoTarget, AnArchiveReplacesAFileByForceAndNothingElse) {
  const Checkpoint source = OpenOrDie(GoldenPath("nemo/tied_zarr_tp1pp2.nemo"));
  TempDir dir;
  const std::string path = dir / "a.nemo";
  ASSERT_EQ(Write(source, path, {.archive = true}).message(), "");
  const auto files = Files(path);
  EXPECT_EQ(Write(source, path, {.archive = true}).code(), StatusCode::kInvalidArgument);
  testing::WriteFileOrDie(path, "old");
  testing::WriteFileOrDie(path + ".partial", "an earlier run's");
  ASSERT_EQ(Write(source, path, {.archive = true, .force = true}).message(), "");
  EXPECT_EQ(Files(path), files);
  ASSERT_TRUE(CreateDirectories(dir / "b.nemo").ok());
  EXPECT_EQ(Write(source, dir / "b.nemo", {.archive = true, .force = true}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Write(source, dir / ".nemo", {.archive = true}).code(), StatusCode::kInvalidArgument);
}

TEST(NemoTarget, ADirectoryReplacesItsOwnKindByForceAndNothingElse) {
  const Checkpoint source = OpenOrDie(GoldenPath("nemo/tied_zarr_tp1pp2.nemo"));
  TempDir dir;
  ASSERT_EQ(Write(source, dir / "d", {}).message(), "");
  ASSERT_EQ(Write(source, dir / "d", {.container = "torch", .force = true}).message(), "");
  ASSERT_EQ(Write(source, dir / "d", {.force = true}).message(), "");
  testing::WriteFileOrDie(dir / "d/notes.txt", "mine");
  EXPECT_EQ(Write(source, dir / "d", {.force = true}).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace nemo
