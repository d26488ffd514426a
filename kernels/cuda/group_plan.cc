#include "kernels/cuda/group_plan.h"

#include <set>

#include "kernels/cuda/one_shot.h"
#include "libcore/base/format.h"

namespace nemo::cuda {

Result<GroupPlan> PlanGroup(std::span<const RankFacts> ranks) {
  std::set<std::array<char, 16>> devices;
  GroupPlan plan;
  plan.one_shot = std::ssize(ranks) <= kMaxPeers;
  for (size_t i = 0; i < ranks.size(); ++i) {
    const RankFacts& rank = ranks[i];
    if (rank.deterministic != ranks[0].deterministic) {
      return InvalidArgument(
          Format("ranks were started differently: rank 0 {} --deterministic and rank {} {} it",
                 ranks[0].deterministic != 0 ? "with" : "without", i,
                 rank.deterministic != 0 ? "with" : "without"));
    }
    plan.one_shot = plan.one_shot && rank.machine == ranks[0].machine && rank.segment != 0;
    devices.insert(rank.device);
  }
  // NCCL refuses two ranks on one device.
  plan.nccl = ranks[0].deterministic == 0 && devices.size() == ranks.size();
  return plan;
}

bool SendsBetweenDevices(std::span<const LinkFacts> ranks) {
  std::set<std::array<char, 16>> devices;
  for (const LinkFacts& rank : ranks) {
    if (rank.has_nccl == 0 || !devices.insert(rank.device).second) return false;
  }
  return true;
}

}  // namespace nemo::cuda
