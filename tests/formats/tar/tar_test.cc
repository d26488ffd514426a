#include "formats/tar/tar.h"

#include <cstdlib>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/formats/tar/tar_bytes.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::Base256;
using testing::PaxRecord;
using testing::TarEnd;
using testing::TarFields;
using testing::TarHeader;
using testing::TarMember;

Result<std::shared_ptr<FileTree>> Open(const std::string& bytes) {
  return OpenTar(testing::MemoryFile("a.tar", bytes));
}

/// All files with their contents; the error as a single entry "error".
std::map<std::string, std::string> Contents(const std::string& bytes) {
  const auto tree = Open(bytes);
  if (!tree) return {{"error", tree.error().message()}};
  std::map<std::string, std::string> contents;
  for (const std::string& name : (*tree)->files()) {
    const auto file = (*tree)->Open(name);
    EXPECT_TRUE(file) << file.error().message();
    const auto text = ReadAll(**file, 1 << 20);
    EXPECT_TRUE(text) << text.error().message();
    contents[name] = *text;
  }
  return contents;
}

using Files = std::map<std::string, std::string>;
const std::string kLong = "notes/" + std::string(180, 'n') + ".txt";

TEST(Tar, NamesComeFromWhereverTheFormatPutsThem) {
  const std::string pax =
      TarMember({.name = "x", .type = 'x'}, PaxRecord("mtime", "1.5") + PaxRecord("path", kLong));
  const std::string global = TarMember({.name = "g", .type = 'g'}, PaxRecord("comment", "hello"));
  const std::string gnu =
      TarMember({.name = "././@LongLink", .type = 'L'}, kLong + std::string(1, '\0'));
  const std::string old_magic("ustar  \0", 8);
  const struct {
    const char* what;
    std::string bytes;
    Files expected;
  } cases[] = {
      {"ustar", TarMember({.name = "./a/b"}, "text"), {{"a/b", "text"}}},
      {"prefix", TarMember({.name = "b", .prefix = "./a"}, "text"), {{"a/b", "text"}}},
      {"v7", TarMember({.name = "b", .type = '\0', .magic = ""}, "text"), {{"b", "text"}}},
      {"GNU has no prefix",
       TarMember({.name = "b", .magic = old_magic, .prefix = "1234"}, "text"),
       {{"b", "text"}}},
      {"v7 folder", TarMember({.name = "a/", .type = '\0', .magic = ""}, ""), {}},
      {"folder", TarMember({.name = "./", .type = '5'}, ""), {}},
      {"folder that claims a size",
       TarMember({.name = "a/", .size = "00000000010", .type = '5'}, "") +
           TarMember({.name = "b"}, "text"),
       {{"b", "text"}}},
      {"empty file", TarMember({.name = "a"}, ""), {{"a", ""}}},
      {"pax path", global + pax + TarMember({.name = "short"}, "text"), {{kLong, "text"}}},
      {"pax path serves once",
       pax + TarMember({.name = "s"}, "1") + TarMember({.name = "t"}, "2"),
       {{kLong, "1"}, {"t", "2"}}},
      {"GNU long name", gnu + TarMember({.name = "short"}, "text"), {{kLong, "text"}}},
      {"pax path beats GNU's",
       TarMember({.name = "././@LongLink", .type = 'L'}, std::string("gnu\0", 4)) + pax +
           TarMember({.name = "short"}, "text"),
       {{kLong, "text"}}},
      {"GNU long link of another",
       TarMember({.name = "././@LongLink", .type = 'K'}, kLong) + TarMember({.name = "a"}, "text"),
       {{"a", "text"}}},
      {"volume label",
       TarMember({.name = "label", .type = 'V'}, "") + TarMember({.name = "a"}, "1"),
       {{"a", "1"}}},
      {"slashes and dots", TarMember({.name = ".//a/./b"}, "text"), {{"a/b", "text"}}},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Contents(c.bytes + TarEnd()), c.expected) << c.what;
    EXPECT_EQ(Contents(c.bytes), c.expected) << c.what << ", without the end blocks";
    EXPECT_EQ(Contents(c.bytes + TarEnd() + "rubbish"), c.expected) << c.what << ", with a tail";
  }
}

TEST(Tar, SizesComeFromWhereverTheFormatPutsThem) {
  const std::string text = "four";
  const std::string zeros = "00000000000";
  const struct {
    const char* what;
    std::string bytes;
  } cases[] = {
      {"octal with blanks", TarMember({.name = "a", .size = "     4 "}, text)},
      {"base-256", TarMember({.name = "a", .size = Base256(4)}, text)},
      {"pax beats a zero field", TarMember({.name = "x", .type = 'x'}, PaxRecord("size", "4")) +
                                     TarMember({.name = "a", .size = zeros}, text)},
      {"global pax", TarMember({.name = "g", .type = 'g'}, PaxRecord("size", "4")) +
                         TarMember({.name = "a", .size = zeros}, text)},
      {"empty record takes back",
       TarMember({.name = "x", .type = 'x'}, PaxRecord("size", "9") + PaxRecord("size", "")) +
           TarMember({.name = "a"}, text)},
  };
  for (const auto& c : cases) EXPECT_EQ(Contents(c.bytes), (Files{{"a", "four"}})) << c.what;
}

/// Zeros without memory behind them, but for pieces at the given places.
class SparseFile : public RandomAccessFile {
 public:
  SparseFile(int64_t size, std::map<int64_t, std::string> pieces)
      : size_(size), pieces_(std::move(pieces)) {}
  int64_t size_bytes() const override { return size_; }
  const std::string& name() const override { return name_; }
  Status ReadAt(int64_t offset, std::span<std::byte> out) const override {
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t at = offset + static_cast<int64_t>(i);
      const auto piece = pieces_.upper_bound(at);
      out[i] = std::byte{0};
      if (piece == pieces_.begin()) continue;
      const auto& [begin, text] = *std::prev(piece);
      if (at - begin < static_cast<int64_t>(text.size())) {
        out[i] = static_cast<std::byte>(text[static_cast<size_t>(at - begin)]);
      }
    }
    return OkStatus();
  }

 private:
  std::string name_ = "sparse.tar";
  int64_t size_;
  std::map<int64_t, std::string> pieces_;
};

TEST(Tar, MembersBeyondEightGigabytesAreHoppedOver) {
  constexpr int64_t kBig = (int64_t{9} << 30) + 5;
  const struct {
    const char* what;
    std::string header;
  } cases[] = {
      {"pax", TarMember({.name = "x", .type = 'x'}, PaxRecord("size", std::to_string(kBig))) +
                  TarHeader({.name = "big", .size = "00000000000"})},
      {"base-256", TarHeader({.name = "big", .size = Base256(kBig)})},
  };
  for (const auto& c : cases) {
    const auto data = static_cast<int64_t>(c.header.size());
    const int64_t next = data + (kBig + 511) / 512 * 512;
    const auto tree = OpenTar(std::make_shared<SparseFile>(
        next + 2048,
        std::map<int64_t, std::string>{
            {0, c.header}, {data + kBig - 3, "end"}, {next, TarMember({.name = "after"}, "x")}}));
    ASSERT_TRUE(tree) << c.what << ": " << tree.error().message();
    EXPECT_EQ((*tree)->files(), (std::vector<std::string>{"after", "big"}));
    const auto big = (*tree)->Open("big");
    ASSERT_TRUE(big);
    EXPECT_EQ((*big)->size_bytes(), kBig);
    std::string end(3, '?');
    EXPECT_TRUE((*big)->ReadAt(kBig - 3, std::as_writable_bytes(std::span(end))).ok());
    EXPECT_EQ(end, "end");
  }
}

TEST(Tar, WhatACheckpointNeverHasIsRefused) {
  const struct {
    const char* what;
    std::string bytes;
    StatusCode code;
    const char* words;
  } cases[] = {
      {"parent", TarMember({.name = "a/../../b"}, "x"), StatusCode::kCorruption, "unsafe"},
      {"parent folder", TarMember({.name = "..", .type = '5'}, ""), StatusCode::kCorruption,
       "unsafe"},
      {"absolute", TarMember({.name = "/etc/passwd"}, "x"), StatusCode::kCorruption, "unsafe"},
      {"absolute prefix", TarMember({.name = "b", .prefix = "/etc"}, "x"), StatusCode::kCorruption,
       "unsafe"},
      {"absolute by pax",
       TarMember({.name = "x", .type = 'x'}, PaxRecord("path", "/etc/passwd")) +
           TarMember({.name = "a"}, "x"),
       StatusCode::kCorruption, "unsafe"},
      {"NUL by pax",
       TarMember({.name = "x", .type = 'x'}, PaxRecord("path", std::string("a\0b", 3))) +
           TarMember({.name = "a"}, "x"),
       StatusCode::kCorruption, "unsafe"},
      {"hard link", TarMember({.name = "a", .type = '1'}, ""), StatusCode::kCorruption,
       "hard link"},
      {"symbolic link", TarMember({.name = "a", .type = '2'}, ""), StatusCode::kCorruption,
       "symbolic link"},
      {"device", TarMember({.name = "a", .type = '3'}, ""), StatusCode::kCorruption, "device"},
      {"block device", TarMember({.name = "a", .type = '4'}, ""), StatusCode::kCorruption,
       "device"},
      {"pipe", TarMember({.name = "a", .type = '6'}, ""), StatusCode::kCorruption, "pipe"},
      {"twice", TarMember({.name = "a"}, "1") + TarMember({.name = "./a"}, "2"),
       StatusCode::kCorruption, "twice"},
      {"no name", TarMember({.name = "./."}, "1"), StatusCode::kCorruption, "without a name"},
      {"sparse", TarMember({.name = "a", .type = 'S'}, "1"), StatusCode::kUnsupported, "sparse"},
      {"sparse by pax",
       TarMember({.name = "x", .type = 'x'}, PaxRecord("GNU.sparse.major", "1")) +
           TarMember({.name = "a"}, "x"),
       StatusCode::kUnsupported, "sparse"},
      {"continued", TarMember({.name = "a", .type = 'M'}, "1"), StatusCode::kUnsupported,
       "unknown type"},
  };
  for (const auto& c : cases) {
    const auto tree = Open(c.bytes + TarEnd());
    ASSERT_FALSE(tree) << c.what;
    EXPECT_EQ(tree.error().code(), c.code) << c.what;
    EXPECT_NE(tree.error().message().find(c.words), std::string::npos)
        << c.what << ": " << tree.error().message();
  }
}

TEST(Tar, LyingNumbersAreRefused) {
  const auto pax = [](const std::string& records) {
    return TarMember({.name = "x", .type = 'x'}, records) + TarMember({.name = "a"}, "text");
  };
  const struct {
    const char* what;
    std::string bytes;
  } cases[] = {
      {"size beyond the file", TarMember({.name = "a", .size = "00000010000"}, "text")},
      {"size beyond every file", TarMember({.name = "a", .size = "77777777777"}, "text")},
      {"base-256 near 2^63", TarMember({.name = "a", .size = Base256(INT64_MAX)}, "text")},
      {"base-256 above 2^63",
       TarMember({.name = "a", .size = "\x80" + std::string(11, '\xff')}, "text")},
      {"negative", TarMember({.name = "a", .size = std::string(12, '\xff')}, "text")},
      {"no digits", TarMember({.name = "a", .size = "4x"}, "text")},
      {"decimal digit", TarMember({.name = "a", .size = "00000000008"}, "text")},
      {"pax size beyond the file", pax(PaxRecord("size", "99999999999999"))},
      {"pax size above 2^63", pax(PaxRecord("size", "99999999999999999999"))},
      {"pax size negative", pax(PaxRecord("size", "-4"))},
      {"pax size no number", pax(PaxRecord("size", "4k"))},
      {"pax length too long", pax("99 path=b\n")},
      {"pax length too short", pax("5 path=b\n")},
      {"pax length zero", pax("0 path=b\n")},
      {"pax length of the blank", pax("2 \n")},
      {"pax length missing", pax("path=b\n")},
      {"pax no equals", pax("9 pathbb\n")},
      {"pax header too large",
       TarMember({.name = "x", .size = "00010000000", .type = 'x'}, std::string(1 << 21, '\0'))},
      {"pax header beyond the file",
       TarMember({.name = "x", .size = "00000100000", .type = 'x'}, "")},
      {"long name beyond the file",
       TarMember({.name = "x", .size = "00000100000", .type = 'L'}, "")},
  };
  for (const auto& c : cases) {
    const auto tree = Open(c.bytes + TarEnd());
    ASSERT_FALSE(tree) << c.what;
    EXPECT_EQ(tree.error().code(), StatusCode::kCorruption) << c.what;
    EXPECT_NE(tree.error().message().find("a.tar: byte "), std::string::npos)
        << tree.error().message();
  }
}

const std::string& Sample() {
  static const std::string bytes = TarMember({.name = "./", .type = '5'}, "") +
                                   TarMember({.name = "./a"}, std::string(700, 'a')) +
                                   TarMember({.name = "x", .type = 'x'}, PaxRecord("path", "./b")) +
                                   TarMember({.name = "y"}, std::string(512, 'b')) +
                                   TarMember({.name = "c"}, "") + TarEnd();
  return bytes;
}

TEST(Tar, TruncationsLoseWholeMembersOrAreRefused) {
  const Files whole = Contents(Sample());
  ASSERT_EQ(whole.size(), 3u);
  for (size_t size = 0; size < Sample().size(); size += 1) {
    const auto tree = Open(Sample().substr(0, size));
    if (!tree) {
      EXPECT_NE(tree.error().message().find("truncated"), std::string::npos)
          << tree.error().message();
      continue;
    }
    for (const auto& [name, text] : Contents(Sample().substr(0, size))) {
      EXPECT_EQ(text, whole.at(name)) << name << " at " << size;
    }
  }
}

TEST(Tar, HeaderBytesFlippedUnderARepairedChecksumNeverCrash) {
  for (size_t header = 0; header < Sample().size(); header += 512) {
    for (size_t at = 0; at < 512; ++at) {
      for (const int bit : {0x01, 0x10, 0x80}) {
        std::string bytes = Sample();
        bytes[header + at] = static_cast<char>(bytes[header + at] ^ bit);
        bytes.replace(header, 512, testing::WithChecksum(bytes.substr(header, 512)));
        const auto tree = Open(bytes);
        EXPECT_LE(tree ? (*tree)->files().size() : 0, 5u);  // as many as there are headers
      }
    }
  }
}

TEST(Tar, AFlippedHeaderIsRefused) {
  constexpr size_t kBehindChecksum = 155;  // a blank that nobody reads
  for (size_t at = 0; at < 512; ++at) {
    if (at == kBehindChecksum) continue;
    std::string bytes = Sample();
    bytes[512 + at] = static_cast<char>(bytes[512 + at] ^ 0x04);
    EXPECT_FALSE(Open(bytes)) << at;
  }
}

TEST(Tar, ABlockOfZerosBetweenMembersIsRefused) {
  std::string bytes = Sample();
  bytes.replace(512, 512, std::string(512, '\0'));
  EXPECT_FALSE(Open(bytes));
  EXPECT_FALSE(Open(std::string(512, '\0') + TarHeader({.name = "a", .size = "00000000000"})))
      << "before the very last block";
}

TEST(Tar, ReadsWhatTheTarProgramWrites) {
  testing::TempDir folder;
  const std::string name = "deep/" + std::string(60, 'd') + "/" + std::string(90, 'f');
  testing::WriteFileOrDie(folder / ("in/" + name), "contents");
  testing::WriteFileOrDie(folder / "in/empty", "");
  for (const std::string format : {"v7", "ustar", "gnu", "posix"}) {
    const std::string archive = folder / (format + ".tar");
    const std::string command = "cd '" + folder.path() + "/in' && tar cf '" + archive +
                                "' --format=" + format + (format == "v7" ? " ./empty" : " .") +
                                " 2>/dev/null";
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "no GNU tar to make an archive with";
    Files expected = {{"empty", ""}};
    if (format != "v7") expected[name] = "contents";
    EXPECT_EQ(Contents(testing::ReadFileOrDie(archive)), expected) << format;
  }
}

TEST(Tar, LooksLikeTarByMagicChecksumOrZeros) {
  const auto looks = [](const std::string& bytes) {
    return LooksLikeTar(std::as_bytes(std::span(bytes)));
  };
  EXPECT_TRUE(looks(Sample().substr(0, 512)));
  EXPECT_TRUE(looks(TarHeader({.name = "a", .magic = ""})));
  EXPECT_TRUE(looks(std::string(512, '\0')));
  EXPECT_FALSE(looks(std::string(512, 'x')));
  EXPECT_FALSE(looks("short"));
}

}  // namespace
}  // namespace nemo
