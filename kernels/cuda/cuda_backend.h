// The backend as its two tables of operations see it. exact_ops.cc has the sums of the contract,
// fast_ops.cc those of the tensor cores.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/device_group.h"
#include "kernels/cuda/device_link.h"
#include "kernels/cuda/gemm_choice.h"
#include "kernels/cuda/graph_cache.h"
#include "kernels/cuda/packed_weight.h"
#include "kernels/cuda/staging.h"
#include "kernels/cuda/stream_watch.h"
#include "libcore/runtime/backend.h"

namespace nemo::cuda {

extern const OpTable kExactOps;
extern const OpTable kFastOps;

/// Elements of a row's stride are a multiple of this: 16 bytes.
inline constexpr int64_t kRowElements = 8;

/// A weight in device memory: in panels for the exact table, in rows for the fast one.
class DeviceWeight final : public PackedWeight {
 public:
  DeviceWeight(std::unique_ptr<DeviceBuffer> buffer, const PackedShape& shape, bool in_panels)
      : buffer_(std::move(buffer)), shape_(shape), in_panels_(in_panels) {}
  int64_t n() const override { return shape_.n; }
  int64_t k() const override { return shape_.k; }
  int64_t size_bytes() const override { return buffer_->size_bytes(); }

  bool in_panels() const { return in_panels_; }
  const PackedShape& shape() const { return shape_; }
  int64_t row_stride() const { return RowStride(shape_.k); }
  BF16* data() { return static_cast<BF16*>(buffer_->data()); }
  const BF16* data() const { return static_cast<const BF16*>(std::as_const(*buffer_).data()); }

  static int64_t RowStride(int64_t k) {
    return (k + kRowElements - 1) / kRowElements * kRowElements;
  }

 private:
  std::unique_ptr<DeviceBuffer> buffer_;
  PackedShape shape_;
  bool in_panels_;
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(std::unique_ptr<Device> device, bool deterministic, int64_t peer_deadline_ms);
  ~CudaBackend() override;

  std::string_view name() const override { return "cuda"; }
  std::string_view variant() const override { return variant_; }
  const OpTable& ops() const override { return deterministic_ ? kExactOps : kFastOps; }
  bool host_memory() const override { return false; }
  Result<std::unique_ptr<Buffer>> Allocate(int64_t size_bytes) override;
  Status Upload(void* device, std::span<const std::byte> host) override;
  Status Download(std::span<std::byte> host, const void* device) override;
  Status Synchronize() override { return device_->Synchronize(); }
  Result<std::unique_ptr<PackedWeight>> AllocateWeight(int64_t n, int64_t k,
                                                       int num_leaves) override;
  Status PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) override;
  Result<GroupSum*> JoinGroup(Communicator& group) override;
  Result<StageLink*> JoinStages(Communicator& world, const StageNeighbours& neighbours) override;
  void EndPeers() override;
  bool replays() const override { return true; }
  Status Repeat(int64_t key, const std::function<Status()>& calls) override;

  Device& device() { return *device_; }
  /// Puts an operation on the stream of this backend.
  template <typename Params>
  Status Run(cudaError_t (*launch)(const Params&, cudaStream_t), const Params& params,
             std::string_view what) {
    NEMO_RETURN_IF_ERROR(device_->Enter());
    return CudaStatus(launch(params, device_->stream()), what);
  }
  /// Memory for what one operation leaves for its next kernel; the next operation overwrites it.
  Result<float*> Scratch(int64_t num_floats);
  /// nullptr: this machine has no such library.
  GemmChooser* gemm();

 private:
  /// kUnavailable: a peer failed or does not come. Then all that waits for peers is ended, or the
  /// stream would never come to its end.
  Status CheckPeers();
  void AbortPeers();
  Status PackInPanels(DeviceWeight& weight, int64_t row_begin, std::span<const BF16> rows);
  Status PackInRows(DeviceWeight& weight, int64_t row_begin, std::span<const BF16> rows);

  std::unique_ptr<Device> device_;
  const bool deterministic_;
  const int64_t peer_deadline_ms_;
  const std::string variant_;
  Staging staging_;
  std::unique_ptr<DeviceBuffer> scratch_;
  std::vector<std::unique_ptr<DeviceBuffer>> retired_scratch_;
  bool has_looked_for_gemm_ = false;
  std::unique_ptr<GemmChooser> gemm_;
  GraphCache graphs_;
  StreamWatch watch_;
  std::unique_ptr<DeviceGroup> group_;
  std::unique_ptr<DeviceLink> link_;
  std::mutex peers_mutex_;  // several threads may upload, and wait
  Status peers_;            // the first error
};

inline CudaBackend& Cuda(Backend& backend) { return static_cast<CudaBackend&>(backend); }

}  // namespace nemo::cuda
