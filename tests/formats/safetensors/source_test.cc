#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "formats/safetensors/safetensors.h"
#include "tests/testing.h"

namespace nemo::safetensors {
namespace {

/// A file of `header` with its true length and `data_bytes` of data.
std::string FileOf(std::string_view header, size_t data_bytes) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  return bytes + std::string(header) + std::string(data_bytes, 'x');
}

Result<Contents> Read(std::string bytes) {
  return ReadContents(testing::MemoryFile("t.safetensors", std::move(bytes)));
}

TEST(SafetensorsSource, ReadsWhatTransformersWrote) {
  auto file = nemo::OpenFile(testing::GoldenPath("models/micro/hf/model.safetensors"));
  ASSERT_TRUE(file) << file.error().message();
  const auto contents = ReadContents(*file);
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_EQ(contents->metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  const TensorSpec* embedding = FindSpec(contents->source->specs(), "model.embed_tokens.weight");
  ASSERT_NE(embedding, nullptr);
  EXPECT_EQ(*embedding, (TensorSpec{"model.embed_tokens.weight", DType::kBF16, {1100, 32}}));
  // Every byte behind the header belongs to one of the tensors.
  int64_t begin = (*file)->size_bytes(), data_bytes = 0;
  for (const TensorSpec& spec : contents->source->specs()) {
    const TensorPlace place = contents->source->PlaceOf(spec.name).value();
    begin = std::min(begin, place.offset_bytes);
    data_bytes += place.size_bytes;
  }
  EXPECT_EQ(begin + data_bytes, (*file)->size_bytes());
}

TEST(SafetensorsSource, AcceptsAnEmptyFileOfTensors) {
  const auto contents = Read(FileOf("{}", 0));
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_TRUE(contents->source->specs().empty());
}

TEST(SafetensorsSource, RefusesHeadersThatLie) {
  const std::string one = R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  const struct {
    const char* what;
    std::string header;
    size_t data_bytes;
    const char* message;
  } kCases[] = {
      {"trailing bytes", one, 5, "1 bytes follow the last tensor"},
      {"truncated data", one, 3, "copy is incomplete"},
      {"a hole before", R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5,
       "expected 0"},
      {"a hole between",
       R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
       3, "expected 1"},
      {"an overlap",
       R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "expected 2"},
      {"the same range twice",
       R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
       2, "expected 2"},
      {"a name twice",
       R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
       4, "duplicate key"},
      {"shape and range disagree", R"({"t":{"dtype":"U8","shape":[5],"data_offsets":[0,4]}})", 4,
       "needs 5"},
      {"dtype and range disagree", R"({"t":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}})", 4,
       "needs 16"},
      {"a range backwards", R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4,
       "is no range"},
      {"a negative range", R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}})", 4,
       "is no range"},
      {"three offsets", R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}})", 4,
       "is no range"},
      {"a negative shape", R"({"t":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}})", 4,
       "not possible"},
      {"a product beyond 64 bits",
       R"({"t":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
       "not possible"},
      {"offsets beyond 64 bits",
       R"({"t":{"dtype":"U8","shape":[4],"data_offsets":[0,18446744073709551616]}})", 4,
       "data_offsets"},
      {"an unknown dtype", R"({"t":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]}})", 4,
       "F8_E5M2"},
      {"no shape", R"({"t":{"dtype":"U8","data_offsets":[0,4]}})", 4, "'shape' is missing"},
      {"an entry that is a list", R"({"t":[1,2]})", 0, "tensor t"},
      {"metadata that is no text", R"({"__metadata__":{"a":1}})", 0, "expected text"},
      {"metadata that is no mapping", R"({"__metadata__":"a"})", 0, "expected a mapping"},
      {"no JSON", R"({"t":)", 0, "not valid JSON"},
      {"no mapping", R"([1])", 0, "does not begin with '{'"},
      {"an empty header", "", 0, "does not begin with '{'"},
      {"deep nesting", "{\"a\":" + std::string(100'000, '['), 0, "nested deeper"},
  };
  for (const auto& c : kCases) {
    const auto contents = Read(FileOf(c.header, c.data_bytes));
    ASSERT_FALSE(contents) << c.what;
    EXPECT_NE(contents.error().message().find(c.message), std::string::npos)
        << c.what << ": " << contents.error().message();
    EXPECT_NE(contents.error().message().find("t.safetensors"), std::string::npos) << c.what;
    EXPECT_NE(contents.error().code(), StatusCode::kNotFound) << c.what;
  }
}

TEST(SafetensorsSource, RefusesLengthsBeforeItAllocates) {
  const struct {
    std::string length;
    const char* message;
  } kCases[] = {
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8), "limit"},
      {std::string("\x00\x00\x00\x00\x00\x00\x00\x80", 8), "limit"},
      {std::string("\x01\xe1\xf5\x05\x00\x00\x00\x00", 8), "limit"},  // 100,000,001
      {std::string("\x00\xe1\xf5\x05\x00\x00\x00\x00", 8), "past the file"},
      {std::string("\x03\x00\x00\x00\x00\x00\x00\x00", 8), "past the file"},
      {std::string("\x02\x00\x00", 3), "cannot hold"},
      {std::string(), "cannot hold"},
  };
  for (const auto& c : kCases) {
    const auto contents = Read(c.length + (c.length.size() == 8 ? "{}" : ""));
    ASSERT_FALSE(contents);
    EXPECT_EQ(contents.error().code(), StatusCode::kCorruption);
    EXPECT_NE(contents.error().message().find(c.message), std::string::npos)
        << contents.error().message();
  }
}

TEST(SafetensorsSource, RefusesEveryTruncationOfAGoodFile) {
  const std::string bytes = FileOf(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[1,9]}})",
      9);
  ASSERT_TRUE(Read(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Read(bytes.substr(0, size))) << size;
  }
}

TEST(SafetensorsSource, SurvivesEveryFlippedByteOfTheHeader) {
  std::string bytes = FileOf(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[1,9]}})",
      9);
  for (size_t at = 0; at < bytes.size() - 9; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      // Renamed tensors and other shapes of equal size are still a sound file: it may open.
      if (const auto contents = Read(bytes)) {
        for (const TensorSpec& spec : contents->source->specs()) {
          EXPECT_EQ(testing::ReadTensorOrDie(*contents->source, spec.name).size(),
                    static_cast<size_t>(spec.size_bytes()));
        }
      }
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
    }
  }
}

}  // namespace
}  // namespace nemo::safetensors
