#include "kernels/comm/doorbell.h"

#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace nemo {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(Doorbell, ARingBeforeTheSleepIsNotMissed) {
  Doorbell bell;
  const uint32_t seen = bell.rings();
  bell.Ring();
  EXPECT_NE(bell.rings(), seen);
  bell.SleepUntilRung(seen, Doorbell::Clock::now() + hours(1));  // or the test never ends
}

TEST(Doorbell, NobodySleepsBeyondTheDeadline) {
  Doorbell bell;
  bell.SleepUntilRung(bell.rings(), Doorbell::Clock::now() + milliseconds(5));
  bell.SleepUntilRung(bell.rings(), Doorbell::Clock::now() - hours(1));
}

TEST(Doorbell, OneRingWakesAllWhoSleep) {
  Doorbell bell;
  const uint32_t seen = bell.rings();
  std::vector<std::thread> sleepers;
  for (int i = 0; i < 4; ++i) {
    sleepers.emplace_back([&] {
      while (bell.rings() == seen) {
        bell.SleepUntilRung(seen, Doorbell::Clock::now() + hours(1));
      }
    });
  }
  std::this_thread::sleep_for(milliseconds(20));  // most of them sleep by now
  bell.Ring();
  for (std::thread& sleeper : sleepers) sleeper.join();
}

}  // namespace
}  // namespace nemo
