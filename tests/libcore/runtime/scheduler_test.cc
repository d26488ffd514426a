#include "libcore/runtime/scheduler.h"

#include <map>

#include <gtest/gtest.h>

namespace nemo {
namespace {

Scheduler Make(const SchedulerOptions& options) {
  auto scheduler = Scheduler::Create(options);
  EXPECT_TRUE(scheduler) << scheduler.error().message();
  return std::move(*scheduler);
}

using Spans = std::vector<ScheduledSpan>;

TEST(Scheduler, FeedsDecodesFirstThenPromptsInOrder) {
  Scheduler scheduler = Make({8, 4, 4, 100});
  ASSERT_TRUE(scheduler.Add(0, 3, 20).ok());
  ASSERT_TRUE(scheduler.Add(1, 10, 20).ok());
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 0, 3}, {1, 1, 0, 4}}));
  scheduler.Append(0);
  ASSERT_TRUE(scheduler.Add(2, 2, 20).ok());
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 3, 1}, {1, 1, 4, 4}, {2, 2, 0, 2}}));
  scheduler.Append(2);
  // Request 0 has no news yet: nothing of it to feed.
  EXPECT_EQ(scheduler.Next(), (Spans{{2, 2, 2, 1}, {1, 1, 8, 2}}));
}

TEST(Scheduler, CutsLongPromptsAtPages) {
  Scheduler scheduler = Make({100, 0, 4, 100});
  ASSERT_TRUE(scheduler.Add(0, 300, 400).ok());
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 0, 64}}));
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 64, 64}}));
  ASSERT_TRUE(scheduler.Add(1, 30, 40).ok());
  // What is left of the budget after a page goes to the next in line.
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 128, 64}, {1, 1, 0, 30}}));
}

TEST(Scheduler, ABudgetBelowAPageStillMovesOn) {
  Scheduler scheduler = Make({10, 0, 2, 100});
  ASSERT_TRUE(scheduler.Add(0, 25, 30).ok());
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 0, 10}}));
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 10, 10}}));
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 20, 5}}));
}

TEST(Scheduler, WaitsForSlotsAndPagesInOrder) {
  Scheduler scheduler = Make({64, 0, 2, 3});
  ASSERT_TRUE(scheduler.Add(0, 5, 128).ok());  // 2 pages
  ASSERT_TRUE(scheduler.Add(1, 5, 128).ok());  // does not fit beside it
  ASSERT_TRUE(scheduler.Add(2, 5, 10).ok());   // would, and must not overtake
  EXPECT_EQ(scheduler.Next(), (Spans{{0, 0, 0, 5}}));
  EXPECT_EQ(scheduler.num_waiting(), 2);
  scheduler.Finish(0);
  EXPECT_EQ(scheduler.Next(), (Spans{{1, 0, 0, 5}, {2, 1, 0, 5}}));
  scheduler.Finish(1);
  scheduler.Finish(2);
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.Next(), Spans{});
}

TEST(Scheduler, RefusesWhatCanNeverFit) {
  Scheduler scheduler = Make({64, 0, 2, 3});
  const Status status = scheduler.Add(0, 5, 193);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("needs 4 KV pages"), std::string::npos) << status.message();
  EXPECT_FALSE(Scheduler::Create({0, 0, 1, 1}));
  EXPECT_FALSE(Scheduler::Create({8, -1, 1, 1}));
  EXPECT_FALSE(Scheduler::Create({8, 0, 9, 1}));
}

TEST(Scheduler, FeedsEveryTokenOnceWithinTheBudgetWhateverTheChunk) {
  for (const int64_t chunk : {0, 1, 7, 64, 1000}) {
    Scheduler scheduler = Make({96, chunk, 3, 20});
    std::map<int64_t, int64_t> fed, generated;
    for (int64_t id = 0; id < 10; ++id) {
      ASSERT_TRUE(scheduler.Add(id, 1 + 37 * id % 200, 300).ok());
    }
    int64_t steps = 0;
    while (!scheduler.idle()) {
      ASSERT_LT(++steps, 5000);
      int64_t tokens = 0;
      for (const ScheduledSpan& span : scheduler.Next()) {
        EXPECT_EQ(span.start, fed[span.id]);
        fed[span.id] += span.count;
        tokens += span.count;
        if (fed[span.id] < 1 + 37 * span.id % 200 + generated[span.id]) continue;
        if (++generated[span.id] == 5) {
          scheduler.Finish(span.id);
        } else {
          scheduler.Append(span.id);
        }
      }
      EXPECT_GE(tokens, 1);
      EXPECT_LE(tokens, 96);
    }
    for (int64_t id = 0; id < 10; ++id) EXPECT_EQ(fed[id], 1 + 37 * id % 200 + 4);
  }
}

}  // namespace
}  // namespace nemo
