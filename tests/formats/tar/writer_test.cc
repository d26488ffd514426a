// Archives against those of Python's tarfile, byte for byte (tests/golden/tar/make.py).
#include "formats/tar/writer.h"

#include <string>

#include <gtest/gtest.h>

#include "formats/tar/tar.h"
#include "tests/testing.h"

namespace nemo::tar {
namespace {

using testing::GoldenPath;
using testing::ReadFileOrDie;

const std::string kLong = "./folder/" + std::string(100, 'n') + ".txt";

std::string Member(const std::string& name, const std::string& data) {
  const auto size_bytes = static_cast<int64_t>(data.size());
  return FileHeader(name, size_bytes) + data + PaddingBehind(size_bytes);
}

std::string Archive() {
  std::string archive = DirectoryHeader("./") + Member("./model_config.yaml", "a: 1\n") +
                        Member("./empty", "") +
                        Member("./" + std::string(98, 'e'), std::string(512, 'x')) +
                        Member("./" + std::string(99, 'o'), std::string(513, 'y')) +
                        DirectoryHeader("./folder/") + Member(kLong, "abc");
  return archive + ArchiveEnd(static_cast<int64_t>(archive.size()));
}

TEST(TarWriter, MakesTheArchiveThatPythonMakes) {
  EXPECT_EQ(Archive(), ReadFileOrDie(GoldenPath("tar/by_python.tar")));
}

TEST(TarWriter, PutsLargeSizesWherePythonPutsThem) {
  EXPECT_EQ(FileHeader(kLong, int64_t{9} << 30), ReadFileOrDie(GoldenPath("tar/large.header")));
}

TEST(TarWriter, MakesWhatTheReaderReads) {
  const auto tree = OpenTar(testing::MemoryFile("a.tar", Archive()));
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ((*tree)->files().size(), 5u);
  EXPECT_EQ(*ReadAll(**(*tree)->Open(kLong.substr(2)), 100), "abc");
}

TEST(TarWriter, EndsAtAMultipleOfARecord) {
  for (const int64_t offset : {0, 512, 9216, 9728, 10240, 1 << 20}) {
    const auto end = static_cast<int64_t>(ArchiveEnd(offset).size());
    EXPECT_GE(end, 1024) << offset;
    EXPECT_EQ((offset + end) % 10240, 0) << offset;
  }
}

}  // namespace
}  // namespace nemo::tar
