// A running job tells how far it is to whoever asks.
#include "tools/common/status_reporter.h"

#include <csignal>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "libcore/base/file.h"
#include "libcore/base/json.h"
#include "tests/testing.h"
#include "tools/common/terminal_progress.h"

namespace nemo {
namespace {

const JobIdentity kJob = {"nemo-convert", "node7", 4711, 1'790'000'000};

Value Parse(const std::string& path) {
  const auto value = ParseJson(testing::ReadFileOrDie(path));
  EXPECT_TRUE(value) << value.error().message();
  return *value;
}

TEST(JobState, SaysHowLongItWillTakeWhereThatIsKnown) {
  JobState state = {.phase = "convert", .unit = "B", .done = 1'000'000'000, .total = 4'000'000'000};
  state.seconds = 2;
  state.is_running = true;
  EXPECT_EQ(state.rate(), 5e8);
  EXPECT_EQ(state.seconds_left(), 6);
  EXPECT_EQ(ToText(state), "convert: 1.0 GB of 4.0 GB (25 %), 0.50 GB/s, 6 s left");
  state.remark = "as 2.0 GB";
  state.is_running = false;
  EXPECT_EQ(state.seconds_left(), -1);
  EXPECT_EQ(ToText(state), "convert: 1.0 GB in 2.0 s, 0.50 GB/s; at work, as 2.0 GB");
  EXPECT_EQ(ToText({}), "nothing counted yet");
  EXPECT_EQ(JobState().rate(), 0);
}

TEST(StatusValue, HasAllKeysAtAnyTime) {
  EXPECT_EQ(ToJson(StatusValue(kJob, {}, 1'790'000'001, nullptr)),
            R"({"tool":"nemo-convert","pid":4711,"host":"node7","state":"running","phase":null,)"
            R"("done":null,"total":null,"unit":null,"rate":null,"seconds_left":null,"remark":null,)"
            R"("started":"2026-09-21T14:13:20Z","updated":"2026-09-21T14:13:21Z","finished":null,)"
            R"("exit_code":null,"message":null})");
  JobState state = {.phase = "convert", .unit = "B", .remark = "fast", .done = 10, .total = 40};
  state.seconds = 2;
  state.is_running = true;
  const Value running = StatusValue(kJob, state, 1'790'000'002, nullptr);
  EXPECT_EQ(running.Find("rate")->as_double(), 5);
  EXPECT_EQ(running.Find("seconds_left")->as_double(), 6);
  const struct {
    JobEnd end;
    const char* state;
  } kEnds[] = {{{0, ""}, "finished"},
               {{1, ""}, "finished"},
               {{3, "damaged"}, "failed"},
               {{143, "stopped by signal 15"}, "stopped"}};
  for (const auto& row : kEnds) {
    const Value value = StatusValue(kJob, state, 1'790'000'003, &row.end);
    EXPECT_EQ(value.Find("state")->as_string(), row.state);
    EXPECT_EQ(value.Find("exit_code")->as_int(), row.end.exit_code);
    EXPECT_TRUE(value.Find("seconds_left")->is_null());
    EXPECT_EQ(value.Find("finished")->as_string(), "2026-09-21T14:13:23Z");
    EXPECT_EQ(value.Find("message")->is_null(), row.end.message.empty());
  }
}

class StatusReporterTest : public ::testing::Test {
 protected:
  ~StatusReporterTest() override { std::fclose(log_); }

  std::unique_ptr<StatusReporter> Start(const std::string& file) {
    auto reporter = StatusReporter::Start(
        {.tool = "nemo-x", .file = file, .stream = log_, .interval = std::chrono::milliseconds(1)},
        progress_);
    EXPECT_TRUE(reporter) << reporter.error().message();
    return *std::move(reporter);
  }
  /// What was written to the log, once there is something.
  std::string WaitForLog() {
    char text[1000] = "";
    while (text[0] == '\0') {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      std::rewind(log_);
      if (std::fgets(text, sizeof(text), log_) == nullptr) text[0] = '\0';
    }
    return text;
  }

  testing::TempDir dir_;
  std::FILE* log_ = std::tmpfile();
  TerminalProgress screen_{log_, TerminalProgress::Style::kSilent};
  JobProgress progress_{screen_};
};

TEST_F(StatusReporterTest, AnswersTheSignalWithALine) {
  const auto reporter = Start("");
  progress_.Start("copy", 0, "files");
  progress_.Add(3);
  ASSERT_EQ(std::raise(SIGUSR1), 0);
  const std::string line = WaitForLog();
  EXPECT_EQ(line.substr(0, line.find(',')), "nemo-x: copy: 3 files");
  EXPECT_EQ(line.back(), '\n');
}

TEST_F(StatusReporterTest, KeepsTheFileUpToDateUntilTheEnd) {
  const std::string file = dir_ / "status.json";
  const auto reporter = Start(file);
  EXPECT_EQ(Parse(file).Find("state")->as_string(), "running") << "it is there from the beginning";
  progress_.quiet().Start("copy", 10, "files");
  progress_.quiet().Add(4);
  progress_.quiet().Remark("slowly");
  while (Parse(file).Find("remark")->is_null()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(Parse(file).Find("done")->as_int(), 4);
  progress_.quiet().Finish();
  ASSERT_TRUE(reporter->End({4, "disk full"}).ok());
  const Value end = Parse(file);
  EXPECT_EQ(end.Find("state")->as_string(), "failed");
  EXPECT_EQ(end.Find("message")->as_string(), "disk full");
  EXPECT_EQ(end.Find("done")->as_int(), 4);
  EXPECT_EQ(end.Find("pid")->as_int(), getpid());
  EXPECT_EQ(KindOf(file + ".partial"), PathKind::kAbsent);
}

TEST_F(StatusReporterTest, TakesTheFileOrSaysWhyNotAtOnce) {
  const auto folder = StatusReporter::Start({.tool = "x", .file = dir_.path()}, progress_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code(), StatusCode::kInvalidArgument);
  const auto device = StatusReporter::Start({.tool = "x", .file = "/dev/tty"}, progress_);
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code(), StatusCode::kInvalidArgument);
  const auto nowhere =
      StatusReporter::Start({.tool = "x", .file = dir_ / "absent/status.json"}, progress_);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code(), StatusCode::kIo);
  EXPECT_NE(nowhere.error().message().find("--status-file"), std::string::npos);
}

TEST_F(StatusReporterTest, AProcessWithoutOneIsNotEndedByTheSignal) {
  IgnoreStatusSignal();
  EXPECT_EQ(std::raise(SIGUSR1), 0);
}

}  // namespace
}  // namespace nemo
