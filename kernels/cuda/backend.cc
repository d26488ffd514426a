#include "kernels/cuda/backend.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/kernels.h"
#include "libcore/runtime/pack.h"

namespace nemo {
namespace cuda {

CudaBackend::CudaBackend(std::unique_ptr<Device> device, bool deterministic,
                         int64_t peer_deadline_ms)
    : device_(std::move(device)),
      deterministic_(deterministic),
      peer_deadline_ms_(peer_deadline_ms),
      variant_(device_->architecture() + (deterministic ? ", deterministic" : "")),
      staging_(*device_),
      watch_(peer_deadline_ms) {}

CudaBackend::~CudaBackend() {
  EndPeers();
  device_->SetCheck(nullptr);
}

Result<std::unique_ptr<Buffer>> CudaBackend::Allocate(int64_t size_bytes) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, device_->Allocate(size_bytes));
  return buffer;
}

Status CudaBackend::Upload(void* device, std::span<const std::byte> host) {
  return staging_.Upload(device, host);
}

Status CudaBackend::Download(std::span<std::byte> host, const void* device) {
  return device_->Download(host, device);
}

Result<std::unique_ptr<PackedWeight>> CudaBackend::AllocateWeight(int64_t n, int64_t k,
                                                                  int num_leaves) {
  NEMO_RETURN_IF_ERROR(CheckPack(n, k, num_leaves));
  const PackedShape shape{n, k, num_leaves};
  const int64_t elements =
      deterministic_ ? shape.panels() * shape.panel_elements() : n * DeviceWeight::RowStride(k);
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<DeviceBuffer> buffer,
                        device_->Allocate(elements * static_cast<int64_t>(sizeof(BF16))));
  return std::unique_ptr<PackedWeight>(
      std::make_unique<DeviceWeight>(std::move(buffer), shape, deterministic_));
}

Status CudaBackend::PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) {
  NEMO_RETURN_IF_ERROR(CheckRows(weight, row_begin, rows));
  auto& packed = static_cast<DeviceWeight&>(weight);
  return packed.in_panels() ? PackInPanels(packed, row_begin, rows)
                            : PackInRows(packed, row_begin, rows);
}

namespace {

/// Calls `take(first row, rows)` for pieces of about a slot of the staging, of whole panels.
Status ForEachPiece(std::span<const BF16> rows, int64_t k,
                    const std::function<Status(int64_t, std::span<const BF16>)>& take) {
  static_assert(kPackRows % kPanelColumns == 0);
  const int64_t row_bytes = k * static_cast<int64_t>(sizeof(BF16));
  const int64_t step =
      std::max<int64_t>(Staging::kSlotBytes / row_bytes / kPanelColumns, 1) * kPanelColumns;
  const int64_t count = std::ssize(rows) / k;
  for (int64_t row = 0; row < count; row += step) {
    NEMO_RETURN_IF_ERROR(take(row, rows.subspan(row * k, std::min(step, count - row) * k)));
  }
  return OkStatus();
}

}  // namespace

Status CudaBackend::PackInPanels(DeviceWeight& weight, int64_t row_begin,
                                 std::span<const BF16> rows) {
  const PackedShape& shape = weight.shape();
  return ForEachPiece(rows, shape.k, [&](int64_t first, std::span<const BF16> piece) {
    // As a weight of its own, whose panels are some of the whole one's.
    const PackedShape part{std::ssize(piece) / shape.k, shape.k, shape.num_leaves};
    BF16* panels = weight.data() + (row_begin + first) / kPanelColumns * shape.panel_elements();
    return staging_.UploadTo(std::as_bytes(piece), [&](const void* staged) {
      const PackParams params{static_cast<const BF16*>(staged), part, panels};
      return Run(LaunchPack, params, "launch of pack");
    });
  });
}

Status CudaBackend::PackInRows(DeviceWeight& weight, int64_t row_begin,
                               std::span<const BF16> rows) {
  const int64_t k = weight.k(), stride = weight.row_stride();
  BF16* const to = weight.data() + row_begin * stride;
  if (k == stride) return staging_.Upload(to, std::as_bytes(rows));
  return ForEachPiece(rows, k, [&](int64_t first, std::span<const BF16> piece) {
    return staging_.UploadTo(std::as_bytes(piece), [&](const void* staged) {
      const auto bytes = [](int64_t elements) {
        return static_cast<size_t>(elements) * sizeof(BF16);
      };
      return CudaStatus(cudaMemcpy2DAsync(to + first * stride, bytes(stride), staged, bytes(k),
                                          bytes(k), piece.size() / static_cast<size_t>(k),
                                          cudaMemcpyDeviceToDevice, device_->stream()),
                        "cudaMemcpy2DAsync on the device");
    });
  });
}

Result<GroupSum*> CudaBackend::JoinGroup(Communicator& group) {
  NEMO_ASSIGN_OR_RETURN(
      group_, DeviceGroup::Join(*device_, watch_, group, deterministic_, peer_deadline_ms_));
  if (group_ != nullptr) device_->SetCheck([this] { return CheckPeers(); });
  return static_cast<GroupSum*>(group_.get());
}

Result<StageLink*> CudaBackend::JoinStages(Communicator& world, const StageNeighbours& neighbours) {
  NEMO_ASSIGN_OR_RETURN(link_,
                        DeviceLink::Join(*device_, watch_, world, neighbours, peer_deadline_ms_));
  if (link_ != nullptr) device_->SetCheck([this] { return CheckPeers(); });
  return static_cast<StageLink*>(link_.get());
}

Status CudaBackend::CheckPeers() {
  const std::lock_guard lock(peers_mutex_);
  if (!peers_.ok()) return peers_;
  peers_ = watch_.Check();
  if (peers_.ok() && group_ != nullptr) peers_ = group_->Check();
  if (peers_.ok() && link_ != nullptr) peers_ = link_->Check();
  if (peers_.ok()) return peers_;
  AbortPeers();
  return peers_;
}

void CudaBackend::AbortPeers() {
  if (group_ != nullptr) group_->Abort();
  if (link_ != nullptr) link_->Abort();
}

/// After a run that went well the peers have come already, or are about to.
void CudaBackend::EndPeers() {
  constexpr int64_t kPatienceMs = 10'000;  // a peer that failed does not come
  if (!device_->Enter().ok()) return;
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::milliseconds(std::min(kPatienceMs, peer_deadline_ms_));
  while (!watch_.idle()) {
    if (!CheckPeers().ok()) return;
    if (std::chrono::steady_clock::now() > deadline) return AbortPeers();
    std::this_thread::yield();
  }
}

Status CudaBackend::Repeat(int64_t key, const std::function<Status()>& calls) {
  NEMO_RETURN_IF_ERROR(device_->Enter());
  const auto run = [&] { return graphs_.Run(key, device_->stream(), calls); };
  if (group_ == nullptr || !group_->has_nccl()) return run();
  return watch_.Around(device_->stream(), "a step with NCCL sums over ranks", run);
}

Result<float*> CudaBackend::Scratch(int64_t num_floats) {
  const int64_t size_bytes = num_floats * static_cast<int64_t>(sizeof(float));
  if (scratch_ == nullptr || scratch_->size_bytes() < size_bytes) {
    // Recorded steps point to the old memory. It stays: freeing it would wait for everything on the
    // device, and another rank's kernel there may wait for this rank. It doubles, so what stays is
    // less than what is used.
    graphs_.Clear();
    if (scratch_ != nullptr) retired_scratch_.push_back(std::move(scratch_));
    const int64_t doubled =
        retired_scratch_.empty() ? 0 : 2 * retired_scratch_.back()->size_bytes();
    NEMO_ASSIGN_OR_RETURN(scratch_, device_->Allocate(std::max(size_bytes, doubled)));
  }
  return static_cast<float*>(scratch_->data());
}

GemmChooser* CudaBackend::gemm() {
  if (!has_looked_for_gemm_) {
    has_looked_for_gemm_ = true;
    auto library = OpenCublasLt();
    if (library) gemm_ = std::make_unique<GemmChooser>(std::move(*library));
  }
  return gemm_.get();
}

}  // namespace cuda

Result<std::unique_ptr<Backend>> CreateCudaBackend(const BackendOptions& options) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<cuda::Device> device, cuda::Device::Open(options.device));
  return std::unique_ptr<Backend>(std::make_unique<cuda::CudaBackend>(
      std::move(device), options.deterministic, options.peer_deadline_ms));
}

bool CudaAvailable() { return cuda::CountDevices().has_value(); }

}  // namespace nemo
