#include "tools/nemo-bench/comm/device_sum.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace nemo {
namespace {

/// Rank r's element i: small whole numbers, whose sums are exact in any order.
float ValueOf(int64_t rank, int64_t index) {
  return static_cast<float>((rank + 1) * (index % 127 + 1));
}

class DeviceSum final : public CollectiveRun {
 public:
  DeviceSum(const RankDevice& device, int64_t num_ranks, std::unique_ptr<Buffer> buffer,
            int64_t count)
      : device_(device), num_ranks_(num_ranks), buffer_(std::move(buffer)), count_(count) {}

  // Later runs add what earlier ones left; far from overflow only the first result is looked at.
  Status Run() override {
    return device_.sum->AllReduceSum(static_cast<float*>(buffer_->data()), count_);
  }
  Status Finish() override { return device_.backend->Synchronize(); }

  int64_t CountWrong() const override {
    std::vector<float> data(static_cast<size_t>(count_));
    if (!device_.backend->Download(std::as_writable_bytes(std::span(data)), buffer_->data()).ok()) {
      return count_;
    }
    int64_t wrong = 0;
    for (int64_t i = 0; i < count_; ++i) {
      const float expected = ValueOf(0, i) * static_cast<float>(num_ranks_ * (num_ranks_ + 1) / 2);
      wrong += data[static_cast<size_t>(i)] != expected;
    }
    return wrong;
  }

 private:
  const RankDevice device_;
  const int64_t num_ranks_;
  std::unique_ptr<Buffer> buffer_;
  const int64_t count_;
};

class DeviceSend final : public CollectiveRun {
 public:
  DeviceSend(const RankDevice& device, int64_t rank, const StageNeighbours& neighbours,
             std::unique_ptr<Buffer> mine, std::unique_ptr<Buffer> theirs, int64_t count)
      : device_(device),
        rank_(rank),
        neighbours_(neighbours),
        mine_(std::move(mine)),
        theirs_(std::move(theirs)),
        count_(count) {}

  Status Run() override {
    if (neighbours_.before >= 0) {
      NEMO_RETURN_IF_ERROR(device_.link->Recv(theirs_->data(), count_ * 4));
    }
    return neighbours_.after >= 0 ? device_.link->Send(mine_->data(), count_ * 4) : OkStatus();
  }
  Status Finish() override { return device_.backend->Synchronize(); }

  int64_t CountWrong() const override {
    if (neighbours_.before < 0) return 0;
    std::vector<float> data(static_cast<size_t>(count_));
    if (!device_.backend->Download(std::as_writable_bytes(std::span(data)), theirs_->data()).ok()) {
      return count_;
    }
    int64_t wrong = 0;
    for (int64_t i = 0; i < count_; ++i) {
      wrong += data[static_cast<size_t>(i)] != ValueOf(rank_ - 1, i);
    }
    return wrong;
  }

 private:
  const RankDevice device_;
  const int64_t rank_;
  const StageNeighbours neighbours_;
  const std::unique_ptr<Buffer> mine_, theirs_;
  const int64_t count_;
};

/// A rank's own floats on its accelerator.
Result<std::unique_ptr<Buffer>> ValuesOf(Backend& backend, int64_t rank, int64_t count) {
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) values[static_cast<size_t>(i)] = ValueOf(rank, i);
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, backend.Allocate(count * 4));
  NEMO_RETURN_IF_ERROR(
      backend.Upload(buffer->data(), std::as_bytes(std::span(std::as_const(values)))));
  return buffer;
}

int64_t CountOf(int64_t size_bytes) { return std::max<int64_t>(1, size_bytes / 4); }

}  // namespace

StageNeighbours NeighboursOf(const Communicator& world) {
  const int rank = world.rank();
  return {rank - 1, rank + 1 < world.size() ? rank + 1 : -1};
}

const CollectiveRow& DeviceSumRow() {
  static constexpr CollectiveRow kRow = {"device_all_reduce",
                                         "sum of floats that lie on the ranks' accelerators",
                                         nullptr, [](double n) { return 2 * (n - 1) / n; }};
  return kRow;
}

Result<std::unique_ptr<CollectiveRun>> PrepareDeviceSum(const RankDevice& device,
                                                        Communicator& world, int64_t size_bytes) {
  const int64_t count = CountOf(size_bytes);
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer,
                        ValuesOf(*device.backend, world.rank(), count));
  return std::unique_ptr<CollectiveRun>(
      std::make_unique<DeviceSum>(device, world.size(), std::move(buffer), count));
}

const CollectiveRow& DeviceSendRow() {
  static constexpr CollectiveRow kRow = {"device_send_recv",
                                         "from accelerator to accelerator, each rank to the next",
                                         nullptr, [](double) { return 1.0; }};
  return kRow;
}

Result<std::unique_ptr<CollectiveRun>> PrepareDeviceSend(const RankDevice& device,
                                                         Communicator& world, int64_t size_bytes) {
  NEMO_CHECK(device.link != nullptr);
  const int64_t count = CountOf(size_bytes);
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> mine,
                        ValuesOf(*device.backend, world.rank(), count));
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> theirs, device.backend->Allocate(count * 4));
  return std::unique_ptr<CollectiveRun>(std::make_unique<DeviceSend>(
      device, world.rank(), NeighboursOf(world), std::move(mine), std::move(theirs), count));
}

}  // namespace nemo
