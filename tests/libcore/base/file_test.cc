#include "libcore/base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "libcore/base/hash.h"
#include "libcore/base/thread_pool.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::MemoryFile;
using testing::ReadFileOrDie;
using testing::TempDir;
using testing::WriteFileOrDie;

TEST(File, ReadsAtAnyPlaceAndSaysWhereItEnds) {
  const TempDir dir;
  WriteFileOrDie(dir / "f", "0123456789");
  const auto file = OpenFile(dir / "f");
  ASSERT_TRUE(file) << file.error().message();
  std::string out(3, ' ');
  ASSERT_TRUE((*file)->ReadAt(4, std::as_writable_bytes(std::span(out))).ok());
  EXPECT_EQ(out, "456");
  const Status past = (*file)->ReadAt(8, std::as_writable_bytes(std::span(out)));
  EXPECT_EQ(past.code(), StatusCode::kCorruption);
  EXPECT_NE(past.message().find("ends at byte 10"), std::string::npos) << past.message();
}

TEST(File, MissingFilesAndDirectoriesAreToldApart) {
  const TempDir dir;
  EXPECT_EQ(OpenFile(dir / "absent").error().code(), StatusCode::kNotFound);
  EXPECT_EQ(OpenFile(dir.path()).error().code(), StatusCode::kIo);
}

TEST(File, SlicesDoNotReachPastTheirEnd) {
  const auto slice = SliceFile(MemoryFile("m", "0123456789"), 2, 4, "m[2..6]");
  std::string out(4, ' ');
  ASSERT_TRUE(slice->ReadAt(0, std::as_writable_bytes(std::span(out))).ok());
  EXPECT_EQ(out, "2345");
  EXPECT_EQ(slice->ReadAt(1, std::as_writable_bytes(std::span(out))).code(),
            StatusCode::kCorruption);
  EXPECT_EQ(slice->ReadAt(-1, std::as_writable_bytes(std::span(out))).code(),
            StatusCode::kCorruption);
}

TEST(File, APlaceHasThePhaseOfTheFileOnDiskHoweverItIsSliced) {
  const TempDir dir;
  WriteFileOrDie(dir / "f", std::string(10000, 'x'));
  const std::shared_ptr<RandomAccessFile> file = *OpenFile(dir / "f");
  EXPECT_EQ(file->PhaseAt(5000), 904);
  const auto slice = SliceFile(SliceFile(file, 4000, 6000, "outer"), 100, 5000, "inner");
  EXPECT_EQ(slice->PhaseAt(0), 4);
  EXPECT_EQ(MemoryFile("m", "0123456789")->PhaseAt(5), 0);
}

TEST(File, ReadAllRefusesWhatIsLargerThanExpected) {
  EXPECT_EQ(ReadAll(*MemoryFile("m", "0123456789"), 9).error().code(), StatusCode::kCorruption);
  EXPECT_EQ(*ReadAll(*MemoryFile("m", "0123456789"), 10), "0123456789");
}

TEST(File, AtomicWritesReplaceWholeAndLeaveNothingBeside) {
  const TempDir dir;
  WriteFileOrDie(dir / "f", "old");
  ASSERT_TRUE(WriteFileAtomically(dir / "f", "new").ok());
  EXPECT_EQ(ReadFileOrDie(dir / "f"), "new");
  EXPECT_EQ((*OpenDirectory(dir.path()))->files(), std::vector<std::string>{"f"});
}

TEST(File, DirectoriesListSortedAndRefuseLinksToFolders) {
  const TempDir dir;
  WriteFileOrDie(dir / "b/2", "");
  WriteFileOrDie(dir / "a", "");
  const auto tree = OpenDirectory(dir.path());
  ASSERT_TRUE(tree);
  EXPECT_EQ((*tree)->files(), (std::vector<std::string>{"a", "b/2"}));
  EXPECT_EQ((*tree)->Open("c").error().code(), StatusCode::kNotFound);
  ASSERT_EQ(symlink("b", (dir / "link").c_str()), 0);
  EXPECT_EQ(OpenDirectory(dir.path()).error().code(), StatusCode::kCorruption);
}

TEST(File, PathsComeApartAndTogether) {
  EXPECT_EQ(BaseName("/a/b/"), "b");
  EXPECT_EQ(BaseName("b"), "b");
  EXPECT_EQ(DirName("/a/b/"), "/a");
  EXPECT_EQ(DirName("/a"), "/");
  EXPECT_EQ(DirName("a"), ".");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
}

TEST(File, PositionedWritesLandWhereTheyShould) {
  const TempDir dir;
  auto file = OpenForWrite(dir / "f", true);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->Preallocate(10).ok());
  const std::string tail = "9", head = "ab";
  ASSERT_TRUE((*file)->WriteAt(9, std::as_bytes(std::span(tail))).ok());
  ASSERT_TRUE((*file)->WriteAt(0, std::as_bytes(std::span(head))).ok());
  ASSERT_TRUE((*file)->SyncAndClose().ok());
  EXPECT_EQ(ReadFileOrDie(dir / "f"), std::string("ab\0\0\0\0\0\0\0", 9) + "9");
}

TEST(Hash, IsXxh3Of128Bits) {
  // XXH3_128bits of nothing with seed 0, as published with xxHash's own test vectors.
  EXPECT_EQ(HashHex({}), "99aa06d3014798d86001c324468d497f");
  const std::string text = "the quick brown fox";
  Hasher hasher;
  for (const char& c : text) hasher.Update(std::as_bytes(std::span(&c, 1)));
  EXPECT_EQ(hasher.HexDigest(), HashHex(std::as_bytes(std::span(text))));
}

TEST(ParallelFor, RunsEachIndexOnceAndReturnsTheLowestError) {
  std::vector<int> hits(1000, 0);
  ASSERT_TRUE(ParallelFor(4, 1000, [&](int64_t i) {
                ++hits[static_cast<size_t>(i)];
                return OkStatus();
              }).ok());
  EXPECT_EQ(std::count(hits.begin(), hits.end(), 1), 1000);
  const Status status = ParallelFor(4, 100, [&](int64_t i) {
    return i == 3 || i == 5 ? IoError(std::to_string(i)) : OkStatus();
  });
  EXPECT_EQ(status.message(), "3");
  EXPECT_TRUE(ParallelFor(4, 0, [](int64_t) { return IoError("never"); }).ok());
}

}  // namespace
}  // namespace nemo
