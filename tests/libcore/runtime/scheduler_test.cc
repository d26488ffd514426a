#include "libcore/runtime/scheduler.h"

#include <deque>
#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace nemo {
namespace {

/// A scheduler with a book of its own.
struct Plan {
  explicit Plan(const SchedulerOptions& options, int64_t num_pages = 100)
      : book({num_pages, options.max_batch_size, 1000}) {
    auto made = Scheduler::Create(options, book);
    EXPECT_TRUE(made) << made.error().message();
    scheduler = std::make_unique<Scheduler>(std::move(*made));
  }
  /// A prompt of `num_tokens` that shares nothing with those of other ids.
  Status Add(int64_t id, int64_t num_tokens, int64_t max_tokens) {
    std::vector<int32_t> ids(num_tokens);
    std::iota(ids.begin(), ids.end(), static_cast<int32_t>(id * 1000));
    return scheduler->Add(id, ids, max_tokens, num_tokens - 1);
  }
  Scheduler* operator->() { return scheduler.get(); }

  PageBook book;
  std::unique_ptr<Scheduler> scheduler;
};

using Spans = std::vector<ScheduledSpan>;

TEST(Scheduler, FeedsDecodesFirstThenPromptsInOrder) {
  Plan plan({8, 4, 4});
  ASSERT_TRUE(plan.Add(0, 3, 20).ok());
  ASSERT_TRUE(plan.Add(1, 10, 20).ok());
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 3}, {1, 1, 0, 4}}));
  plan->Append(0, 7);
  ASSERT_TRUE(plan.Add(2, 2, 20).ok());
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 3, 1}, {1, 1, 4, 4}, {2, 2, 0, 2}}));
  plan->Append(2, 7);
  // Request 0 has no news yet: nothing of it to feed.
  EXPECT_EQ(plan->Next(), (Spans{{2, 2, 2, 1}, {1, 1, 8, 2}}));
}

TEST(Scheduler, CutsLongPromptsAtPages) {
  Plan plan({100, 0, 4});
  ASSERT_TRUE(plan.Add(0, 300, 400).ok());
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 64}}));
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 64, 64}}));
  ASSERT_TRUE(plan.Add(1, 30, 40).ok());
  // What is left of the budget after a page goes to the next in line.
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 128, 64}, {1, 1, 0, 30}}));
}

TEST(Scheduler, ABudgetBelowAPageStillMovesOn) {
  Plan plan({10, 0, 2});
  ASSERT_TRUE(plan.Add(0, 25, 30).ok());
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 10}}));
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 10, 10}}));
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 20, 5}}));
}

TEST(Scheduler, RequestsEnterInOrderWithThePagesTheyNeedNow) {
  Plan plan({640, 0, 3}, 5);
  ASSERT_TRUE(plan.Add(0, 100, 320).ok());  // 2 pages now, 5 in its life
  ASSERT_TRUE(plan.Add(1, 120, 128).ok());  // 2 more, and one for request 0 to go on with
  ASSERT_TRUE(plan.Add(2, 100, 128).ok());  // does not fit beside them
  ASSERT_TRUE(plan.Add(3, 5, 10).ok());     // would, and must not overtake
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 100}, {1, 1, 0, 120}}));
  EXPECT_EQ(plan->num_waiting(), 2);
  plan->Finish(1);
  EXPECT_EQ(plan->Next(), (Spans{{2, 1, 0, 100}}));
  plan->Finish(0);
  EXPECT_EQ(plan->Next(), (Spans{{3, 0, 0, 5}}));
  plan->Finish(2);
  plan->Finish(3);
  EXPECT_TRUE(plan->idle());
  EXPECT_EQ(plan->Next(), Spans{});
  EXPECT_EQ(plan.book.free_pages(), 5);
}

TEST(Scheduler, PagesForEverySlotFillEverySlot) {
  Plan plan({1000, 0, 4}, 4 * 3);
  for (int64_t id = 0; id < 4; ++id) ASSERT_TRUE(plan.Add(id, 129 + id, 192).ok());
  EXPECT_EQ(plan->Next().size(), 4u);
  Plan growing({1000, 0, 4}, 4 * 3);
  for (int64_t id = 0; id < 4; ++id) ASSERT_TRUE(growing.Add(id, 5 + 60 * id, 190).ok());
  EXPECT_EQ(growing->Next().size(), 4u);
}

TEST(Scheduler, TheNewestLeavesWhenPagesRunOutAndIsFedAgain) {
  Plan plan({640, 0, 3, 1, /*prefix_cache=*/false}, 4);
  ASSERT_TRUE(plan.Add(0, 64, 250).ok());
  ASSERT_TRUE(plan.Add(1, 63, 250).ok());
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 64}, {1, 1, 0, 63}}));
  for (int64_t step = 0; step < 64; ++step) {
    plan->Append(0, 7);
    plan->Append(1, 7);
    EXPECT_EQ(plan->Next(), (Spans{{0, 0, 64 + step, 1}, {1, 1, 63 + step, 1}}));
  }
  // Request 0 needs a third page, and all four are taken.
  plan->Append(0, 7);
  plan->Append(1, 7);
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 128, 1}}));
  EXPECT_EQ(plan->num_waiting(), 1);
  EXPECT_EQ(plan->counts().preemptions, 1);
  plan->Append(0, 7);
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 129, 1}}));
  plan->Finish(0);
  // Its generated tokens are fed with the prompt, and only the newest one's row is news.
  EXPECT_EQ(plan->Next(), (Spans{{1, 0, 0, 128}}));
  plan->Append(1, 7);
  EXPECT_EQ(plan->Next(), (Spans{{1, 0, 128, 1}}));
}

TEST(Scheduler, TheNewestKeepsWhatItHasWhileItWaitsForAPage) {
  Plan plan({640, 0, 2}, 3);
  ASSERT_TRUE(plan.Add(0, 64, 128).ok());
  ASSERT_TRUE(plan.Add(1, 64, 192).ok());
  ASSERT_EQ(plan->Next().size(), 2u);
  plan->Append(0, 7);
  plan->Append(1, 7);
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 64, 1}}));
  EXPECT_EQ(plan->num_running(), 2);
  plan->Finish(0);
  EXPECT_EQ(plan->Next(), (Spans{{1, 1, 64, 1}}));
  EXPECT_EQ(plan->counts().preemptions, 0);
}

TEST(Scheduler, NewsOfARequestThatWasPushedOutReachesIt) {
  // With several steps in flight a request can leave before its token is known.
  for (const bool entered_again : {false, true}) {
    Plan plan({640, 0, 2, 2, /*prefix_cache=*/false}, 3);
    ASSERT_TRUE(plan.Add(0, 64, 192).ok());
    ASSERT_TRUE(plan.Add(1, 64, 192).ok());
    EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 64}}));
    EXPECT_EQ(plan->Next(), (Spans{{1, 1, 0, 64}}));
    plan->Append(0, 7);
    EXPECT_EQ(plan->Next(), (Spans{{0, 0, 64, 1}}));
    for (int64_t step = 1; step < 64; ++step) {
      plan->Append(0, 7);
      EXPECT_EQ(plan->Next(), (Spans{{0, 0, 64 + step, 1}}));
    }
    plan->Append(0, 7);
    EXPECT_EQ(plan->Next(), (Spans{{0, 0, 128, 1}}));  // the third page was request 1's
    EXPECT_EQ(plan->counts().preemptions, 1);
    plan->Finish(0);
    if (entered_again) {
      EXPECT_EQ(plan->Next(), (Spans{{1, 0, 0, 64}}));
      plan->Append(1, 9);
      EXPECT_EQ(plan->Next(), (Spans{{1, 0, 64, 1}}));
    } else {
      plan->Append(1, 9);
      EXPECT_EQ(plan->Next(), (Spans{{1, 0, 0, 65}}));
    }
  }
}

TEST(Scheduler, StepsInFlightGetEqualShares) {
  Plan plan({640, 0, 8, 2});
  for (int64_t id = 0; id < 5; ++id) ASSERT_TRUE(plan.Add(id, 4, 20).ok());
  EXPECT_EQ(plan->Next().size(), 3u);
  EXPECT_EQ(plan->Next().size(), 2u);
  EXPECT_EQ(plan->Next(), Spans{});
  for (int64_t id = 0; id < 5; ++id) plan->Append(id, 7);
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 4, 1}, {1, 1, 4, 1}, {2, 2, 4, 1}}));
  plan->Append(0, 7);
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 5, 1}, {3, 3, 4, 1}, {4, 4, 4, 1}}));
}

TEST(Scheduler, EqualBeginningsAreFedOnce) {
  Plan plan({200, 0, 4});
  std::vector<int32_t> ids(150);
  std::iota(ids.begin(), ids.end(), 0);
  std::vector<int32_t> other = ids;
  other[140] = 9999;
  ASSERT_TRUE(plan->Add(0, ids, 160, 149).ok());
  ASSERT_TRUE(plan->Add(1, other, 160, 149).ok());
  ASSERT_TRUE(plan->Add(2, ids, 160, 70).ok());  // rows are wanted from the second page on
  // The first one's pages are read in the step that writes them.
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 150}, {1, 1, 128, 22}}));
  EXPECT_EQ(plan->Next(), (Spans{{2, 2, 64, 86}}));
  EXPECT_EQ(plan->counts().reused_tokens, 128 + 64);
  // Long gone, and still known.
  for (int64_t id = 0; id < 3; ++id) plan->Finish(id);
  ASSERT_TRUE(plan->Add(3, {ids.begin(), ids.begin() + 128}, 160, 127).ok());
  EXPECT_EQ(plan->Next(), (Spans{{3, 0, 64, 64}}));  // never the page of the last token
}

TEST(Scheduler, APromptBehindAnotherCatchesUpWithIt) {
  Plan plan({128, 0, 2});
  std::vector<int32_t> ids(300);
  std::iota(ids.begin(), ids.end(), 0);
  ASSERT_TRUE(plan->Add(0, ids, 310, 299).ok());
  ASSERT_TRUE(plan->Add(1, ids, 310, 299).ok());
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 0, 128}}));
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 128, 128}}));
  EXPECT_EQ(plan->Next(), (Spans{{0, 0, 256, 44}, {1, 1, 256, 44}}));
}

TEST(Scheduler, RefusesWhatCanNeverFit) {
  Plan plan({64, 0, 2}, 3);
  const Status status = plan.Add(0, 5, 193);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("needs 4 KV pages"), std::string::npos) << status.message();
  EXPECT_FALSE(Scheduler::Create({0, 0, 1}, plan.book));
  EXPECT_FALSE(Scheduler::Create({8, -1, 1}, plan.book));
  EXPECT_FALSE(Scheduler::Create({8, 0, 9}, plan.book));
  EXPECT_FALSE(Scheduler::Create({8, 0, 3}, plan.book));
  EXPECT_FALSE(Scheduler::Create({8, 0, 1, 0}, plan.book));
}

/// A model of the generation loop with `groups` steps in flight: every request gets its tokens,
/// each of them fed in order and none before it is known, within the budget, whatever the pages.
void RunToTheEnd(int64_t chunk, int64_t groups, int64_t num_pages, bool prefix_cache) {
  constexpr int64_t kRequests = 10, kGenerated = 90;
  Plan plan({96, chunk, 3, groups, prefix_cache}, num_pages);
  const auto prompt_of = [](int64_t id) { return 1 + 37 * id % 200; };
  std::map<int64_t, int64_t> known, asked, generated;
  for (int64_t id = 0; id < kRequests; ++id) {
    std::vector<int32_t> ids(prompt_of(id));
    std::iota(ids.begin(), ids.end(), 0);  // all begin alike
    known[id] = std::ssize(ids);
    ASSERT_TRUE(plan->Add(id, ids, prompt_of(id) + kGenerated - 1, prompt_of(id) - 1).ok());
  }
  std::deque<std::vector<int64_t>> in_flight;  // who gets a token
  int64_t steps = 0;
  while (!plan->idle()) {
    ASSERT_LT(++steps, 20000);
    int64_t tokens = 0;
    std::vector<int64_t> choosing;
    for (const ScheduledSpan& span : plan->Next()) {
      const int64_t end = span.start + span.count;
      tokens += span.count;
      EXPECT_LE(end, known[span.id]);
      EXPECT_LE(end, plan.book.tokens_of(span.slot));
      if (end == known[span.id] && asked[span.id] < end) choosing.push_back(span.id);
      asked[span.id] = std::max(asked[span.id], end);
    }
    EXPECT_LE(tokens, 96);
    if (tokens > 0) in_flight.push_back(choosing);
    while (!in_flight.empty() && (std::ssize(in_flight) >= groups || tokens == 0)) {
      for (const int64_t id : in_flight.front()) {
        ++known[id];
        if (++generated[id] == kGenerated) {
          plan->Finish(id);
        } else {
          plan->Append(id, static_cast<int32_t>(known[id]));
        }
      }
      in_flight.pop_front();
      tokens = 1;
    }
  }
  for (int64_t id = 0; id < kRequests; ++id) EXPECT_EQ(generated[id], kGenerated) << id;
  EXPECT_EQ(plan.book.free_pages(), num_pages);
  if (num_pages == 5) {
    EXPECT_GT(plan->counts().preemptions, 0);
  }
}

TEST(Scheduler, EveryRequestComesToItsEndWhateverTheChunkTheGroupsAndThePages) {
  for (const int64_t chunk : {0, 1, 7, 64, 1000}) {
    for (const int64_t groups : {1, 2, 4}) {
      for (const int64_t num_pages : {5, 7, 20}) {
        for (const bool prefix_cache : {true, false}) {
          SCOPED_TRACE(testing::Message()
                       << "chunk " << chunk << ", groups " << groups << ", pages " << num_pages
                       << ", prefix cache " << prefix_cache);
          RunToTheEnd(chunk, groups, num_pages, prefix_cache);
        }
      }
    }
  }
}

}  // namespace
}  // namespace nemo
