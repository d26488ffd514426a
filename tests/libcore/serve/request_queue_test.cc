// Who is let in, who has his turn, and what becomes of those who leave.
#include "libcore/serve/request_queue.h"

#include <thread>

#include <gtest/gtest.h>

#include "tests/libcore/serve/fake_runner.h"

namespace nemo {
namespace {

using testing::FakeRequest;
using Clock = std::chrono::steady_clock;
using Entry = RequestQueue::Entry;

/// A call of as many requests; its name is each one's prompt.
std::shared_ptr<Call> CallOf(int32_t name, int count = 1) {
  return std::make_shared<Call>(
      std::vector<GenerateRequest>(static_cast<size_t>(count), FakeRequest(name, 1)), false);
}

/// "1.0" is request 0 of call 1.
std::vector<std::string> NamesOf(const std::vector<RequestQueue::Taken>& taken) {
  std::vector<std::string> names;
  for (const auto& [call, index] : taken) {
    names.push_back(std::to_string(call->requests()[0].prompt_ids[0]) + "." +
                    std::to_string(index));
  }
  return names;
}

TEST(RequestQueue, CallsTakeTurnsFirstComeFirstServed) {
  RequestQueue queue(100);
  for (const auto& call : {CallOf(1, 4), CallOf(2), CallOf(3, 2)}) {
    ASSERT_EQ(queue.Submit(call), Entry::kTaken);
  }
  EXPECT_EQ(queue.num_waiting(), 7);
  EXPECT_EQ(queue.num_open(), 3);
  EXPECT_TRUE(queue.Take(0).empty());
  EXPECT_EQ(NamesOf(queue.Take(2)), (std::vector<std::string>{"1.0", "2.0"}));
  EXPECT_EQ(queue.num_waiting(), 5);
  // Who comes later does not wait for all of the first.
  ASSERT_EQ(queue.Submit(CallOf(4)), Entry::kTaken);
  EXPECT_EQ(NamesOf(queue.Take(100)),
            (std::vector<std::string>{"3.0", "1.1", "4.0", "3.1", "1.2", "1.3"}));
  EXPECT_EQ(queue.num_waiting(), 0);
  EXPECT_EQ(queue.num_open(), 4) << "taken, and not answered";
}

TEST(RequestQueue, ACallIsTakenWholeWhenOneMoreMayWait) {
  RequestQueue queue(3);
  EXPECT_EQ(queue.Submit(CallOf(1, 2)), Entry::kTaken);
  EXPECT_EQ(queue.Submit(CallOf(2, 128)), Entry::kTaken);
  EXPECT_EQ(queue.num_waiting(), 130);
  EXPECT_EQ(queue.Submit(CallOf(3)), Entry::kFull);
  EXPECT_EQ(queue.num_open(), 2) << "who was refused is not open";
  queue.Take(127);
  EXPECT_EQ(queue.Submit(CallOf(4)), Entry::kFull);
  queue.Take(1);
  EXPECT_EQ(queue.Submit(CallOf(5)), Entry::kTaken);
}

TEST(RequestQueue, ThoseWhoLeaveMakeRoom) {
  RequestQueue queue(2);
  const auto gone = CallOf(1, 2), given_up = CallOf(2), stays = CallOf(3);
  ASSERT_EQ(queue.Submit(gone), Entry::kTaken);
  EXPECT_EQ(queue.Submit(given_up), Entry::kFull);
  queue.Leave(gone);
  EXPECT_TRUE(gone->is_given_up());
  EXPECT_EQ(queue.num_waiting(), 0);
  EXPECT_EQ(queue.num_open(), 0);
  ASSERT_EQ(queue.Submit(given_up), Entry::kTaken);
  ASSERT_EQ(queue.Submit(stays), Entry::kTaken);
  given_up->GiveUp();  // and has not left yet
  EXPECT_EQ(NamesOf(queue.Take(2)), std::vector<std::string>{"3.0"});
}

TEST(RequestQueue, AFullQueueForgetsWhatNobodyWaitsFor) {
  RequestQueue queue(1);
  const auto first = CallOf(1);
  ASSERT_EQ(queue.Submit(first), Entry::kTaken);
  EXPECT_EQ(queue.Submit(CallOf(2)), Entry::kFull);
  first->GiveUp();
  EXPECT_EQ(queue.Submit(CallOf(3)), Entry::kTaken);
}

TEST(RequestQueue, AClosedQueueKeepsWhatItTook) {
  RequestQueue queue(10);
  const auto call = CallOf(1, 2);
  ASSERT_EQ(queue.Submit(call), Entry::kTaken);
  EXPECT_FALSE(queue.is_closed());
  queue.Close();
  EXPECT_TRUE(queue.is_closed());
  EXPECT_EQ(queue.Submit(CallOf(2)), Entry::kClosed);
  EXPECT_EQ(NamesOf(queue.Take(5)), (std::vector<std::string>{"1.0", "1.1"}));
  EXPECT_FALSE(call->is_given_up());
}

TEST(RequestQueue, AFailureReachesWhatWaitsAndWhatRuns) {
  RequestQueue queue(10);
  const auto runs = CallOf(1), waits = CallOf(2), answered = CallOf(3);
  for (const auto& call : {runs, answered, waits}) ASSERT_EQ(queue.Submit(call), Entry::kTaken);
  queue.Take(2);
  queue.Leave(answered);
  queue.Fail({503, "rank 1 is gone"});
  for (const auto& call : {runs, waits}) {
    EXPECT_TRUE(call->is_given_up());
    ASSERT_TRUE(call->failure());
    EXPECT_EQ(call->failure()->http_status, 503);
    EXPECT_EQ(call->failure()->message, "rank 1 is gone");
  }
  EXPECT_FALSE(answered->failure());
  EXPECT_EQ(queue.num_waiting(), 0);
  EXPECT_EQ(queue.Submit(CallOf(4)), Entry::kClosed);
  // The first reason stays.
  queue.Fail({500, "another"});
  EXPECT_EQ(runs->failure()->message, "rank 1 is gone");
}

TEST(RequestQueue, WaitsForWorkOrForTheEnd) {
  RequestQueue queue(10);
  EXPECT_FALSE(queue.WaitForWork(Clock::now() + std::chrono::milliseconds(1)));
  std::thread client([&] { queue.Submit(CallOf(1)); });
  EXPECT_TRUE(queue.WaitForWork(Clock::now() + std::chrono::seconds(60)));
  client.join();
  EXPECT_TRUE(queue.WaitForWork(Clock::now())) << "it waits still";
  queue.Take(1);
  EXPECT_FALSE(queue.WaitForWork(Clock::now()));
  std::thread end([&] { queue.Close(); });
  EXPECT_TRUE(queue.WaitForWork(Clock::now() + std::chrono::seconds(60)));
  end.join();
}

TEST(RequestQueue, ManyThreadsLoseNothing) {
  constexpr int kClients = 4, kCalls = 200;
  RequestQueue queue(2 * kClients * kCalls);
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; i < kCalls; ++i) {
        const auto call = CallOf(c * kCalls + i, 2);
        ASSERT_EQ(queue.Submit(call), Entry::kTaken);
        if (i % 4 == 0) queue.Leave(call);
      }
    });
  }
  int64_t num_taken = 0;
  std::thread loop([&] {
    while (queue.WaitForWork(Clock::now() + std::chrono::seconds(60)) &&
           !(queue.is_closed() && queue.num_waiting() == 0)) {
      num_taken += std::ssize(queue.Take(3));
    }
  });
  for (std::thread& client : clients) client.join();
  queue.Close();
  loop.join();
  EXPECT_GE(num_taken, kClients * kCalls * 2 * 3 / 4);
  EXPECT_LE(num_taken, kClients * kCalls * 2);
  EXPECT_EQ(queue.num_open(), kClients * kCalls * 3 / 4);
}

}  // namespace
}  // namespace nemo
