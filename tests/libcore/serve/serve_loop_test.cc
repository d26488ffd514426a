// The loop between queue and model: admission, steps, cancellation, drain, ranks that are lost.
#include "libcore/serve/serve_loop.h"

#include <thread>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "libcore/base/format.h"
#include "tests/libcore/serve/fake_runner.h"

namespace nemo {
namespace {

using std::chrono::milliseconds;
using testing::FakeRequest;
using testing::FakeRunner;
using Clock = std::chrono::steady_clock;

std::shared_ptr<Call> CallOf(std::vector<GenerateRequest> requests, bool streams = false) {
  return std::make_shared<Call>(std::move(requests), streams);
}

/// All results of a call in the order of its requests; fewer when it failed.
std::vector<std::string> TextsOf(Call& call) {
  std::map<int64_t, std::string> texts;
  while (texts.size() < call.requests().size()) {
    const auto news = call.TakeNews(Clock::now() + std::chrono::seconds(60));
    if (news.empty()) break;
    for (const CallNews& one : news) {
      if (one.result) texts[one.index] = one.result->text;
    }
  }
  std::vector<std::string> list;
  for (auto& [index, text] : texts) list.push_back(std::move(text));
  return list;
}

/// A loop of one rank in a thread of its own.
class ServeLoopTest : public ::testing::Test {
 protected:
  void Start(int64_t max_batch_size) {
    thread_ = std::thread([this, max_batch_size] {
      status_ =
          ServeLoop(runner_, *world_, {max_batch_size, milliseconds(20)}, &queue_, &stats_).Run();
      if (!status_.ok()) queue_.Fail({503, status_.message()});
    });
  }
  Status End() {
    queue_.Close();
    if (thread_.joinable()) thread_.join();
    return status_;
  }
  void TearDown() override {
    runner_.Allow();
    queue_.Fail({503, "the test ends"});
    if (thread_.joinable()) thread_.join();
  }
  std::shared_ptr<Call> Submit(std::vector<GenerateRequest> requests, bool streams = false) {
    const auto call = CallOf(std::move(requests), streams);
    EXPECT_EQ(queue_.Submit(call), RequestQueue::Entry::kTaken);
    return call;
  }

  FakeRunner runner_;
  std::unique_ptr<Communicator> world_ = MakeSelf();
  RequestQueue queue_{1000};
  ServeStats stats_;
  Status status_;
  std::thread thread_;
};

TEST_F(ServeLoopTest, GivesEachCallItsResults) {
  Start(8);
  const auto one = Submit({FakeRequest(1, 3)});
  const auto many = Submit({FakeRequest(2, 1), FakeRequest(3, 5), FakeRequest(4, 2)});
  EXPECT_EQ(TextsOf(*one), std::vector<std::string>{"abc"});
  EXPECT_EQ(TextsOf(*many), (std::vector<std::string>{"a", "abcde", "ab"}));
  EXPECT_EQ(one->num_tokens(), 3);
  EXPECT_TRUE(one->queue_seconds() && one->first_token_seconds());
  EXPECT_LE(*one->queue_seconds(), *one->first_token_seconds());
  EXPECT_TRUE(End().ok());
}

TEST_F(ServeLoopTest, TellsTokensAsTheyComeToThoseWhoWantThem) {
  Start(8);
  const auto streamed = Submit({FakeRequest(1, 3)}, /*streams=*/true);
  const auto whole = Submit({FakeRequest(2, 3)});
  std::string text;
  for (bool done = false; !done;) {
    for (const CallNews& news : streamed->TakeNews(Clock::now() + std::chrono::seconds(60))) {
      ASSERT_FALSE(done) << "something comes after the result";
      done = news.result.has_value();
      if (!done) text += news.text;
    }
  }
  EXPECT_EQ(text, "abc");
  size_t count = 0;
  while (count == 0) count = whole->TakeNews(Clock::now() + std::chrono::seconds(60)).size();
  EXPECT_EQ(count, 1u);
}

TEST_F(ServeLoopTest, NoMoreRunThanTheBatchHoldsAndOthersEnterWhenOneIsDone) {
  runner_.Hold();
  Start(2);
  std::vector<std::shared_ptr<Call>> calls;
  for (int32_t i = 0; i < 5; ++i) calls.push_back(Submit({FakeRequest(i, 1 + i % 2)}));
  runner_.WaitForStep(1);
  EXPECT_LE(runner_.added().size(), 2u);
  runner_.Allow();
  for (const auto& call : calls) EXPECT_EQ(TextsOf(*call).size(), 1u);
  EXPECT_EQ(runner_.most_running(), 2u);
  EXPECT_EQ(runner_.added(), (std::vector<int32_t>{0, 1, 2, 3, 4}));
}

TEST_F(ServeLoopTest, WhatIsGivenUpLeavesTheBatchAndTheQueue) {
  runner_.Hold();
  Start(1);
  const auto runs = Submit({FakeRequest(1, 1000)});
  runner_.WaitForStep(1);
  const auto waits = Submit({FakeRequest(2, 1)}), next = Submit({FakeRequest(3, 2)});
  queue_.Leave(runs);
  queue_.Leave(waits);
  runner_.Allow();
  EXPECT_EQ(TextsOf(*next), std::vector<std::string>{"ab"});
  EXPECT_EQ(runner_.cancelled(), std::vector<int64_t>{0});
  EXPECT_EQ(runner_.added(), (std::vector<int32_t>{1, 3}));
  EXPECT_TRUE(End().ok());
  EXPECT_TRUE(runner_.idle());
}

TEST_F(ServeLoopTest, WhatTheModelRefusesFailsAlone) {
  Start(4);
  const auto bad = Submit({FakeRequest(FakeRunner::kNoRoom, 1)});
  const auto good = Submit({FakeRequest(1, 2)});
  EXPECT_EQ(TextsOf(*good), std::vector<std::string>{"ab"});
  EXPECT_TRUE(TextsOf(*bad).empty());
  ASSERT_TRUE(bad->failure());
  EXPECT_EQ(bad->failure()->http_status, 400);
  EXPECT_EQ(bad->failure()->message, "no room for it");
}

TEST_F(ServeLoopTest, ADrainEndsWhenAllThatWasTakenIsDone) {
  runner_.Hold();
  Start(1);
  const auto runs = Submit({FakeRequest(1, 3)}), waits = Submit({FakeRequest(2, 2)});
  runner_.WaitForStep(1);
  queue_.Close();
  EXPECT_EQ(queue_.Submit(CallOf({FakeRequest(3, 1)})), RequestQueue::Entry::kClosed);
  runner_.Allow();
  EXPECT_TRUE(End().ok());
  EXPECT_EQ(TextsOf(*runs), std::vector<std::string>{"abc"});
  EXPECT_EQ(TextsOf(*waits), std::vector<std::string>{"ab"});
}

TEST_F(ServeLoopTest, ADrainThatIsCutShortEndsAtOnce) {
  runner_.Hold();
  Start(1);
  const auto runs = Submit({FakeRequest(1, 1'000'000)}), waits = Submit({FakeRequest(2, 2)});
  runner_.WaitForStep(1);
  queue_.Fail({503, "too long"});
  runner_.Allow();
  EXPECT_TRUE(End().ok());
  EXPECT_TRUE(runner_.idle());
  EXPECT_EQ(runs->failure()->message, "too long");
  EXPECT_EQ(waits->failure()->message, "too long");
}

TEST_F(ServeLoopTest, AFailedStepEndsTheLoopWithItsReason) {
  runner_.Hold();
  Start(1);
  const auto runs = Submit({FakeRequest(1, 10)});
  runner_.WaitForStep(1);
  runner_.Fail(Unavailable("the device is gone"));
  runner_.Allow();
  EXPECT_TRUE(TextsOf(*runs).empty());
  EXPECT_EQ(runs->failure()->message, "the device is gone");
  EXPECT_EQ(End().code(), StatusCode::kUnavailable);
}

TEST_F(ServeLoopTest, CountsStepsAndTokens) {
  Start(4);
  const auto call = Submit({FakeRequest(1, 3), FakeRequest(2, 1)});
  TextsOf(*call);
  EXPECT_TRUE(End().ok());
  const std::string text = stats_.ToText(0, 0, true);
  EXPECT_NE(text.find(Format("nemo_steps_total {}\n", runner_.num_steps())), std::string::npos)
      << text;
  EXPECT_NE(text.find("nemo_prompt_tokens_total 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("nemo_generated_tokens_total 4\n"), std::string::npos) << text;
  EXPECT_EQ(stats_.load().kv_pages, 9);
}

// Several ranks: threads with communicators.

TEST(ServeLoopRanks, AllRanksMakeTheSameCalls) {
  constexpr int kRanks = 3;
  std::vector<FakeRunner> runners(kRanks);
  RequestQueue queue(100);
  ServeStats stats;
  std::vector<std::shared_ptr<Call>> calls;
  for (int32_t i = 0; i < 20; ++i) {
    calls.push_back(CallOf({FakeRequest(i, 1 + i % 7), FakeRequest(100 + i, 2)}));
    if (i < 10) queue.Submit(calls.back());
  }
  std::thread client([&] {
    for (int32_t i = 10; i < 20; ++i) {
      queue.Submit(calls[i]);
      if (i % 3 == 0) queue.Leave(calls[i]);
    }
    for (int32_t i = 0; i < 20; ++i) {
      if (i >= 10 && i % 3 == 0) continue;  // given up
      EXPECT_EQ(TextsOf(*calls[i]).size(), 2u);
    }
    queue.Close();
  });
  const Status status = RunRanks(kRanks, [&](Communicator& world) {
    const bool first = world.rank() == 0;
    return ServeLoop(runners[world.rank()], world, {4, milliseconds(20)}, first ? &queue : nullptr,
                     first ? &stats : nullptr)
        .Run();
  });
  client.join();
  EXPECT_TRUE(status.ok()) << status.message();
  for (const FakeRunner& runner : runners) {
    EXPECT_EQ(runner.added(), runners[0].added());
    EXPECT_EQ(runner.cancelled(), runners[0].cancelled());
    EXPECT_EQ(runner.num_steps(), runners[0].num_steps());
    EXPECT_TRUE(runner.idle());
  }
}

/// Rank 1 leaves, in the middle of a request or while there is nothing to do.
TEST(ServeLoopRanks, ALostRankEndsTheLoopInWords) {
  for (const bool is_busy : {true, false}) {
    SCOPED_TRACE(is_busy ? "busy" : "idle");
    FakeRunner runners[2];
    RequestQueue queue(100);
    ServeStats stats;
    const auto call = CallOf({FakeRequest(1, 1'000'000'000)});
    if (is_busy) queue.Submit(call);
    Status of_rank_0;
    runners[1].Fail(Unavailable("its device is gone"));
    const Status status = RunRanks(2, [&](Communicator& world) -> Status {
      if (world.rank() == 1) {
        if (!is_busy) return Unavailable("its device is gone");
        return ServeLoop(runners[1], world, {4, milliseconds(20)}, nullptr, nullptr).Run();
      }
      of_rank_0 = ServeLoop(runners[0], world, {4, milliseconds(20)}, &queue, &stats).Run();
      queue.Fail({503, of_rank_0.message()});
      return of_rank_0;
    });
    EXPECT_EQ(of_rank_0.code(), StatusCode::kUnavailable);
    EXPECT_NE(status.message().find("rank 1: its device is gone"), std::string::npos)
        << status.message();
    EXPECT_NE(of_rank_0.message().find("its device is gone"), std::string::npos)
        << of_rank_0.message();
    EXPECT_EQ(call->failure().has_value(), is_busy);
    EXPECT_EQ(queue.Submit(CallOf({FakeRequest(2, 1)})), RequestQueue::Entry::kClosed);
  }
}

}  // namespace
}  // namespace nemo
