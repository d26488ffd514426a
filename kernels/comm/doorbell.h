// Where a rank that is a thread waits for its peers. There may be more ranks than cores, so waiting
// must give the core away, and whoever has done what is waited for must say so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace nemo {

/// One per rank. Thread-safe: anybody may ring, and several threads may wait.
class Doorbell {
 public:
  using Clock = std::chrono::steady_clock;

  /// Read it before looking whether there is anything to wait for; then no ring can be missed.
  uint32_t rings() const { return rings_.load(std::memory_order_seq_cst); }
  /// A system call only if somebody sleeps.
  void Ring();
  /// Sleeps until there were other rings than `seen`, `deadline` at the latest; may return sooner.
  void SleepUntilRung(uint32_t seen, Clock::time_point deadline);

 private:
  std::atomic<uint32_t> rings_{0};
  std::atomic<int32_t> num_sleepers_{0};
};

}  // namespace nemo
