// ServeLoop: the steps of a server, on every rank. Rank 0 takes requests from the queue; before
// each step it tells the others what to add and what to give up (turn.h), then all step.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/request_runner.h"
#include "libcore/serve/request_queue.h"
#include "libcore/serve/serve_stats.h"
#include "libcore/serve/turn.h"

namespace nemo {

/// Runs in the thread that may use runner and world.
class ServeLoop {
 public:
  /// What all ranks know.
  struct Options {
    int64_t max_batch_size = 8;
    /// How often idle ranks hear of one another: well within the communicator's deadline.
    std::chrono::milliseconds pulse{2000};
  };

  /// `queue` and `stats` are rank 0's; null on the others. Refers to all but the options.
  ServeLoop(RequestRunner& runner, Communicator& world, const Options& options, RequestQueue* queue,
            ServeStats* stats)
      : runner_(runner),
        world_(world),
        max_batch_size_(options.max_batch_size),
        pulse_(options.pulse),
        queue_(queue),
        stats_(stats) {}

  /// Returns when the queue is closed and all that was in it is done. Collective. An error (a
  /// peer, a device) is told to all open calls; the world is aborted then.
  Status Run();

 private:
  using Clock = std::chrono::steady_clock;

  /// Rank 0: waits while there is nothing to do, though not so long that the others, who wait for
  /// the turn, take it for dead.
  Turn NextTurn();
  Status Act(Turn turn);
  Status Step();
  void GiveOut();

  RequestRunner& runner_;
  Communicator& world_;
  const int64_t max_batch_size_;
  const std::chrono::milliseconds pulse_;
  RequestQueue* const queue_;
  ServeStats* const stats_;
  std::map<int64_t, RequestQueue::Taken> running_;  // by the runner's id; rank 0
  std::vector<RequestQueue::Taken> entering_;       // of the turn being made; rank 0
};

}  // namespace nemo
