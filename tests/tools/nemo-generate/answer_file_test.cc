// Answers that outlast a stop: whatever a kill leaves of the file, going on gives the same bytes.
#include "tools/nemo-generate/answer_file.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using Mode = AnswerFile::Mode;

const RunMark kMark = {"0123456789abcdef", "fedcba9876543210"};
constexpr int64_t kAnswers = 4;

Value Answer(int64_t index) {
  Value value;
  value.Set("seed", index % 2 == 0 ? Value() : Value(17));
  value.Set("sentence", Format("Answer \n number {}", index));
  return value;
}

std::unique_ptr<AnswerFile> OpenOrDie(const std::string& path, Mode mode) {
  auto file = AnswerFile::Open(path, mode, kMark, kAnswers);
  EXPECT_TRUE(file) << file.error().message();
  return std::move(*file);
}

/// What is missing, last first; then the end.
void AddTheRest(AnswerFile& file) {
  for (int64_t index = kAnswers - 1; index >= 0; --index) {
    if (file.finished()[index]) continue;
    ASSERT_TRUE(file.Add(index, Answer(index)).ok());
  }
  ASSERT_TRUE(file.Finish().ok());
}

class AnswerFileTest : public ::testing::Test {
 protected:
  AnswerFileTest() {
    AddTheRest(*OpenOrDie(path_, Mode::kNew));
    whole_ = testing::ReadFileOrDie(path_);
  }
  /// What a kill has left.
  void LeavePartial(std::string_view bytes) {
    ASSERT_TRUE(RemoveAll(path_).ok());
    testing::WriteFileOrDie(path_ + ".partial", bytes);
  }

  testing::TempDir dir_;
  const std::string path_ = dir_ / "answers.jsonl";
  std::string whole_;
};

TEST_F(AnswerFileTest, HasOneLinePerAnswerInTheOrderOfThePrompts) {
  EXPECT_TRUE(
      whole_.starts_with("{\"index\":0,\"run\":\"0123456789abcdef-fedcba9876543210\",\"seed\":null,"
                         "\"sentence\":\"Answer \\n number 0\"}\n{\"index\":1,"));
  EXPECT_EQ(std::count(whole_.begin(), whole_.end(), '\n'), kAnswers);
  EXPECT_EQ(KindOf(path_ + ".partial"), PathKind::kAbsent);
}

TEST_F(AnswerFileTest, GoesOnFromEveryPlaceWhereItCanHaveBeenStopped) {
  // In the order of finishing: the last answer first.
  std::string finishing;
  for (size_t begin = 0; begin < whole_.size();) {
    const size_t end = whole_.find('\n', begin) + 1;
    finishing.insert(0, whole_.substr(begin, end - begin));
    begin = end;
  }
  // Each costs some syncs; the step meets every part of a line.
  for (size_t size = 0; size <= finishing.size(); size += 7) {
    LeavePartial(finishing.substr(0, size));
    auto file = OpenOrDie(path_, Mode::kResume);
    EXPECT_EQ(file->num_finished(),
              std::count(finishing.begin(), finishing.begin() + static_cast<long>(size), '\n'));
    AddTheRest(*file);
    ASSERT_EQ(testing::ReadFileOrDie(path_), whole_) << "stopped after " << size << " bytes";
  }
}

TEST_F(AnswerFileTest, ZerosThatACrashOfTheMachineLeftAreATornEnd) {
  const size_t second = whole_.find('\n') + 1;
  LeavePartial(whole_.substr(0, second) + std::string(100, '\0') + "\n" + std::string(50, '\0'));
  auto file = OpenOrDie(path_, Mode::kResume);
  EXPECT_EQ(file->num_finished(), 1);
  AddTheRest(*file);
  EXPECT_EQ(testing::ReadFileOrDie(path_), whole_);
}

TEST_F(AnswerFileTest, KnowsTheSeedsOfFinishedAnswers) {
  LeavePartial(whole_);
  const auto file = OpenOrDie(path_, Mode::kResume);
  EXPECT_EQ(file->SeedOf(0), std::nullopt);
  EXPECT_EQ(file->SeedOf(1), 17);
}

TEST_F(AnswerFileTest, AFinishedFileNeedsNothing) {
  const auto file = OpenOrDie(path_, Mode::kResume);
  EXPECT_EQ(file->num_finished(), kAnswers);
  EXPECT_TRUE(file->Finish().ok());
  EXPECT_EQ(testing::ReadFileOrDie(path_), whole_);
}

TEST_F(AnswerFileTest, IsNotReplacedUnlessTold) {
  EXPECT_EQ(AnswerFile::Open(path_, Mode::kNew, kMark, kAnswers).error().code(),
            StatusCode::kInvalidArgument);
  LeavePartial("");
  EXPECT_EQ(AnswerFile::Open(path_, Mode::kNew, kMark, kAnswers).error().code(),
            StatusCode::kInvalidArgument);
  AddTheRest(*OpenOrDie(path_, Mode::kForce));
  EXPECT_EQ(testing::ReadFileOrDie(path_), whole_);
}

TEST_F(AnswerFileTest, AStoppedReplacementGoesOnAndTheOldFileStandsUntilTheEnd) {
  testing::WriteFileOrDie(path_, "old");
  ASSERT_TRUE(OpenOrDie(path_, Mode::kForce)->Add(2, Answer(2)).ok());
  EXPECT_EQ(testing::ReadFileOrDie(path_), "old");
  auto file = OpenOrDie(path_, Mode::kResume);
  EXPECT_EQ(file->num_finished(), 1);
  AddTheRest(*file);
  EXPECT_EQ(testing::ReadFileOrDie(path_), whole_);
}

TEST_F(AnswerFileTest, RefusesAnswersOfAnotherRun) {
  const struct {
    RunMark mark;
    const char* words;
  } kCases[] = {
      {{"0000000000000000", kMark.requests}, "another model"},
      {{kMark.model, "0000000000000000"}, "other prompts or parameters"},
  };
  for (const bool partial : {false, true}) {
    if (partial) LeavePartial(whole_);
    for (const auto& row : kCases) {
      const Status error = AnswerFile::Open(path_, Mode::kResume, row.mark, kAnswers).error();
      EXPECT_EQ(error.code(), StatusCode::kInvalidArgument);
      EXPECT_NE(error.message().find(row.words), std::string::npos) << error.message();
    }
  }
  EXPECT_EQ(testing::ReadFileOrDie(path_ + ".partial"), whole_);
}

TEST_F(AnswerFileTest, RefusesWhatHoldsNoAnswers) {
  for (const char* bytes : {"text\n", "{}\n", "{\"index\": 1}\n", "[]\n"}) {
    LeavePartial(bytes);
    EXPECT_EQ(AnswerFile::Open(path_, Mode::kResume, kMark, kAnswers).error().code(),
              StatusCode::kInvalidArgument)
        << bytes;
    EXPECT_EQ(testing::ReadFileOrDie(path_ + ".partial"), bytes);
  }
}

TEST_F(AnswerFileTest, OneProcessWritesAtATime) {
  const auto first = OpenOrDie(path_, Mode::kForce);
  const Status error = AnswerFile::Open(path_, Mode::kResume, kMark, kAnswers).error();
  EXPECT_EQ(error.code(), StatusCode::kUnavailable) << error.message();
}

}  // namespace
}  // namespace nemo
