// A call between the loop that brings its news and the client that may not wait for them.
#include "libcore/serve/call_watch.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "tests/libcore/serve/fake_runner.h"

namespace nemo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::FakeRequest;
using Clock = std::chrono::steady_clock;

/// Two requests, streamed or not, in a queue.
struct Waiting {
  explicit Waiting(bool streams, int64_t max_backlog_bytes = Call::kMaxBacklogBytes)
      : call(std::make_shared<Call>(
            std::vector<GenerateRequest>{FakeRequest(1, 3), FakeRequest(2, 3)}, streams,
            max_backlog_bytes)) {
    queue.Submit(call);
  }
  RequestQueue queue{10};
  std::shared_ptr<Call> call;
};

GenerateResult ResultOf(const std::string& text) {
  GenerateResult result;
  result.text = text;
  return result;
}

TEST(CallWatch, BringsNewsInTheirOrderAndResultsInThatOfTheRequests) {
  Waiting w(/*streams=*/true);
  CallWatch watch(
      w.queue, w.call, [] { return false; }, seconds(60));
  w.call->Tell(1, {.token_id = 7, .text = "x"});
  w.call->Tell(0, {.token_id = 8, .text = "y"});
  const auto news = watch.Next();
  ASSERT_EQ(news.size(), 2u);
  EXPECT_EQ(news[0].text + news[1].text, "xy");
  w.call->Tell(1, ResultOf("second"));
  w.call->Tell(0, ResultOf("first"));
  const auto results = TakeResults(watch);
  ASSERT_TRUE(results);
  EXPECT_EQ((*results)[0].text, "first");
  EXPECT_EQ((*results)[1].text, "second");
  EXPECT_EQ(w.call->num_tokens(), 2);
}

TEST(CallWatch, LeavesTheQueueWhenItGoes) {
  Waiting w(false);
  {
    CallWatch watch(
        w.queue, w.call, [] { return false; }, seconds(60));
  }
  EXPECT_TRUE(w.call->is_given_up());
  EXPECT_EQ(w.queue.num_waiting(), 0);
  EXPECT_EQ(w.queue.num_open(), 0);
}

/// Also where there are news all the time.
TEST(CallWatch, NoticesAClientThatLeavesAndTimeThatIsUp) {
  for (const bool has_news : {false, true}) {
    for (const bool leaves : {false, true}) {
      Waiting w(/*streams=*/true);
      CallWatch watch(
          w.queue, w.call, [&] { return leaves; }, seconds(leaves ? 600 : 0));
      std::atomic<bool> is_over = false;
      std::thread loop([&] {
        while (has_news && !is_over) {
          w.call->Tell(0, {.token_id = 7, .text = "x"});
          std::this_thread::sleep_for(milliseconds(1));
        }
      });
      while (!watch.Next().empty()) {
      }
      is_over = true;
      loop.join();
      ASSERT_TRUE(watch.failure());
      EXPECT_EQ(watch.failure()->http_status, leaves ? Call::kHasLeft : CallWatch::kTooLate);
    }
  }
}

TEST(CallWatch, AFailureComesAfterTheNewsBeforeIt) {
  Waiting w(/*streams=*/true);
  CallWatch watch(
      w.queue, w.call, [] { return false; }, seconds(60));
  w.call->Tell(0, {.token_id = 7, .text = "x"});
  w.call->Fail({503, "gone"});
  EXPECT_EQ(watch.Next().size(), 1u);
  EXPECT_TRUE(watch.Next().empty());
  EXPECT_EQ(watch.failure()->message, "gone");
  EXPECT_FALSE(TakeResults(watch));
}

TEST(CallWatch, TokensThatNobodyTakesAreBounded) {
  Waiting w(/*streams=*/true, /*max_backlog_bytes=*/10'000);
  const std::string text(100, 'x');
  const std::vector<TokenLogprob> top(20);
  const auto tell = [&] { w.call->Tell(0, {.token_id = 7, .text = text, .top_logprobs = top}); };
  for (int i = 0; i < 1000; ++i) {  // taken in time there may be any number
    tell();
    ASSERT_EQ(w.call->TakeNews(Clock::now()).size(), 1u);
  }
  for (int i = 0; i < 1000; ++i) tell();
  EXPECT_TRUE(w.call->is_given_up());
  EXPECT_LT(w.call->TakeNews(Clock::now()).size(), 10'000 / (text.size() + 16 * top.size()));
  ASSERT_TRUE(w.call->failure());
  EXPECT_EQ(w.call->failure()->http_status, Call::kHasLeft);
  // Whole answers have no tokens to keep.
  Waiting whole(/*streams=*/false, 10'000);
  for (int i = 0; i < 1000; ++i) whole.call->Tell(0, {.token_id = 7, .text = text});
  EXPECT_FALSE(whole.call->is_given_up());
  EXPECT_EQ(whole.call->num_tokens(), 1000);
}

}  // namespace
}  // namespace nemo
