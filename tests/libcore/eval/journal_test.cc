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

TEST_F(JournalTest, TakesOverWhatAnotherReplicaKept) {
  Write();
  const std::string other = folder_ / "journal.jsonl.1";
  {
    const auto journal = *Journal::Begin(other, "key");
    ASSERT_TRUE(journal->Add("a", 4, kScores, RequestKind::kScore).ok());
    ASSERT_TRUE(journal->Add("a", 5, kScores, RequestKind::kScore).ok());
  }
  const std::string text = nemo::testing::ReadFileOrDie(other);
  nemo::testing::WriteFileOrDie(other, text.substr(0, text.size() - 9));
  {
    const auto journal = *Journal::Continue(path_, "key");
    const Status status = journal->TakeOver(other, "key");
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(journal->records().size(), 3u);
    EXPECT_EQ(journal->records().at({"a", 4})[1].logprob, -1.0 / 3);
    ASSERT_TRUE(journal->Add("c", 0, kText, RequestKind::kGenerate).ok());
  }
  const auto again = Journal::Continue(path_, "key");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ((*again)->records().size(), 4u);
  EXPECT_EQ((*again)->TakeOver(other, "another run").code(), StatusCode::kInvalidArgument);
  nemo::testing::WriteFileOrDie(other, "");  // its replica was killed before the first line
  EXPECT_TRUE((*again)->TakeOver(other, "key").ok());
}

TEST_F(JournalTest, LinesThatTravelSayWhatTheyWereMadeOf) {
  const std::string lines = JournalLine("a", 3, kScores, RequestKind::kScore) +
                            JournalLine("b", 0, kText, RequestKind::kGenerate);
  const auto records = ParseJournalLines(lines);
  ASSERT_TRUE(records) << records.error().message();
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ(records->at({"a", 3})[0].logprob, -8.25);
  EXPECT_EQ(records->at({"b", 0})[0].text, kText[0].text);
  EXPECT_FALSE(ParseJournalLines(lines.substr(0, lines.size() - 3)));
}

}  // namespace
}  // namespace nemo::eval
