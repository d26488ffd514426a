#include "kernels/cuda/device_link.h"

#include <span>
#include <vector>

#include "kernels/cuda/gather.h"
#include "kernels/cuda/group_plan.h"
#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

/// In a group of two neighbours.
constexpr int kSender = 0, kReceiver = 1;

/// The name of a pair's group; without one its sender could not make it.
struct PairName {
  uint8_t is_there = 0;
  NcclId id = {};
};

/// Names travel with the activations' own direction, through the host.
Status PassNames(Communicator& world, const StageNeighbours& neighbours, PairName* upstream,
                 PairName* downstream) {
  if (neighbours.after >= 0) {
    const auto id = NewNcclId();
    if (id) *downstream = {1, *id};
    NEMO_RETURN_IF_ERROR(world.Post(std::as_bytes(std::span(downstream, 1)), neighbours.after));
  }
  if (neighbours.before < 0) return OkStatus();
  return world.Recv(std::as_writable_bytes(std::span(upstream, 1)), neighbours.before);
}

}  // namespace

Status DeviceLink::Start(const NcclId& upstream, const NcclId& downstream, int64_t deadline_ms) {
  // The first stage waits for nobody but the second, and so on: the chain starts from its head.
  if (neighbours_.before >= 0) {
    NEMO_ASSIGN_OR_RETURN(
        upstream_,
        JoinNccl(upstream, kReceiver, 2, Format("rank {} from rank {}", rank_, neighbours_.before),
                 deadline_ms));
  }
  if (neighbours_.after >= 0) {
    NEMO_ASSIGN_OR_RETURN(
        downstream_, JoinNccl(downstream, kSender, 2,
                              Format("rank {} to rank {}", rank_, neighbours_.after), deadline_ms));
  }
  return OkStatus();
}

Result<std::unique_ptr<DeviceLink>> DeviceLink::Join(Device& device, StreamWatch& watch,
                                                     Communicator& world,
                                                     const StageNeighbours& neighbours,
                                                     int64_t deadline_ms) {
  NEMO_RETURN_IF_ERROR(device.Enter());
  const LinkFacts facts = {device.uuid(), static_cast<uint8_t>(FindNccl().ok() ? 1 : 0)};
  NEMO_ASSIGN_OR_RETURN(const std::vector<LinkFacts> ranks, GatherFrom(world, facts));
  if (!SendsBetweenDevices(ranks)) return std::unique_ptr<DeviceLink>();
  PairName upstream, downstream;
  NEMO_RETURN_IF_ERROR(PassNames(world, neighbours, &upstream, &downstream));
  const bool named = (neighbours.before < 0 || upstream.is_there != 0) &&
                     (neighbours.after < 0 || downstream.is_there != 0);
  NEMO_ASSIGN_OR_RETURN(
      const bool all_named,
      AllCould(world, named ? OkStatus() : Unavailable("NCCL gave no name for a group")));
  if (!all_named) return std::unique_ptr<DeviceLink>();
  std::unique_ptr<DeviceLink> link(new DeviceLink(device, watch, world.rank(), neighbours));
  NEMO_ASSIGN_OR_RETURN(const bool all_started,
                        AllCould(world, link->Start(upstream.id, downstream.id, deadline_ms)));
  if (all_started) return link;
  link->Abort();  // a neighbour may have left its end already
  return std::unique_ptr<DeviceLink>();
}

Status DeviceLink::Send(const void* data, int64_t size_bytes) {
  NEMO_RETURN_IF_ERROR(device_.Enter());
  return watch_.Around(
      device_.stream(), Format("NCCL send, rank {} to rank {}", rank_, neighbours_.after),
      [&] { return downstream_->Send(data, size_bytes, kReceiver, device_.stream()); });
}

Status DeviceLink::Recv(void* data, int64_t size_bytes) {
  NEMO_RETURN_IF_ERROR(device_.Enter());
  return watch_.Around(
      device_.stream(), Format("NCCL receive, rank {} from rank {}", rank_, neighbours_.before),
      [&] { return upstream_->Recv(data, size_bytes, kSender, device_.stream()); });
}

Status DeviceLink::Check() {
  for (const auto& group : {upstream_.get(), downstream_.get()}) {
    if (group != nullptr) NEMO_RETURN_IF_ERROR(group->Check());
  }
  return OkStatus();
}

void DeviceLink::Abort() {
  for (const auto& group : {upstream_.get(), downstream_.get()}) {
    if (group != nullptr) group->Abort();
  }
}

}  // namespace nemo::cuda
