#include "kernels/cuda/backend.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/cuda/device.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/packed_weight.h"
#include "libcore/base/check.h"
#include "libcore/runtime/pack.h"

namespace nemo {
namespace cuda {
namespace {

/// Weights are packed on the host, some panels at a time, in this much memory of each thread (or
/// one panel).
constexpr int64_t kStagingBytes = 16 << 20;

class DeviceWeight final : public PackedWeight {
 public:
  DeviceWeight(std::unique_ptr<DeviceBuffer> buffer, const PackedShape& shape)
      : buffer_(std::move(buffer)), shape_(shape) {}
  int64_t n() const override { return shape_.n; }
  int64_t k() const override { return shape_.k; }
  int64_t size_bytes() const override { return buffer_->size_bytes(); }
  const PackedShape& shape() const { return shape_; }
  BF16* data() { return static_cast<BF16*>(buffer_->data()); }
  const BF16* data() const { return static_cast<const BF16*>(std::as_const(*buffer_).data()); }

 private:
  std::unique_ptr<DeviceBuffer> buffer_;
  PackedShape shape_;
};

extern const OpTable kOps;

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(std::unique_ptr<Device> device) : device_(std::move(device)) {}

  std::string_view name() const override { return "cuda"; }
  std::string_view variant() const override { return device_->architecture(); }
  const OpTable& ops() const override { return kOps; }
  bool host_memory() const override { return false; }

  Result<std::unique_ptr<Buffer>> Allocate(int64_t size_bytes) override {
    NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, device_->Allocate(size_bytes));
    return buffer;
  }
  Status Upload(void* device, std::span<const std::byte> host) override {
    return device_->Upload(device, host);
  }
  Status Download(std::span<std::byte> host, const void* device) override {
    return device_->Download(host, device);
  }
  Status Synchronize() override { return device_->Synchronize(); }

  Result<std::unique_ptr<PackedWeight>> AllocateWeight(int64_t n, int64_t k,
                                                       int num_leaves) override {
    NEMO_RETURN_IF_ERROR(CheckPack(n, k, num_leaves));
    const PackedShape shape{n, k, num_leaves};
    const int64_t panel_bytes = shape.panel_elements() * static_cast<int64_t>(sizeof(BF16));
    NEMO_ASSIGN_OR_RETURN(std::unique_ptr<DeviceBuffer> buffer,
                          device_->Allocate(shape.panels() * panel_bytes));
    return std::unique_ptr<PackedWeight>(std::make_unique<DeviceWeight>(std::move(buffer), shape));
  }

  Status PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) override {
    NEMO_RETURN_IF_ERROR(CheckRows(weight, row_begin, rows));
    auto& packed = static_cast<DeviceWeight&>(weight);
    const PackedShape& shape = packed.shape();
    // As a weight of its own, whose panels are some of the whole one's.
    const PackedShape part{std::ssize(rows) / shape.k, shape.k, shape.num_leaves};
    const int64_t panel_elements = shape.panel_elements();
    const int64_t panel_bytes = panel_elements * static_cast<int64_t>(sizeof(BF16));
    const int64_t step = std::min(std::max<int64_t>(kStagingBytes / panel_bytes, 1), part.panels());
    std::vector<BF16> staging(step * panel_elements);
    static_assert(kPackRows % kPanelColumns == 0);
    const int64_t first_panel = row_begin / kPanelColumns;
    for (int64_t first = 0; first < part.panels(); first += step) {
      const int64_t count = std::min(step, part.panels() - first);
      for (int64_t i = 0; i < count; ++i) {
        PackPanel(rows, part, first + i,
                  std::span(staging).subspan(i * panel_elements, panel_elements));
      }
      NEMO_RETURN_IF_ERROR(
          device_->Upload(packed.data() + (first_panel + first) * panel_elements,
                          std::as_bytes(std::span(staging).first(count * panel_elements))));
    }
    return OkStatus();
  }

  /// Puts an operation on the stream of this backend.
  template <typename Params>
  Status Run(cudaError_t (*launch)(const Params&, cudaStream_t), const Params& params,
             std::string_view what) {
    NEMO_RETURN_IF_ERROR(device_->Enter());
    return CudaStatus(launch(params, device_->stream()), what);
  }

 private:
  std::unique_ptr<Device> device_;
};

CudaBackend& Cuda(Backend& backend) { return static_cast<CudaBackend&>(backend); }

Status Linear(Backend& backend, const LinearArgs& args) {
  const auto& weight = static_cast<const DeviceWeight&>(*args.weight);
  const LinearParams params{weight.data(), weight.shape(), args.x, args.m, args.y, args.epilogue};
  return Cuda(backend).Run(LaunchLinear, params, "launch of linear");
}

Status Embed(Backend& backend, const EmbedArgs& args) {
  EmbedParams params{args, nullptr, {}};
  if (args.packed != nullptr) {
    const auto& packed = static_cast<const DeviceWeight&>(*args.packed);
    params.packed = packed.data();
    params.shape = packed.shape();
  }
  return Cuda(backend).Run(LaunchEmbed, params, "launch of embed");
}

Status ResidualNorm(Backend& backend, const ResidualNormArgs& args) {
  return Cuda(backend).Run(LaunchResidualNorm, args, "launch of residual_norm");
}

Status RopeAppend(Backend& backend, const RopeAppendArgs& args) {
  NEMO_CHECK(args.rotary_dim % 2 == 0 && args.rotary_dim <= args.head_dim);
  return Cuda(backend).Run(LaunchRopeAppend, args, "launch of rope_append");
}

Status Attention(Backend& backend, const AttentionArgs& args) {
  NEMO_CHECK(args.num_q_heads % args.num_kv_heads == 0);
  return Cuda(backend).Run(LaunchAttention, args, "launch of attention");
}

Status HeadStats(Backend& backend, const HeadStatsArgs& args) {
  NEMO_CHECK(args.chunk_columns > 0 && args.num_columns % args.chunk_columns == 0);
  return Cuda(backend).Run(LaunchHeadStats, args, "launch of head_stats");
}

constexpr OpTable kOps = {
    .linear = Linear,
    .embed = Embed,
    .residual_norm = ResidualNorm,
    .rope_append = RopeAppend,
    .attention = Attention,
    .head_stats = HeadStats,
};

}  // namespace
}  // namespace cuda

Result<std::unique_ptr<Backend>> CreateCudaBackend(const BackendOptions& options) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<cuda::Device> device, cuda::Device::Open(options.device));
  return std::unique_ptr<Backend>(std::make_unique<cuda::CudaBackend>(std::move(device)));
}

bool CudaAvailable() { return cuda::CountDevices().has_value(); }

}  // namespace nemo
