// The journal of a run: what is kept, and what a crash or a mistake does to it.
#include "libcore/eval/journal.h"

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo::eval {
namespace {

const Responses kScores = {{-8.25, false, ""}, {-1.0 / 3, true, ""}};
const Responses kText = {{0, false, "two\nlines \u554f"}};

class JournalTest : public ::testing::Test {
 protected:
  void Write() {
    const auto journal = *Journal::Begin(path_, "key");
    ASSERT_TRUE(journal->Add("a", 3, kScores, RequestKind::kScore).ok());
    ASSERT_TRUE(journal->Add("b", 0, kText, RequestKind::kGenerate).ok());
  }

  nemo::testing::TempDir folder_;
  const std::string path_ = folder_ / "journal.jsonl";
};

TEST_F(JournalTest, GivesBackWhatWasAnswered) {
  Write();
  const auto journal = Journal::Continue(path_, "key");
  ASSERT_TRUE(journal) << journal.error().message();
  const Journal::Records& records = (*journal)->records();
  ASSERT_EQ(records.size(), 2u);
  const Responses& scores = records.at({"a", 3});
  EXPECT_EQ(scores[1].logprob, -1.0 / 3);  // every bit of it
  EXPECT_TRUE(scores[1].is_greedy);
  EXPECT_EQ(records.at({"b", 0})[0].text, kText[0].text);
}

TEST_F(JournalTest, ATornLastLineDoesNotCountAndIsOverwritten) {
  Write();
  const std::string whole = nemo::testing::ReadFileOrDie(path_);
  for (size_t cut = 1; cut < 20; ++cut) {
    nemo::testing::WriteFileOrDie(path_, whole.substr(0, whole.size() - cut));
    const auto journal = Journal::Continue(path_, "key");
    ASSERT_TRUE(journal) << journal.error().message();
    EXPECT_EQ((*journal)->records().size(), 1u);
    ASSERT_TRUE((*journal)->Add("b", 0, kText, RequestKind::kGenerate).ok());
    EXPECT_EQ(nemo::testing::ReadFileOrDie(path_), whole);
  }
}

TEST_F(JournalTest, AnotherRunIsRefused) {
  Write();
  EXPECT_EQ(Journal::Continue(path_, "other").error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Journal::Continue(folder_ / "none", "key").error().code(), StatusCode::kNotFound);
}

TEST_F(JournalTest, DamageInTheMiddleIsTold) {
  Write();
  std::string text = nemo::testing::ReadFileOrDie(path_);
  text.replace(text.find("-8.25"), 5, "\"\",\"\"");
  nemo::testing::WriteFileOrDie(path_, text);
  const auto journal = Journal::Continue(path_, "key");
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().message().find("line 2"), std::string::npos);
  nemo::testing::WriteFileOrDie(path_, "hello\n");
  EXPECT_FALSE(Journal::Continue(path_, "key"));
}

}  // namespace
}  // namespace nemo::eval
