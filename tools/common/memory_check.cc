#include "tools/common/memory_check.h"

#include <algorithm>
#include <fstream>
#include <type_traits>
#include <unistd.h>
#include <vector>

#include "libcore/base/format.h"

namespace nemo {
namespace {

static_assert(std::is_trivially_copyable_v<RankNeeds>);

/// The same for all containers of a machine, and of no two machines.
std::string MachineId() {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  if (id.empty()) {
    char host[64] = "";
    gethostname(host, sizeof(host) - 1);
    id = host;
  }
  return id;
}

/// Ranks that share a place.
struct Sum {
  int64_t num_ranks = 0;
  RankMemory memory;
  void Add(const RankMemory& more, int64_t copies) {
    num_ranks += copies;
    memory.weight_bytes += copies * more.weight_bytes;
    memory.kv_bytes += copies * more.kv_bytes;
    memory.step_bytes += copies * more.step_bytes;
  }
};

Status CheckSum(const Sum& sum, int64_t room, const std::string& place) {
  if (room < 0 || sum.memory.size_bytes() <= room) return OkStatus();
  const RankMemory& memory = sum.memory;
  return IoError(Format(
      "not enough memory for {} rank{} {}: {} are needed ({} of weights, {} of KV cache, {} of "
      "buffers), and {} are available; use more machines and ranks (--tp, --pp), a smaller "
      "--max-batch-size, shorter sequences or, for a server, --kv-memory",
      sum.num_ranks, sum.num_ranks == 1 ? "" : "s", place, FormatBytes(memory.size_bytes()),
      FormatBytes(memory.weight_bytes), FormatBytes(memory.kv_bytes),
      FormatBytes(memory.step_bytes), FormatBytes(room)));
}

}  // namespace

RankNeeds NeedsOf(const RankMemory& memory) {
  const MemoryRoom room = AvailableMemory();
  RankNeeds needs = {.memory = memory,
                     .machine_bytes = room.machine_bytes,
                     .cgroup_bytes = room.cgroup_bytes,
                     .cgroup_limit_bytes = room.cgroup_limit_bytes,
                     .cgroup_id = room.cgroup_id};
  const std::string id = MachineId();
  std::copy_n(id.begin(), std::min(id.size(), needs.machine.size()), needs.machine.begin());
  return needs;
}

Status CheckNeeds(std::span<const RankNeeds> ranks, int64_t copies) {
  for (const RankNeeds& mine : ranks) {
    Sum of_machine, of_cgroup;
    int64_t machine_room = mine.machine_bytes, cgroup_room = mine.cgroup_bytes;
    for (const RankNeeds& other : ranks) {
      if (other.machine != mine.machine) continue;
      of_machine.Add(other.memory, copies);
      machine_room = std::min(machine_room, other.machine_bytes);
      if (other.cgroup_id != mine.cgroup_id) continue;
      of_cgroup.Add(other.memory, copies);
      cgroup_room = std::min(cgroup_room, other.cgroup_bytes);
    }
    NEMO_RETURN_IF_ERROR(CheckSum(
        of_cgroup, cgroup_room,
        Format("in a cgroup of {} (the job's limit)", FormatBytes(mine.cgroup_limit_bytes))));
    NEMO_RETURN_IF_ERROR(CheckSum(of_machine, machine_room, "on one machine"));
  }
  return OkStatus();
}

Status CheckMemory(const RankMemory& memory, Communicator& world, int64_t copies) {
  const RankNeeds mine = NeedsOf(memory);
  std::vector<RankNeeds> all(static_cast<size_t>(world.size()));
  NEMO_RETURN_IF_ERROR(
      world.AllGather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all))));
  return CheckNeeds(all, copies);
}

}  // namespace nemo
