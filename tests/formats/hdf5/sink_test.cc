#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "formats/hdf5/file.h"
#include "tests/testing.h"

namespace nemo::hdf5 {
namespace {

const std::string kChecksum = "0123456789abcdef0123456789abcdef";

TEST(Hdf5Sink, RefusesWhatHdf5CannotHold) {
  testing::TempDir dir;
  const struct {
    TensorSpec spec;
    const char* message;
  } kCases[] = {
      {{"", DType::kU8, {1}}, "cannot name"},       {{".", DType::kU8, {1}}, "cannot name"},
      {{"a/b", DType::kU8, {1}}, "cannot name"},    {{"t", DType::kBool, {1}}, "no bool"},
      {{"t", DType::kU8, Shape(33, 1)}, "33 axes"}, {{"t", DType::kU8, {-1}}, "not possible"},
  };
  for (const auto& c : kCases) {
    const Status status = CreateSink(dir / "file.h5")->Declare({{c.spec, {}}});
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.message;
    EXPECT_NE(status.message().find(c.message), std::string::npos) << status.message();
  }
}

TEST(Hdf5Sink, SaysWhenTheFolderIsAbsent) {
  testing::TempDir dir;
  const Status status = CreateSink(dir / "absent/file.h5")->Declare({{{"t", DType::kU8, {1}}, {}}});
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("absent/file.h5"), std::string::npos) << status.message();
}

TEST(Hdf5Sink, KeepsItsIndexTogetherInFrontOfTheData) {
  testing::TempDir dir;
  std::vector<SinkTensor> tensors;
  for (int i = 0; i < 200; ++i) {
    tensors.push_back(
        {{"decoder.layers." + std::to_string(i) + ".mlp.linear_fc1.weight", DType::kBF16, {2}},
         {{2}, {0}, "replicate"}});
  }
  const auto sink = CreateSink(dir / "file.h5");
  ASSERT_TRUE(sink->Declare(tensors).ok());
  const int64_t first = sink->PlaceOf(tensors.front().spec.name)->offset_bytes;
  EXPECT_LT(first, 200 * 1024);
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(sink->PlaceOf(tensors[static_cast<size_t>(i)].spec.name)->offset_bytes,
              first + 4096 * i);
  }
}

/// The text that `h5dump` prints, empty when there is no such program.
std::string DumpText(const std::string& path) {
  if (std::system("command -v h5dump > /dev/null 2>&1") != 0) return "";
  std::FILE* pipe = popen(("h5dump '" + path + "' 2>&1").c_str(), "r");
  std::string text;
  std::array<char, 4096> block;
  while (const size_t n = std::fread(block.data(), 1, block.size(), pipe))
    text.append(block.data(), n);
  pclose(pipe);
  return text;
}

TEST(Hdf5Sink, ShowsRightBfloat16ValuesInH5dump) {
  testing::TempDir dir;
  const auto sink = CreateSink(dir / "file.h5");
  ASSERT_TRUE(sink->Declare({{{"w", DType::kBF16, {5}}, {{10}, {5}, "split_rows"}}}).ok());
  const BF16 values[] = {BF16FromFloat(1.5f), BF16FromFloat(-0.0625f), BF16FromFloat(3.0e38f),
                         0x0001, BF16FromFloat(-123.0f)};
  ASSERT_TRUE(sink->Write("w", Box{{0}, {5}}, std::as_bytes(std::span(values))).ok());
  const auto finished = sink->Finish({{"w", kChecksum}});
  ASSERT_TRUE(finished) << finished.error().message();
  const std::string text = DumpText(dir / "file.h5");
  if (text.empty()) GTEST_SKIP() << "h5dump (package hdf5-tools) is not installed";
  for (const char* expected :
       {"1.5, -0.0625, 3.00406e+38, 9.18", "e-41, -123", "GROUP \"/\"", "DATASET \"w\"",
        "\"global_shape\"", "\"split_rows\"", "0123456789abcdef0123456789abcdef"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << " in\n" << text;
  }
}

}  // namespace
}  // namespace nemo::hdf5
