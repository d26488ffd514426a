#include <span>
#include <string>

#include <gtest/gtest.h>

#include "formats/hdf5/file.h"
#include "tests/testing.h"

/// Read by the leak checker of sanitized builds: HDF5 1.10.8 forgets some 400 bytes for each
/// damaged index that it refuses.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5\n"; }

namespace nemo::hdf5 {
namespace {

TEST(Hdf5Source, RefusesWhatItCannotReadPastTheLibrary) {
  const struct {
    const char* file;
    StatusCode code;
    const char* message;
  } kCases[] = {
      {"chunked.h5", StatusCode::kUnsupported, "not contiguous"},
      {"compressed.h5", StatusCode::kUnsupported, "not contiguous"},
      {"compact.h5", StatusCode::kUnsupported, "not contiguous"},
      {"external.h5", StatusCode::kUnsupported, "not contiguous"},
      {"group.h5", StatusCode::kUnsupported, "dataset 'a': it is not a dataset"},
      {"soft_link.h5", StatusCode::kUnsupported, "'again' is a soft or external link"},
      {"external_link.h5", StatusCode::kUnsupported, "'t' is a soft or external link"},
      {"big_endian.h5", StatusCode::kUnsupported, "element type"},
      {"bool.h5", StatusCode::kUnsupported, "element type"},
      {"text.h5", StatusCode::kUnsupported, "element type"},
      {"empty_shape.h5", StatusCode::kUnsupported, "null shape"},
      {"never_written.h5", StatusCode::kCorruption, "never written"},
      {"twice.h5", StatusCode::kCorruption, "share the bytes"},
      {"make.py", StatusCode::kCorruption, "HDF5 says:"},
      {"absent.h5", StatusCode::kNotFound, "absent.h5"},
  };
  for (const auto& c : kCases) {
    const auto source = OpenFile(testing::GoldenPath("hdf5/" + std::string(c.file)));
    ASSERT_FALSE(source) << c.file;
    EXPECT_EQ(source.error().code(), c.code) << c.file << ": " << source.error().message();
    EXPECT_NE(source.error().message().find(c.message), std::string::npos)
        << c.file << ": " << source.error().message();
  }
}

/// Opens the file and reads what it finds. Returns whether it opened.
bool OpensAndReads(const std::string& path) {
  const auto source = OpenFile(path);
  if (!source) {
    EXPECT_FALSE(source.error().message().empty());
    return false;
  }
  for (const TensorSpec& spec : (*source)->specs()) {
    std::vector<std::byte> data(static_cast<size_t>(spec.size_bytes()));
    EXPECT_TRUE((*source)->Read(spec.name, Box::Whole(spec.shape), data).ok());
  }
  return true;
}

/// A small file of our own: two tensors, index in front.
std::string SmallFile(const testing::TempDir& dir) {
  const auto sink = CreateSink(dir / "small.h5");
  EXPECT_TRUE(sink->Declare({{{"a.weight", DType::kBF16, {4, 3}}, {{8, 3}, {4, 0}, "split_rows"}},
                             {{"b.bias", DType::kF32, {5}}, {{5}, {0}, "replicate"}}})
                  .ok());
  const std::string checksum(32, 'c');
  EXPECT_TRUE(sink->Finish({{"a.weight", checksum}, {"b.bias", checksum}}));
  return testing::ReadFileOrDie(dir / "small.h5");
}

TEST(Hdf5Source, RefusesTruncatedFiles) {
  testing::TempDir dir;
  const std::string bytes = SmallFile(dir);
  for (size_t size = 0; size < bytes.size(); size += size < 4096 ? 127 : 509) {
    testing::WriteFileOrDie(dir / "damaged.h5", bytes.substr(0, size));
    EXPECT_FALSE(OpensAndReads(dir / "damaged.h5")) << size;
  }
}

TEST(Hdf5Source, SurvivesFlippedBytesOfItsOwnIndex) {
  testing::TempDir dir;
  const std::string bytes = SmallFile(dir);
  // The index lies before the first tensor at byte 4096; its blocks carry checksums.
  const size_t index_size = bytes.find_last_not_of('\0', 4095) + 1;
  const auto file = OpenForWrite(dir / "small.h5", /*truncate=*/false);
  ASSERT_TRUE(file);
  const auto write_byte = [&](size_t at, char value) {
    EXPECT_TRUE(
        (*file)->WriteAt(static_cast<int64_t>(at), std::as_bytes(std::span(&value, 1))).ok());
  };
  for (size_t at = 0; at < index_size; ++at) {
    write_byte(at, static_cast<char>(bytes[at] ^ 0x5a));
    static_cast<void>(OpensAndReads(dir / "small.h5"));
    write_byte(at, bytes[at]);
  }
  EXPECT_TRUE(OpensAndReads(dir / "small.h5"));
}

}  // namespace
}  // namespace nemo::hdf5
