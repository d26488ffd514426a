// How ranks can sum and hand on what lies on their devices, from what each tells the others.
// Plain decisions that the host tests.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "libcore/base/status.h"

namespace nemo::cuda {

/// What a rank tells the others: plain bytes, the same program on every rank.
struct RankFacts {
  uint64_t machine = 0;  ///< the same for ranks under one running system
  int64_t process = 0;
  std::array<char, 16> device = {};  ///< unique among all devices
  uint8_t deterministic = 0;
  uint64_t segment = 0;              ///< its address in that process; 0: it has none
  std::array<char, 64> handle = {};  ///< for other processes of the machine
};

struct GroupPlan {
  bool one_shot = false;  ///< ranks read each other's memory: same machine, at most kMaxPeers
  bool nccl = false;      ///< a device for each rank, and no promised order
};

/// kInvalidArgument: ranks were started differently.
Result<GroupPlan> PlanGroup(std::span<const RankFacts> ranks);

/// What a rank tells the others of a pipeline.
struct LinkFacts {
  std::array<char, 16> device = {};  ///< unique among all devices
  uint8_t has_nccl = 0;
};

/// Whether stages send through NCCL: it is everywhere, and no two ranks share a device. Where they
/// did, a kernel that waits for a peer could keep the peer's own from running.
bool SendsBetweenDevices(std::span<const LinkFacts> ranks);

}  // namespace nemo::cuda
