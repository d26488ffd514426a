#include <span>
#include <string>

#include <gtest/gtest.h>

#include "formats/codec/zstd_frames.h"
#include "formats/hdf5/file.h"
#include "tests/testing.h"

namespace nemo::testing {
namespace {

TEST(Hdf5ZstdSource, RefusesWhatItCannotDecode) {
  const struct {
    const char* file;
    StatusCode code;
    const char* message;
  } kCases[] = {
      {"zstd_fletcher.h5", StatusCode::kUnsupported, "with filters [32015, 3]"},
      {"zstd_hole.h5", StatusCode::kCorruption, "never written"},
      {"zstd_skipped.h5", StatusCode::kUnsupported, "stored without its filters"},
      {"chunked.h5", StatusCode::kUnsupported, "with filters []"},
      {"compressed.h5", StatusCode::kUnsupported, "with filters [1]"},
  };
  for (const auto& c : kCases) {
    const auto source = hdf5::OpenFile(GoldenPath("hdf5/" + std::string(c.file)));
    ASSERT_FALSE(source) << c.file;
    EXPECT_EQ(source.error().code(), c.code) << c.file << ": " << source.error().message();
    EXPECT_NE(source.error().message().find(c.message), std::string::npos)
        << c.file << ": " << source.error().message();
  }
}

TEST(Hdf5ZstdSource, RefusesAFrameThatClaimsMoreThanItsChunk) {
  const auto source = hdf5::OpenFile(GoldenPath("hdf5/zstd_bomb.h5"));
  ASSERT_TRUE(source) << source.error().message();
  std::vector<std::byte> data(32);
  const Status status = (*source)->Read("t", Box{{0, 0}, {2, 4}}, data);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  for (const char* part : {"zstd_bomb.h5", "tensor t", "chunk 0"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
}

/// A small compressed file of our own: two tensors, index in front.
std::string SmallFile(const TempDir& dir) {
  const auto sink = hdf5::CreateZstdSink(dir / "small.h5", 0);
  EXPECT_TRUE(sink->Declare({{{"a.weight", DType::kBF16, {4, 3}}, {{8, 3}, {4, 0}, "split_rows"}},
                             {{"b.bias", DType::kF32, {500}}, {{500}, {0}, "replicate"}}})
                  .ok());
  EXPECT_TRUE(WriteBlock(*sink, "a.weight", Box{{0, 0}, {4, 3}}, std::vector<std::byte>(24)).ok());
  EXPECT_TRUE(WriteBlock(*sink, "b.bias", Box{{0}, {500}}, std::vector<std::byte>(2000)).ok());
  const std::string checksum(32, 'c');
  EXPECT_TRUE(sink->Finish({{"a.weight", checksum}, {"b.bias", checksum}}));
  return ReadFileOrDie(dir / "small.h5");
}

/// Opens the file and reads what it finds; both may say no.
void OpenAndRead(const std::string& path) {
  const auto source = hdf5::OpenFile(path);
  if (!source) return;
  for (const TensorSpec& spec : (*source)->specs()) {
    std::vector<std::byte> data(static_cast<size_t>(spec.size_bytes()));
    static_cast<void>((*source)->Read(spec.name, Box::Whole(spec.shape), data).ok());
  }
}

TEST(Hdf5ZstdSource, RefusesTruncatedFiles) {
  TempDir dir;
  const std::string bytes = SmallFile(dir);
  for (size_t size = 0; size < bytes.size(); size += size + 200 < bytes.size() ? 127 : 1) {
    WriteFileOrDie(dir / "damaged.h5", bytes.substr(0, size));
    EXPECT_FALSE(hdf5::OpenFile(dir / "damaged.h5")) << size;
  }
}

TEST(Hdf5ZstdSource, SurvivesFlippedBytes) {
  TempDir dir;
  const std::string bytes = SmallFile(dir);
  const auto file = OpenForWrite(dir / "small.h5", /*truncate=*/false);
  ASSERT_TRUE(file);
  const auto write_byte = [&](size_t at, char value) {
    EXPECT_TRUE(
        (*file)->WriteAt(static_cast<int64_t>(at), std::as_bytes(std::span(&value, 1))).ok());
  };
  for (size_t at = 0; at < bytes.size(); ++at) {
    write_byte(at, static_cast<char>(bytes[at] ^ 0x5a));
    OpenAndRead(dir / "small.h5");
    write_byte(at, bytes[at]);
  }
}

}  // namespace
}  // namespace nemo::testing
