#include "libcore/runtime/host_bridge.h"

namespace nemo {

Result<std::span<const std::byte>> HostBridge::View(const void* data, int64_t size_bytes) {
  if (backend_.host_memory()) {
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    return std::span(static_cast<const std::byte*>(data), static_cast<size_t>(size_bytes));
  }
  staging_.resize(static_cast<size_t>(size_bytes));
  NEMO_RETURN_IF_ERROR(backend_.Download(staging_, data));
  return std::span<const std::byte>(staging_);
}

Status HostBridge::Join(Communicator& group) {
  if (group.size() == 1) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(sum_, backend_.JoinGroup(group));
  group_ = &group;
  return OkStatus();
}

Status HostBridge::Link(Communicator& world, const StageNeighbours& neighbours) {
  NEMO_ASSIGN_OR_RETURN(link_, backend_.JoinStages(world, neighbours));
  world_ = &world;
  neighbours_ = neighbours;
  return OkStatus();
}

Status HostBridge::AllReduceSum(Communicator& group, float* data, int64_t count) {
  if (group.size() == 1) return OkStatus();
  if (sum_ != nullptr && &group == group_) return sum_->AllReduceSum(data, count);
  if (backend_.host_memory()) {
    NEMO_RETURN_IF_ERROR(backend_.Synchronize());
    return group.AllReduceSum(std::span(data, static_cast<size_t>(count)));
  }
  std::vector<float> host(static_cast<size_t>(count));
  NEMO_RETURN_IF_ERROR(backend_.Download(std::as_writable_bytes(std::span(host)), data));
  NEMO_RETURN_IF_ERROR(group.AllReduceSum(host));
  return backend_.Upload(data, std::as_bytes(std::span(host)));
}

Status HostBridge::Post(Communicator& group, const void* data, int64_t size_bytes, int peer) {
  if (link_ != nullptr && &group == world_ && peer == neighbours_.after) {
    return link_->Send(data, size_bytes);
  }
  NEMO_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, View(data, size_bytes));
  return group.Post(bytes, peer);
}

Status HostBridge::Recv(Communicator& group, void* data, int64_t size_bytes, int peer) {
  if (link_ != nullptr && &group == world_ && peer == neighbours_.before) {
    return link_->Recv(data, size_bytes);
  }
  if (backend_.host_memory()) {
    return group.Recv(std::span(static_cast<std::byte*>(data), static_cast<size_t>(size_bytes)),
                      peer);
  }
  staging_.resize(static_cast<size_t>(size_bytes));
  NEMO_RETURN_IF_ERROR(group.Recv(staging_, peer));
  return backend_.Upload(data, staging_);
}

}  // namespace nemo
