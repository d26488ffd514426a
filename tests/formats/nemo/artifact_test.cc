#include "formats/nemo/artifact.h"

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

const std::string kHash1(32, '1');
const std::string kHash2(32, '2');

TEST(TokenizerArtifact, IsTheFirstReferenceThatIsThere) {
  const std::string one = kHash1 + "_a.model", two = kHash2 + "_b.model";
  const struct {
    const char* what;
    std::vector<std::string> references;
    std::string found;
  } cases[] = {
      {"by name", {"nemo:" + one}, one},
      {"the first of two", {"nemo:" + two, "nemo:" + one}, two},
      {"the second when the first is gone", {"nemo:" + kHash1 + "_gone.model", "nemo:" + two}, two},
      {"a path of another machine", {"/lustre/tokenizers/b.model"}, two},
      {"a path with the hash", {"/lustre/" + two}, two},
      {"a bare name", {one}, one},
      {"nothing fits and there are two", {"/lustre/c.model"}, ""},
      {"nothing named and there are two", {}, ""},
  };
  for (const auto& c : cases) {
    const auto tree = testing::MemoryTree("tree", {{one, "1"},
                                                   {two, "2"},
                                                   {"model_config.yaml", ""},
                                                   {"._x.model", "?"},
                                                   {"deep/c.model", "?"}});
    const auto artifact = FindTokenizer(*tree, c.references);
    ASSERT_TRUE(artifact) << c.what << ": " << artifact.error().message();
    EXPECT_EQ(artifact->name, c.found) << c.what;
    EXPECT_EQ(artifact->bytes, c.found == one ? "1" : c.found == two ? "2" : "") << c.what;
  }
}

TEST(TokenizerArtifact, TheOnlyModelWillDoWhenNothingIsNamed) {
  const auto tree = testing::MemoryTree("tree", {{"x.model", "1"}, {"._x.model", "?"}});
  for (const std::vector<std::string>& references :
       {std::vector<std::string>{}, std::vector<std::string>{"/lustre/c.model"}}) {
    const auto artifact = FindTokenizer(*tree, references);
    ASSERT_TRUE(artifact) << artifact.error().message();
    EXPECT_EQ(artifact->name, "x.model");
  }
}

TEST(TokenizerArtifact, AReferenceIntoTheArchiveMustBeThere) {
  const auto tree = testing::MemoryTree("tree", {{"x.model", "1"}});
  const auto artifact = FindTokenizer(*tree, {"nemo:gone.model", "/lustre/c.model"});
  ASSERT_FALSE(artifact);
  EXPECT_EQ(artifact.error().code(), StatusCode::kCorruption);
  for (const char* word : {"missing tokenizer", "gone.model", "x.model"}) {
    EXPECT_NE(artifact.error().message().find(word), std::string::npos)
        << artifact.error().message();
  }
}

TEST(TokenizerArtifact, AnEmptyFileIsNoTokenizer) {
  EXPECT_FALSE(FindTokenizer(*testing::MemoryTree("tree", {{"x.model", ""}}), {}));
}

}  // namespace
}  // namespace nemo
