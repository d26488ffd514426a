// Turn: what rank 0 of a server tells the other ranks before a step, so that all make the same
// calls of their generators.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/request.h"

namespace nemo {

struct Turn {
  std::vector<GenerateRequest> added;  ///< their ids follow from the order of all that were added
  std::vector<int64_t> cancelled;      ///< ids
  bool is_pulse = false;               ///< nothing is to be done: are all there?
  bool is_last = false;                ///< no other turn comes
  bool empty() const { return added.empty() && cancelled.empty() && !is_pulse && !is_last; }
};

/// Native integers and IEEE doubles: the ranks run one program on one kind of machine.
std::vector<std::byte> PackTurn(const Turn& turn);
/// kUnavailable: not the bytes of a turn; another version of the program sent them.
Result<Turn> UnpackTurn(std::span<const std::byte> bytes);

/// Rank 0's turn becomes every rank's. Rank 0 does not wait for the others, so that stages can be
/// several steps apart, except at a pulse, which ends when all have had it. Collective; errors of
/// the communicator.
Status ShareTurn(Turn* turn, Communicator& world);

}  // namespace nemo
