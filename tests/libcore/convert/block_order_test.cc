#include "libcore/convert/block_order.h"

#include <atomic>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/thread_pool.h"

namespace nemo {
namespace {

TEST(BlockOrder, TicketsOfALanePassInOrderWhateverTheThreadsDo) {
  constexpr int64_t kTickets = 400;
  BlockOrder order;
  for (int64_t i = 0; i < kTickets; ++i) order.Add({i % 3, 10 + i % 7});
  std::mutex mutex;
  std::vector<int64_t> passed;
  const Status status = ParallelFor(8, kTickets, [&](int64_t ticket) {
    std::mt19937 random(static_cast<unsigned>(ticket));
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200));
    return order.Pass(ticket, [&] {
      const std::lock_guard<std::mutex> lock(mutex);
      passed.push_back(ticket);
      return OkStatus();
    });
  });
  ASSERT_TRUE(status.ok()) << status.message();
  ASSERT_EQ(passed.size(), static_cast<size_t>(kTickets));
  for (size_t a = 0; a < passed.size(); ++a) {
    for (size_t b = a + 1; b < passed.size(); ++b) {
      const int64_t first = passed[a], later = passed[b];
      const bool share_lane = first % 3 == later % 3 || first % 7 == later % 7;
      ASSERT_TRUE(!share_lane || first < later) << later << " before " << first;
    }
  }
}

TEST(BlockOrder, WhoWaitsForAFailedOneGivesUpAndOthersDoNot) {
  BlockOrder order;
  for (int64_t i = 0; i < 40; ++i) order.Add({0});
  std::atomic<int> num_passed{0};
  const Status status = ParallelFor(4, 40, [&](int64_t ticket) {
    if (ticket == 20) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      order.Fail(ticket);
      return Corruption("the reason");
    }
    return order.Pass(ticket, [&] {
      ++num_passed;
      return OkStatus();
    });
  });
  EXPECT_EQ(status.code(), StatusCode::kCorruption) << "the reason, not that others gave up";
  EXPECT_EQ(num_passed, 20);
}

}  // namespace
}  // namespace nemo
