#include "formats/output/output_directory.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "libcore/base/file.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::ReadFileOrDie;
using testing::TempDir;
using testing::WriteFileOrDie;

constexpr OutputKind kPoems = {
    "a book of poems",
    [](std::string_view name) { return name == "title" || name.starts_with("poem"); },
    [](std::string_view name) { return name.starts_with("poem") && !name.ends_with(".partial"); }};

Result<OutputDirectory> WithPoem(const std::string& path, bool force) {
  auto output = OutputDirectory::Create(path, kPoems, force, /*resume=*/false);
  if (output) WriteFileOrDie(output->PathOf("poem1"), "new");
  return output;
}

TEST(OutputDirectory, AppearsWhenItIsPublished) {
  TempDir dir;
  for (const char* name : {"book", "book/", "sub/book"}) {
    auto output = WithPoem(dir / name, false);
    ASSERT_TRUE(output) << output.error().message();
    EXPECT_EQ(KindOf(dir / name), PathKind::kAbsent);
    ASSERT_TRUE(output->Publish().ok());
    EXPECT_EQ(ReadFileOrDie(JoinPath(dir / name, "poem1")), "new");
    ASSERT_TRUE(RemoveAll(dir / name).ok());
  }
}

TEST(OutputDirectory, LeavesNothingWhenItIsAbandoned) {
  TempDir dir;
  auto output = WithPoem(dir / "book", false);
  ASSERT_TRUE(output);
  output->Abandon();
  EXPECT_TRUE(OpenDirectory(dir.path()).value()->files().empty());
  EXPECT_EQ(KindOf(dir / "book.partial"), PathKind::kAbsent);
}

TEST(OutputDirectory, ReplacesOnlyItsOwnKindAndOnlyByForce) {
  const struct {
    const char* what;
    const char* file;  ///< that stands at the destination
    bool force, replaced;
  } kCases[] = {
      {"a book, unasked", "poem9", false, false},
      {"a book", "poem9", true, true},
      {"an unfinished book", "poem9.partial", true, false},
      {"a title alone", "title", true, false},
      {"something else", "thesis.txt", true, false},
      {"a folder in it", "sub/poem", true, false},
  };
  for (const auto& c : kCases) {
    TempDir dir;
    WriteFileOrDie(JoinPath(dir / "book", c.file), "old");
    auto output = WithPoem(dir / "book", c.force);
    EXPECT_EQ(output.has_value(), c.replaced) << c.what;
    if (output) {
      EXPECT_EQ(ReadFileOrDie(JoinPath(dir / "book", c.file)), "old") << c.what;
      ASSERT_TRUE(output->Publish().ok());
      EXPECT_EQ(OpenDirectory(dir / "book").value()->files().size(), 1u) << c.what;
    } else {
      EXPECT_EQ(output.error().code(), StatusCode::kInvalidArgument);
      EXPECT_EQ(ReadFileOrDie(JoinPath(dir / "book", c.file)), "old") << c.what;
    }
    EXPECT_EQ(KindOf(dir / "book.old"), PathKind::kAbsent);
  }
}

TEST(OutputDirectory, SaysNoWhenSomethingCameInBetween) {
  TempDir dir;
  auto output = WithPoem(dir / "book", true);
  ASSERT_TRUE(output);
  WriteFileOrDie(dir / "book/thesis.txt", "mine");
  const Status status = output->Publish();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("a book of poems"), std::string::npos) << status.message();
  EXPECT_EQ(ReadFileOrDie(dir / "book/thesis.txt"), "mine");
}

TEST(OutputDirectory, ClearsWhatAnEarlierRunLeft) {
  TempDir dir;
  WriteFileOrDie(dir / "book.partial/title.partial", "old");
  EXPECT_TRUE(WithPoem(dir / "book", false));
  EXPECT_EQ(KindOf(dir / "book.partial/title.partial"), PathKind::kAbsent);
  WriteFileOrDie(dir / "book.partial/thesis.txt", "mine");
  EXPECT_FALSE(WithPoem(dir / "book", false));
  EXPECT_EQ(ReadFileOrDie(dir / "book.partial/thesis.txt"), "mine");
}

TEST(OutputDirectory, RefusesPathsThatNameNoDirectory) {
  for (const char* path : {"", ".", "..", "/", "a/.."}) {
    EXPECT_EQ(OutputDirectory::Create(path, kPoems, true, false).error().code(),
              StatusCode::kInvalidArgument)
        << path;
  }
}

}  // namespace
}  // namespace nemo
