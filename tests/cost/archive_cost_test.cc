// Tar archives, gzip streams and zip archives made to hurt.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/codec/gzip.h"
#include "formats/megatron/rank_files.h"
#include "formats/tar/tar.h"
#include "formats/torch/zip.h"
#include "libcore/base/format.h"
#include "tests/cost/cost.h"
#include "tests/formats/dcp/pickle_bytes.h"
#include "tests/formats/tar/tar_bytes.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/repair.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::CostLimits;
using testing::ExpectFileCost;
using testing::LittleEndian;
using testing::PaxRecord;
using testing::TarEnd;
using testing::TarFields;
using testing::TarHeader;
using testing::TarMember;

struct BytesCase {
  const char* what;
  std::string bytes;
};

/// bytes(0) ... bytes(count - 1).
template <typename Bytes>
std::string Join(size_t count, const Bytes& bytes) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += bytes(i);
  return out;
}

std::string EmptyMembers(size_t count, char type = '0') {
  return Join(count, [type](size_t i) {
    return TarHeader({.name = Format("{}", i), .size = std::string(11, '0'), .type = type});
  });
}

/// One gzip member, made by the gzip program.
std::string Gzipped(const std::string& bytes) {
  const testing::TempDir folder;
  testing::WriteFileOrDie(folder / "plain", bytes);
  const std::string command = Format("gzip -n -9 < '{}' > '{}'", folder / "plain", folder / "gz");
  EXPECT_EQ(std::system(command.c_str()), 0) << "no gzip to make a file with";
  return testing::ReadFileOrDie(folder / "gz");
}

void ReadTar(std::shared_ptr<RandomAccessFile> file) {
  const auto tree = OpenTar(std::move(file));
  if (tree) fuzz::ReadFiles(**tree);
}

TEST(Cost, TarIsLinear) {
  const std::string long_path = PaxRecord("path", std::string(1'000'000, 'p'));
  const std::string records =
      Join(40'000, [](size_t i) { return PaxRecord("path", Format("{}", i)); });
  const BytesCase cases[] = {
      {"tar: empty members", EmptyMembers(20'000)},
      {"tar: folders", EmptyMembers(20'000, '5')},
      {"tar: one path of a megabyte for many folders",
       TarMember({.name = "g", .type = 'g'}, long_path) + EmptyMembers(20'000, '5') + TarEnd()},
      {"tar: many paths in one header",
       TarMember({.name = "x", .type = 'x'}, records) + EmptyMembers(1)},
      {"tar: headers for nobody",
       Join(10'000,
            [](size_t) { return TarMember({.name = "x", .type = 'x'}, PaxRecord("size", "0")); })},
      {"tar: long names for nobody", Join(40,
                                          [](size_t) {
                                            return TarMember({.name = "L", .type = 'L'},
                                                             std::string(250'000, 'n'));
                                          })},
      {"tar: names of slashes and dots", Join(3'000,
                                              [](size_t i) {
                                                std::string name;
                                                for (int k = 0; k < 1'000; ++k) name += "./";
                                                return TarMember({.name = "L", .type = 'L'},
                                                                 name + Format("{}", i)) +
                                                       EmptyMembers(1);
                                              })},
      {"tar: sparse chains", Join(5'000,
                                  [](size_t) {
                                    return TarMember({.name = "x", .type = 'x'},
                                                     PaxRecord("GNU.sparse.map", "0,1,2,3"));
                                  }) +
                                 EmptyMembers(1)},
      {"tar: a member of 2^62 bytes",
       TarHeader({.name = "a", .size = testing::Base256(int64_t{1} << 62)})},
      {"tar: zeros", std::string(10'000'000, '\0')},
  };
  for (const BytesCase& c : cases) {
    ExpectFileCost(c.what, c.bytes, {.bytes_held = 16, .bytes_allocated = 64, .bytes_read = 3},
                   ReadTar);
  }
}

/// Deflate makes at most 1032 bytes of one, and whoever reads a stream has to make them. They are
/// not held.
TEST(Cost, GzipHoldsNoMoreThanItsStream) {
  const std::string zeros(64 << 20, '\0');
  ExpectFileCost("gzip: zeros", Gzipped(zeros), {.bytes_held = 64, .bytes_allocated = 256},
                 [](auto file) {
                   const auto inside = OpenGzip(std::move(file));
                   ASSERT_TRUE(inside);
                   EXPECT_EQ((*inside)->size_bytes(), 64 << 20);
                 });
  ExpectFileCost("gzip: streams of nothing",
                 Join(50'000, [empty = Gzipped("")](size_t) { return empty; }),
                 {.bytes_held = 64, .bytes_allocated = 256},
                 [](auto file) { static_cast<void>(OpenGzip(std::move(file))); });
  ExpectFileCost("gzip: a tar of empty members", Gzipped(EmptyMembers(40'000)),
                 {.bytes_held = 64, .bytes_allocated = 256}, [](auto file) {
                   const auto inside = OpenGzip(std::move(file));
                   ASSERT_TRUE(inside);
                   const auto tree = OpenTar(*inside);
                   ASSERT_TRUE(tree);
                   EXPECT_EQ((*tree)->files().size(), 40'000U);
                 });
}

/// One entry of a zip archive; tests change what they want to lie about.
struct ZipMember {
  std::string name;
  std::string data;
  std::string extra;
  uint64_t method = 0;
  uint64_t size = 0;  // 0: that of data
};

std::string LocalHeader(const ZipMember& m) {
  const uint64_t size = m.size != 0 ? m.size : m.data.size();
  return "PK\x03\x04" + LittleEndian(20, 2) + LittleEndian(0, 2) + LittleEndian(m.method, 2) +
         LittleEndian(0, 8) + LittleEndian(m.data.size(), 4) + LittleEndian(size, 4) +
         LittleEndian(m.name.size(), 2) + LittleEndian(0, 2) + m.name + m.data;
}

std::string CentralHeader(const ZipMember& m, uint64_t local_bytes) {
  const uint64_t size = m.size != 0 ? m.size : m.data.size();
  return "PK\x01\x02" + LittleEndian(20, 2) + LittleEndian(20, 2) + LittleEndian(0, 2) +
         LittleEndian(m.method, 2) + LittleEndian(0, 8) + LittleEndian(m.data.size(), 4) +
         LittleEndian(size, 4) + LittleEndian(m.name.size(), 2) + LittleEndian(m.extra.size(), 2) +
         LittleEndian(0, 2) + LittleEndian(0, 8) + LittleEndian(local_bytes, 4) + m.name + m.extra;
}

std::string EndRecord(uint64_t num_entries, uint64_t directory_bytes, uint64_t at,
                      const std::string& comment = "") {
  return std::string("PK\x05\x06") + LittleEndian(0, 4) + LittleEndian(num_entries, 2) +
         LittleEndian(num_entries, 2) + LittleEndian(directory_bytes, 4) + LittleEndian(at, 4) +
         LittleEndian(comment.size(), 2) + comment;
}

std::string ZipOf(const std::vector<ZipMember>& members) {
  std::string out, directory;
  for (const ZipMember& m : members) {
    directory += CentralHeader(m, out.size());
    out += LocalHeader(m);
  }
  return out + directory + EndRecord(members.size(), directory.size(), out.size());
}

/// Each entry's data are all headers behind its own, down to one kernel (D. Fifield, "A better zip
/// bomb", 2019).
std::string OverlappingZip(size_t count, uint64_t method) {
  std::string out, directory;
  std::vector<std::string> headers;
  for (size_t i = 0; i < count; ++i)
    headers.push_back(LocalHeader({.name = Format("{}", i), .method = method, .size = 1 << 20}));
  for (size_t i = 0; i < count; ++i) {
    directory += CentralHeader(
        {.name = Format("{}", i), .method = method, .size = (1 << 20) - out.size()}, out.size());
    out += headers[i];
  }
  out += std::string(1 << 20, '\0');
  return out + directory + EndRecord(count, directory.size(), out.size());
}

std::vector<ZipMember> Members(size_t count, const ZipMember& like) {
  std::vector<ZipMember> members(count, like);
  for (size_t i = 0; i < count; ++i) members[i].name += Format("{}", i);
  return members;
}

TEST(Cost, ZipIsLinear) {
  const ZipMember one{.name = "a", .data = "b"};
  std::string one_for_all = LocalHeader(one);
  std::string directory;
  for (int i = 0; i < 60'000; ++i)
    directory += CentralHeader({.name = Format("{}", i), .data = "b"}, 0);
  one_for_all += directory + EndRecord(60'000, directory.size(), one_for_all.size());

  std::string ends;
  while (ends.size() < 60'000) ends += EndRecord(65'535, 0xffffffff, 0, "x");
  std::string tiny_extras;
  while (tiny_extras.size() < 65'000) tiny_extras += LittleEndian(2, 2) + LittleEndian(0, 2);

  const BytesCase cases[] = {
      {"zip: empty entries", ZipOf(Members(60'000, {}))},
      {"zip: one entry under many names", one_for_all},
      {"zip: overlapping entries", OverlappingZip(20'000, 0)},
      {"zip: overlapping compressed entries", OverlappingZip(20'000, 8)},
      {"zip: a deflated gigabyte",
       ZipOf({{.name = "a", .data = std::string(1000, '\0'), .method = 8, .size = 1 << 30}})},
      {"zip: a stored entry that lies", ZipOf({{.name = "a", .data = "b", .size = 0xfffffffe}})},
      {"zip: end records in the comment", ZipOf({one}) + EndRecord(1, 0, 0, ends)},
      {"zip: entries that are not there", LocalHeader(one) + EndRecord(65'535, 30, 0)},
      {"zip: long names", ZipOf(Members(30, {.name = std::string(65'000, 'n')}))},
      {"zip: extra fields", ZipOf(Members(30, {.extra = tiny_extras}))},
      {"zip: one name", ZipOf(std::vector<ZipMember>(60'000, one))},
  };
  for (const BytesCase& c : cases) {
    ExpectFileCost(c.what, c.bytes, {.bytes_held = 256, .bytes_allocated = 1024, .bytes_read = 4},
                   [](auto file) {
                     const auto tree = torch::OpenZip(std::move(file));
                     if (tree) fuzz::ReadFiles(**tree);
                   });
  }
}

/// One state dict under the name of every virtual stage: each stage costs a look at it.
TEST(Cost, RankFilesHaveFewVirtualStages) {
  std::string stages =
      "}\x94"
      "0}(";  // a dict in the memo, and one that refers to it
  for (int i = 0; i < 5'000; ++i) {
    stages += testing::Text(Format("model{}", i)) + std::string("h\0", 2);
  }
  std::string zip = ZipOf({{.name = "a/data.pkl", .data = testing::Pickle(stages + "u")},
                           {.name = "a/version", .data = "3"}});
  fuzz::RepairZip(zip);
  const size_t size = zip.size();
  const auto tree = testing::MemoryTree("a tree", {{"weights.ckpt", std::move(zip)}});
  testing::ExpectCost(
      "rank files: many virtual stages", size, {.bytes_held = 256, .bytes_allocated = 1024}, [&] {
        const auto chunks = megatron::OpenRankFiles(
            *tree, [](int64_t, int64_t) { return "weights.ckpt"; }, 1, 1, "the test");
        ASSERT_FALSE(chunks);
        EXPECT_NE(chunks.error().message().find("virtual stages"), std::string::npos)
            << chunks.error().message();
      });
}

}  // namespace
}  // namespace nemo
