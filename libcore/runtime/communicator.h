// Communicator: collectives and point-to-point over one process group. Host memory (the CUDA wing
// adds device buffers behind its own implementation). Implementations: kernels/comm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "libcore/base/status.h"

namespace nemo {

/// One process group as one of its ranks sees it. Every method is collective over the group (Send
/// and Recv over the pair) and must be called by one thread of the rank in the same order on all
/// ranks. kUnavailable: a peer died, aborted or missed the deadline; the message names the
/// operation and the rank.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Element-wise float sum, the same bits on every rank whatever the transport. For a size that is
  /// a power of two: recursive doubling, partner rank^1, then ^2, ^4 (runtime.md 2.2); else the
  /// parts are added in rank order.
  virtual Status AllReduceSum(std::span<float> data) = 0;
  /// `out` = the ranks' `in`, in rank order; out.size() == in.size() * size().
  virtual Status AllGather(std::span<const std::byte> in, std::span<std::byte> out) = 0;
  virtual Status Broadcast(std::span<std::byte> data, int root) = 0;
  virtual Status Send(std::span<const std::byte> data, int peer) = 0;
  virtual Status Recv(std::span<std::byte> data, int peer) = 0;
  /// Send that does not wait for the peer: `data` is copied, and arrives in the order of all that
  /// this rank sends to `peer`. What is not taken within the deadline ends the world at a later
  /// call. The sender bounds how much it leaves under way; the memory is its own.
  virtual Status Post(std::span<const std::byte> data, int peer) = 0;
  virtual Status Barrier() = 0;
  /// Ranks with equal `color` form a new group, ordered by `key`, then by rank.
  virtual Result<std::unique_ptr<Communicator>> Split(int color, int key) = 0;
  /// Makes every pending and later call on every rank of the world return kUnavailable with
  /// `reason`.
  virtual void Abort(const std::string& reason) = 0;
};

}  // namespace nemo
