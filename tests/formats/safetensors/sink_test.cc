#include <string>

#include <gtest/gtest.h>

#include "formats/safetensors/safetensors.h"
#include "libcore/base/json.h"
#include "tests/testing.h"

namespace nemo::safetensors {
namespace {

constexpr const char* kChecksum = "0123456789abcdef0123456789abcdef";

/// Writes zeros for `specs` and gives back the file's bytes.
std::string WriteZeros(const std::string& path, const std::vector<TensorSpec>& specs) {
  std::vector<SinkTensor> tensors;
  std::map<std::string, std::string> checksums;
  for (const TensorSpec& spec : specs) {
    tensors.push_back({spec, {{8, 6}, {4, 0}, "split_rows"}});
    checksums[spec.name] = kChecksum;
  }
  const auto sink = CreateSink(path);
  EXPECT_TRUE(sink->Declare(tensors).ok());
  EXPECT_TRUE(sink->Finish(checksums));
  return testing::ReadFileOrDie(path);
}

int64_t OffsetOf(const std::string& path, std::string_view name) {
  auto file = nemo::OpenFile(path);
  return OpenFile(*file).value()->PlaceOf(name)->offset_bytes;
}

TEST(SafetensorsSink, BeginsTheDataAtAPage) {
  testing::TempDir dir;
  for (const int64_t count : {1, 40, 400}) {
    std::vector<TensorSpec> specs;
    for (int64_t i = 0; i < count; ++i) specs.push_back({std::to_string(i), DType::kBF16, {1}});
    WriteZeros(dir / "file", specs);
    EXPECT_EQ(OffsetOf(dir / "file", "0") % 4096, 0) << count;
    EXPECT_EQ(OffsetOf(dir / "file", std::to_string(count - 1)),
              OffsetOf(dir / "file", "0") + 2 * (count - 1))
        << "tensors lie in the order declared";
  }
}

TEST(SafetensorsSink, PutsLargerElementsFirstOnlyWhenAlignmentAsksForIt) {
  testing::TempDir dir;
  WriteZeros(dir / "kept", {{"b", DType::kBF16, {2}}, {"f", DType::kF32, {1}}});
  EXPECT_LT(OffsetOf(dir / "kept", "b"), OffsetOf(dir / "kept", "f"));
  WriteZeros(dir / "moved",
             {{"u", DType::kU8, {1}}, {"b", DType::kBF16, {1}}, {"f", DType::kF32, {1}}});
  EXPECT_EQ(OffsetOf(dir / "moved", "f") % 4096, 0);
  EXPECT_EQ(OffsetOf(dir / "moved", "b") % 4096, 4);
  EXPECT_EQ(OffsetOf(dir / "moved", "u") % 4096, 6);
}

TEST(SafetensorsSink, NotesBoxesAndChecksumsInTheMetadata) {
  testing::TempDir dir;
  WriteZeros(dir / "file", {{"decoder.w", DType::kBF16, {4, 6}}});
  auto file = nemo::OpenFile(dir / "file");
  const auto contents = ReadContents(*file);
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_EQ(contents->metadata.at("format"), "pt");
  const auto note = ParseJson(contents->metadata.at("decoder.w"));
  ASSERT_TRUE(note);
  EXPECT_EQ(note->GetIntList("global_shape").value(), (std::vector<int64_t>{8, 6}));
  EXPECT_EQ(note->GetIntList("offset").value(), (std::vector<int64_t>{4, 0}));
  EXPECT_EQ(note->GetString("shard_rule").value(), "split_rows");
  EXPECT_EQ(note->GetString("xxh3").value(), kChecksum);
}

TEST(SafetensorsSink, WritesWhatTheReferenceWriterWrites) {
  testing::TempDir dir;
  const std::string golden = testing::GoldenPath("models/micro/hf/model.safetensors");
  const auto source = OpenFile(*nemo::OpenFile(golden)).value();
  std::vector<SinkTensor> tensors;
  std::map<std::string, std::string> checksums;
  for (const TensorSpec& spec : source->specs()) {
    tensors.insert(tensors.begin(), {spec, {spec.shape, {}, "replicate"}});
    checksums[spec.name] = kChecksum;
  }
  const auto sink = CreateSinkWith(dir / "file", kReferenceSink);
  ASSERT_TRUE(sink->Declare(tensors).ok());
  for (const TensorSpec& spec : source->specs()) {
    const auto bytes = testing::ReadTensorOrDie(*source, spec.name);
    ASSERT_TRUE(sink->Write(spec.name, Box::Whole(spec.shape), bytes).ok());
  }
  ASSERT_TRUE(sink->Finish(checksums));
  EXPECT_TRUE(testing::ReadFileOrDie(dir / "file") == testing::ReadFileOrDie(golden));
}

TEST(SafetensorsSink, RefusesNamesThatMeanSomethingElse) {
  testing::TempDir dir;
  for (const char* name : {"__metadata__", "format"}) {
    const Status status = CreateSink(dir / "file")->Declare({{{name, DType::kU8, {1}}, {}}});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace nemo::safetensors
