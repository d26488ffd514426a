// How a rank waits for a peer that is another process. There may be more ranks than cores, so
// waiting must give the core away. Ranks that are threads ring: doorbell.h.
#pragma once

#include <algorithm>
#include <chrono>
#include <sched.h>
#include <thread>

namespace nemo {

/// Each Pause() of one wait is longer than the one before: first it only yields the core, then it
/// sleeps for up to a millisecond.
class Backoff {
 public:
  void Pause() {
    if (++num_pauses_ < kYields) {
      sched_yield();
      return;
    }
    std::this_thread::sleep_for(sleep_);
    sleep_ = std::min(sleep_ * 2, kLongestSleep);
  }

 private:
  static constexpr int kYields = 2000;  // about a millisecond: longer than a small message takes
  static constexpr std::chrono::microseconds kLongestSleep{1000};
  int num_pauses_ = 0;
  std::chrono::microseconds sleep_{20};
};

}  // namespace nemo
