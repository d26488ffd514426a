#include "formats/output/joined_files.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

using testing::ReadFileOrDie;

const std::vector<JoinedPart> kParts = {{"a", 4}, {"none", 0}, {"b", 3}, {"c", 5}};

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(JoinedFiles, AWriteGoesToTheFilesItMeets) {
  testing::TempDir dir;
  const std::string folder = dir / "folder";
  const auto file = OpenJoinedForWrite(folder, kParts);
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_TRUE((*file)->Preallocate(12).ok());
  ASSERT_TRUE((*file)->WriteAt(3, Bytes("defgh")).ok());
  ASSERT_TRUE((*file)->WriteAt(0, Bytes("abc")).ok());
  ASSERT_TRUE((*file)->WriteAt(8, Bytes("ijkl")).ok());
  std::string back(12, '\0');
  ASSERT_TRUE((*file)->ReadAt(0, std::as_writable_bytes(std::span(back))).ok());
  EXPECT_EQ(back, "abcdefghijkl");
  ASSERT_TRUE((*file)->SyncAndClose().ok());
  EXPECT_EQ(ReadFileOrDie(folder + "/a"), "abcd");
  EXPECT_EQ(ReadFileOrDie(folder + "/none"), "");
  EXPECT_EQ(ReadFileOrDie(folder + "/b"), "efg");
  EXPECT_EQ(ReadFileOrDie(folder + "/c"), "hijkl");
}

TEST(JoinedFiles, AreCutAndFilledToTheirSizes) {
  testing::TempDir dir;
  testing::WriteFileOrDie(dir / "a", "too much");
  const auto file = OpenJoinedForWrite(dir.path(), kParts);
  ASSERT_TRUE(file && (*file)->Truncate(12).ok());
  EXPECT_EQ(ReadFileOrDie(dir / "a"), "too ");
  EXPECT_EQ(ReadFileOrDie(dir / "c"), std::string(5, '\0'));
}

TEST(JoinedFiles, AFileThatIsShortOrAbsentIsAnError) {
  testing::TempDir dir;
  testing::WriteFileOrDie(dir / "a", "abcd");
  testing::WriteFileOrDie(dir / "b", "ef");
  const auto file = OpenJoined(dir.path(), kParts);
  EXPECT_EQ(file->size_bytes(), 12);
  std::string out(4, '\0');
  const auto buffer = std::as_writable_bytes(std::span(out));
  EXPECT_TRUE(file->ReadAt(0, buffer).ok());
  EXPECT_EQ(file->ReadAt(3, buffer).code(), StatusCode::kCorruption) << "b is short";
  EXPECT_EQ(file->ReadAt(8, buffer).code(), StatusCode::kNotFound) << "c is absent";
  EXPECT_EQ(file->ReadAt(10, buffer).code(), StatusCode::kCorruption) << "past the end";
}

}  // namespace
}  // namespace nemo
