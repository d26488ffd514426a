#include "kernels/cuda/device_group.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <unistd.h>

#include "kernels/cuda/gather.h"
#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

/// The same in all containers of a running system, different after each start.
uint64_t MachineHash() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return std::hash<std::string>()(id);
}

/// The segments of this process' ranks by address. A rank holds those of all that share its
/// process: whoever leaves first, none is freed while a kernel of another may still write to it.
class SegmentsOfProcess {
 public:
  static SegmentsOfProcess& Get() {
    static auto* segments = new SegmentsOfProcess;
    return *segments;
  }

  void Publish(const std::shared_ptr<DeviceBuffer>& segment) {
    const std::lock_guard lock(mutex_);
    std::erase_if(segments_, [](const auto& entry) { return entry.second.expired(); });
    segments_[reinterpret_cast<uint64_t>(segment->data())] = segment;
  }

  /// nullptr: its rank has left already.
  std::shared_ptr<DeviceBuffer> Find(uint64_t address) {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(address);
    return found == segments_.end() ? nullptr : found->second.lock();
  }

 private:
  std::mutex mutex_;
  std::map<uint64_t, std::weak_ptr<DeviceBuffer>> segments_;
};

/// Rank 0 names the group; an empty answer is that it has no NCCL.
struct NcclName {
  uint8_t is_there = 0;
  NcclId id = {};
};

Result<std::unique_ptr<NcclGroup>> JoinByName(Communicator& group, int64_t deadline_ms) {
  NcclName name;
  if (group.rank() == 0) {
    const auto id = NewNcclId();
    if (id) name = {1, *id};
  }
  NEMO_RETURN_IF_ERROR(group.Broadcast(std::as_writable_bytes(std::span(&name, 1)), 0));
  if (name.is_there == 0) return std::unique_ptr<NcclGroup>();
  auto joined = JoinNccl(name.id, group.rank(), group.size(),
                         Format("rank {} of {} that sum", group.rank(), group.size()), deadline_ms);
  NEMO_ASSIGN_OR_RETURN(const bool all, AllCould(group, joined.error()));
  if (!all) return std::unique_ptr<NcclGroup>();
  return joined;
}

}  // namespace

DeviceGroup::~DeviceGroup() {
  if (!device_.Enter().ok()) return;
  Leave();
  for (void* segment : opened_) cudaIpcCloseMemHandle(segment);
  cudaFreeHost(missing_);
}

/// Ranks of other processes may still read this one's segment. When all have come to one more sum,
/// of nothing, they have ended all before it, and this one has seen all that they write.
void DeviceGroup::Leave() {
  if (!has_one_shot_ || !Check().ok()) return;
  constexpr uint64_t kPatienceNs = 2'000'000'000;  // a peer that failed does not come
  OneShotParams params = params_;
  params.count = 0;
  params.deadline_ns = std::min(params.deadline_ns, kPatienceNs);
  if (LaunchOneShotSum(params, device_.stream()) == cudaSuccess) {
    cudaStreamSynchronize(device_.stream());
  }
}

Status DeviceGroup::AllocateSegment(RankFacts& facts) {
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<DeviceBuffer> segment,
                        device_.Allocate(int64_t{sizeof(SumSegment)}));
  SegmentsOfProcess::Get().Publish(segment);
  void* missing = nullptr;
  NEMO_RETURN_IF_ERROR(
      CudaStatus(cudaHostAlloc(&missing, sizeof(uint32_t), cudaHostAllocMapped), "cudaHostAlloc"));
  missing_ = static_cast<uint32_t*>(missing);
  *missing_ = 0;
  cudaIpcMemHandle_t handle;
  static_assert(sizeof handle == sizeof facts.handle);
  NEMO_RETURN_IF_ERROR(
      CudaStatus(cudaIpcGetMemHandle(&handle, segment->data()), "cudaIpcGetMemHandle"));
  std::memcpy(facts.handle.data(), &handle, sizeof handle);
  facts.segment = reinterpret_cast<uint64_t>(segment->data());
  held_.push_back(std::move(segment));
  // The zeros are there before any peer looks.
  return device_.Synchronize();
}

Status DeviceGroup::MapSegment(const RankFacts& facts, SumSegment** segment) {
  void* mapped = nullptr;
  if (facts.process == getpid()) {
    std::shared_ptr<DeviceBuffer> held = SegmentsOfProcess::Get().Find(facts.segment);
    if (held == nullptr)
      return Unavailable("sum over ranks on the device: a rank has left already");
    mapped = held->data();
    held_.push_back(std::move(held));
    NEMO_RETURN_IF_ERROR(device_.AllowAccessTo(mapped));
  } else {
    cudaIpcMemHandle_t handle;
    std::memcpy(&handle, facts.handle.data(), sizeof handle);
    NEMO_RETURN_IF_ERROR(
        CudaStatus(cudaIpcOpenMemHandle(&mapped, handle, cudaIpcMemLazyEnablePeerAccess),
                   "cudaIpcOpenMemHandle"));
    opened_.push_back(mapped);
  }
  *segment = static_cast<SumSegment*>(mapped);
  return OkStatus();
}

Status DeviceGroup::MapSegments(const std::vector<RankFacts>& ranks) {
  for (int rank = 0; rank < size_; ++rank) {
    NEMO_RETURN_IF_ERROR(MapSegment(ranks[rank], &params_.segments[rank]));
  }
  params_.rank = rank_;
  params_.size = size_;
  params_.deadline_ns = static_cast<uint64_t>(deadline_ms_) * 1'000'000;
  params_.missing = missing_;
  return OkStatus();
}

Result<std::unique_ptr<DeviceGroup>> DeviceGroup::Join(Device& device, StreamWatch& watch,
                                                       Communicator& group, bool deterministic,
                                                       int64_t deadline_ms) {
  NEMO_RETURN_IF_ERROR(device.Enter());
  std::unique_ptr<DeviceGroup> joined(
      new DeviceGroup(device, watch, group.rank(), group.size(), deadline_ms));
  RankFacts facts;
  facts.machine = MachineHash();
  facts.process = getpid();
  facts.device = device.uuid();
  facts.deterministic = deterministic ? 1 : 0;
  // A rank that gets no segment says so and goes on: the others must not wait for it.
  if (!joined->AllocateSegment(facts).ok()) facts.segment = 0;
  NEMO_ASSIGN_OR_RETURN(const std::vector<RankFacts> ranks, GatherFrom(group, facts));
  NEMO_ASSIGN_OR_RETURN(const GroupPlan plan, PlanGroup(ranks));
  if (plan.one_shot) {
    NEMO_ASSIGN_OR_RETURN(joined->has_one_shot_, AllCould(group, joined->MapSegments(ranks)));
  }
  if (plan.nccl) {
    NEMO_ASSIGN_OR_RETURN(joined->nccl_, JoinByName(group, deadline_ms));
  }
  if (!joined->has_one_shot_ && joined->nccl_ == nullptr) return std::unique_ptr<DeviceGroup>();
  return joined;
}

std::string DeviceGroup::Describe() const {
  if (!has_one_shot_) return "NCCL";
  return nccl_ == nullptr ? "peer memory" : "peer memory, NCCL above 2 MiB";
}

Status DeviceGroup::OneShot(float* data, int64_t count) {
  for (int64_t begin = 0; begin < count; begin += kSumFloats) {
    OneShotParams params = params_;
    params.data = data + begin;
    params.count = std::min(kSumFloats, count - begin);
    NEMO_RETURN_IF_ERROR(
        CudaStatus(LaunchOneShotSum(params, device_.stream()), "launch of the sum over ranks"));
  }
  return OkStatus();
}

Status DeviceGroup::AllReduceSum(float* data, int64_t count) {
  NEMO_RETURN_IF_ERROR(device_.Enter());
  if (has_one_shot_ && (nccl_ == nullptr || count <= kSumFloats)) return OneShot(data, count);
  return watch_.Around(device_.stream(), Format("NCCL sum over ranks, rank {} of {}", rank_, size_),
                       [&] { return nccl_->AllReduceSum(data, count, device_.stream()); });
}

void DeviceGroup::Abort() {
  if (nccl_ != nullptr) nccl_->Abort();
}

Status DeviceGroup::Check() {
  const uint32_t missing = missing_ == nullptr ? 0 : *static_cast<volatile uint32_t*>(missing_);
  if (missing != 0) {
    return Unavailable(Format("sum over ranks on the device: rank {} waited {} ms for rank {}",
                              rank_, deadline_ms_, missing - 1));
  }
  return nccl_ == nullptr ? OkStatus() : nccl_->Check();
}

}  // namespace nemo::cuda
