// Whether a machine has the memory that a model's ranks will take, before they read their weights:
// Linux promises memory that it does not have, and kills who comes for it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "libcore/base/memory.h"
#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/rank_memory.h"

namespace nemo {

/// What a rank takes, and what it finds. Trivially copyable: ranks tell one another.
struct RankNeeds {
  std::array<char, 40> machine = {};  ///< equal on equal machines
  RankMemory memory;
  int64_t machine_bytes = -1;  ///< this and the rest as MemoryRoom
  int64_t cgroup_bytes = -1;
  int64_t cgroup_limit_bytes = -1;
  std::array<uint64_t, 2> cgroup_id = {};
};

/// Of this process on this machine.
RankNeeds NeedsOf(const RankMemory& memory);

/// kIo: the ranks of one machine together take more than it has, or those of one cgroup more than
/// it leaves, with the figures and what would help. `copies`: of the whole, beside one another in
/// each process.
Status CheckNeeds(std::span<const RankNeeds> ranks, int64_t copies);

/// The same after all ranks have told theirs. Collective over `world`; all ranks get the same
/// answer.
Status CheckMemory(const RankMemory& memory, Communicator& world, int64_t copies);

}  // namespace nemo
