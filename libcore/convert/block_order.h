// BlockOrder: blocks are made by many threads and pass one point in order: the checksum of a tensor
// runs over its bytes from first to last, and some files take their tensors one after the other.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

/// Tickets are handed out in ascending order (ParallelFor does), so that whatever a waiting thread
/// waits for is in another thread's hands. Thread-safe.
class BlockOrder {
 public:
  /// Runs `pass` alone among the tickets of the same lanes, when all tickets of these lanes that
  /// are lower have passed. `lanes` of a ticket are those it was added with. kIo: a lower ticket
  /// failed and will never pass.
  Status Pass(int64_t ticket, const std::function<Status()>& pass);
  /// Ticket `ticket` will not pass: those behind it give up.
  void Fail(int64_t ticket);

  /// Before the first Pass: the next ticket (0, 1, ...) waits for the one before it in each lane.
  void Add(const std::vector<int64_t>& lanes);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::vector<int64_t>> before_;  ///< per ticket: those that have to pass first
  std::map<int64_t, int64_t> last_of_lane_;
  std::vector<bool> passed_;
  int64_t first_failed_ = INT64_MAX;
};

}  // namespace nemo
