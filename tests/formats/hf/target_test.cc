// Sharded directories, and what stands at the destination.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "formats/safetensors/safetensors.h"
#include "tests/conformance/source_suite.h"
#include "tests/formats/hf/hf_files.h"

namespace nemo::testing {
namespace {

constexpr int64_t kLimit = 100'000;

Status WriteSharded(const std::string& path, const char* model) {
  const auto golden = OpenHf(GoldenHf(model));
  EXPECT_TRUE(golden) << golden.error().message();
  PlanOptions options;
  options.max_shard_bytes = kLimit;
  return WriteHf(path, *golden->source, golden->config, options);
}

TEST(HfTarget, WritesAnIndexThatIsTrue) {
  TempDir dir;
  ASSERT_TRUE(WriteSharded(dir / "hf", "tiny").ok());
  const Value index = ParseJson(ReadFileOrDie(dir / "hf/model.safetensors.index.json")).value();
  const Value* metadata = index.Find("metadata");
  const Value* weight_map = index.Find("weight_map");
  ASSERT_TRUE(metadata != nullptr && weight_map != nullptr);
  std::set<std::string> files;
  int64_t total_size = 0, total_parameters = 0, num_tensors = 0;
  for (const auto& [tensor, file] : weight_map->as_object()) files.insert(file.as_string());
  ASSERT_GT(files.size(), 3u);
  for (const std::string& name : files) {
    auto file = OpenFile(JoinPath(dir / "hf", name));
    ASSERT_TRUE(file) << file.error().message();
    const auto contents = safetensors::ReadContents(*file);
    ASSERT_TRUE(contents) << contents.error().message();
    EXPECT_EQ(contents->metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
    int64_t size_bytes = 0;
    for (const TensorSpec& spec : contents->source->specs()) {
      EXPECT_EQ(weight_map->GetString(spec.name).value(), name) << spec.name;
      size_bytes += spec.size_bytes();
      total_parameters += NumElements(spec.shape);
      ++num_tensors;
    }
    EXPECT_TRUE(size_bytes <= kLimit || contents->source->specs().size() == 1) << name;
    total_size += size_bytes;
  }
  EXPECT_EQ(num_tensors, static_cast<int64_t>(weight_map->as_object().size()));
  EXPECT_EQ(metadata->GetInt("total_size").value(), total_size);
  EXPECT_EQ(metadata->GetInt("total_parameters").value(), total_parameters);
  const auto problems = VerifyHf(dir / "hf", CheckLevel::kIndex, 1, NullProgress());
  ASSERT_TRUE(problems);
  EXPECT_TRUE(problems->empty());
}

TEST(HfTarget, ShardsHoldTheSameTensors) {
  for (const char* model : {"tiny", "odd", "tied", "micro"}) {
    TempDir dir;
    ASSERT_TRUE(WriteSharded(dir / "hf", model).ok());
    const auto sharded = OpenHf(dir / "hf");
    ASSERT_TRUE(sharded) << sharded.error().message();
    ExpectEqual(OpenHf(GoldenHf(model)).value(), *sharded);
  }
}

TEST(HfTarget, WithoutATokenizerLeavesTheIdsToTheClass) {
  TempDir dir;
  ASSERT_TRUE(WriteSharded(dir / "hf", "micro").ok());
  EXPECT_EQ(KindOf(dir / "hf/tokenizer.model"), PathKind::kAbsent);
  EXPECT_EQ(KindOf(dir / "hf/generation_config.json"), PathKind::kAbsent);
  const Value config = ParseJson(ReadFileOrDie(dir / "hf/config.json")).value();
  EXPECT_EQ(config.Find("eos_token_id"), nullptr);
}

TEST(HfTarget, ReplacesOnlyADirectoryOfItsKind) {
  TempDir dir;
  ASSERT_TRUE(WriteSharded(dir / "hf", "micro").ok());
  EXPECT_EQ(CreateHfTarget(dir / "hf", {}).error().code(), StatusCode::kInvalidArgument);
  TargetOptions force;
  force.force = true;
  EXPECT_TRUE(CreateHfTarget(dir / "hf", force));
  WriteFileOrDie(dir / "hf/README.md", "mine");
  EXPECT_EQ(CreateHfTarget(dir / "hf", force).error().code(), StatusCode::kInvalidArgument);
}

TEST(HfTarget, LeavesNothingWhenTheTokenizerIsNone) {
  TempDir dir;
  const auto golden = OpenHf(GoldenHf("micro"));
  Attachments attachments;
  attachments.tokenizer_model = "no pieces";
  const Status status = WriteHf(dir / "hf", *golden->source, golden->config, {}, attachments);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("tokenizer.model"), std::string::npos) << status.message();
  EXPECT_TRUE(OpenDirectory(dir.path()).value()->files().empty());
}

/// Through the suite that every source passes.
SourceUnderTest HfSource(const TempDir& dir) {
  auto golden = OpenHf(GoldenHf("micro"));
  EXPECT_TRUE(golden) << golden.error().message();
  EXPECT_TRUE(WriteSharded(dir / "hf", "micro").ok());
  auto truth = std::make_shared<MemorySource>();
  for (const TensorSpec& spec : golden->source->specs()) {
    truth->Add(spec, ReadTensorOrDie(*golden->source, spec.name));
  }
  return {OpenHf(dir / "hf").value().source, truth};
}
INSTANTIATE_TEST_SUITE_P(Hf, SourceSuite, ::testing::Values(HfSource));

}  // namespace
}  // namespace nemo::testing
