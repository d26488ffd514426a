#include "kernels/reference/backend.h"

#include <cstring>
#include <utility>

#include "kernels/reference/ops.h"
#include "libcore/runtime/host_buffer.h"
#include "libcore/runtime/pack.h"

namespace nemo {
namespace {

class ReferenceBackend final : public Backend {
 public:
  explicit ReferenceBackend(const reference::Operations& operations) : operations_(operations) {}
  std::string_view name() const override { return "reference"; }
  std::string_view variant() const override { return "scalar"; }
  const OpTable& ops() const override { return operations_.bf16; }
  const BasicOpTable<float>* fp32_ops() const override { return &operations_.fp32; }
  bool host_memory() const override { return true; }

  Result<std::unique_ptr<Buffer>> Allocate(int64_t size_bytes) override {
    NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, HostBuffer::Allocate(size_bytes));
    return buffer;
  }
  Status Upload(void* device, std::span<const std::byte> host) override {
    if (!host.empty()) std::memcpy(device, host.data(), host.size());
    return OkStatus();
  }
  Status Download(std::span<std::byte> host, const void* device) override {
    if (!host.empty()) std::memcpy(host.data(), device, host.size());
    return OkStatus();
  }
  Result<std::unique_ptr<PackedWeight>> AllocateWeight(int64_t n, int64_t k,
                                                       int num_leaves) override {
    NEMO_RETURN_IF_ERROR(CheckPack(n, k, num_leaves));
    NEMO_ASSIGN_OR_RETURN(std::unique_ptr<HostBuffer> values,
                          HostBuffer::Allocate(n * k * static_cast<int64_t>(sizeof(BF16))));
    return std::unique_ptr<PackedWeight>(
        std::make_unique<reference::Weight>(std::move(values), n, k, num_leaves));
  }
  Status PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) override {
    NEMO_RETURN_IF_ERROR(CheckRows(weight, row_begin, rows));
    if (rows.empty()) return OkStatus();
    std::memcpy(static_cast<reference::Weight&>(weight).row(row_begin), rows.data(),
                rows.size_bytes());
    return OkStatus();
  }
  Status Synchronize() override { return OkStatus(); }

 private:
  const reference::Operations& operations_;
};

}  // namespace

std::unique_ptr<Backend> CreateReferenceBackend() {
  return std::make_unique<ReferenceBackend>(reference::FastestOperations());
}

std::unique_ptr<Backend> CreatePortableReferenceBackend() {
  return std::make_unique<ReferenceBackend>(reference::kPortable);
}

}  // namespace nemo
