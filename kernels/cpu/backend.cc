#include "kernels/cpu/backend.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "kernels/cpu/cpu_backend.h"
#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "libcore/runtime/pack.h"

namespace nemo {
namespace cpu {
namespace {

constexpr OpTable kOps = {
    .linear = Linear,
    .embed = Embed,
    .residual_norm = ResidualNorm,
    .rope_append = RopeAppend,
    .attention = Attention,
    .head_stats = HeadStats,
    .shard_draw = ShardDraw,
    .pick_logits = PickLogits,
};

/// Those with equal bits, fastest first.
std::vector<const IsaKernels*> EqualIsas() {
  std::vector<const IsaKernels*> isas = {
#if defined(__x86_64__)
    &kAvx512Kernels,
    &kAvx512fKernels,
    &kAvx2Kernels,
#endif
    &kScalarKernels,
  };
#if defined(__x86_64__)
  // Intel's cores begin a bf16 dot product every second cycle, and two multiply-adds in each.
  if (__builtin_cpu_is("intel")) std::swap(isas[0], isas[1]);
#endif
  return isas;
}

/// Adds in an order of its own: never chosen for somebody who did not ask for it.
constexpr std::string_view kOptInIsa = "amx";

Result<const IsaKernels*> ChooseIsa(const std::string& name) {
  for (const IsaKernels* isa : EqualIsas()) {
    if ((name == "auto" || name == isa->name) && isa->available()) return isa;
  }
#if defined(__x86_64__)
  if (name == kOptInIsa && kAmxKernels.available()) return &kAmxKernels;
#endif
  if (name == kOptInIsa) {
    return InvalidArgument(
        Format("isa 'amx' needs a processor with AMX-BF16 and AVX-512 (Sapphire Rapids and "
               "later), and a kernel (5.16 and later) that permits its use; this machine has: {}",
               fmt::join(AvailableIsas(), ", ")));
  }
  for (const char* known : {"avx512", "avx512f", "avx2", "scalar"}) {
    if (name == known) {
      return InvalidArgument(Format("isa '{}' is not available on this machine, which has: {}",
                                    name, fmt::join(AvailableIsas(), ", ")));
    }
  }
  return InvalidArgument(
      Format("unknown isa '{}'; known: auto, amx, avx512, avx512f, avx2, scalar", name));
}

/// Panel `index` from its rows [up to 64, k]: the pairs of its columns, leaf by leaf. Missing
/// columns stay zero.
void FillPanel(const IsaKernels& kernels, const BF16* rows, int64_t num_rows,
               const PanelWeight& packed, int64_t index) {
  if (num_rows == kPanelColumns) {
    const int64_t leaf_size = packed.k() / packed.num_leaves();
    for (int leaf = 0; leaf < packed.num_leaves(); ++leaf) {
      kernels.pack_panel(rows + leaf * leaf_size, packed.k(), leaf_size, kPanelColumns,
                         packed.panel(index) + leaf * packed.leaf_pairs() * 2 * kPanelColumns);
    }
    return;
  }
  auto* panel = reinterpret_cast<uint32_t*>(packed.panel(index));
  for (int64_t row = 0; row < num_rows; ++row) {
    PackPairs(rows + row * packed.k(), packed.k(), packed.num_leaves(), kPanelColumns, panel + row);
  }
}

}  // namespace

const OpTable& CpuBackend::ops() const { return kOps; }

Result<std::unique_ptr<Buffer>> CpuBackend::Allocate(int64_t size_bytes) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, HostBuffer::Allocate(size_bytes));
  return buffer;
}

Status CpuBackend::Upload(void* device, std::span<const std::byte> host) {
  if (!host.empty()) std::memcpy(device, host.data(), host.size());
  return OkStatus();
}

Status CpuBackend::Download(std::span<std::byte> host, const void* device) {
  if (!host.empty()) std::memcpy(host.data(), device, host.size());
  return OkStatus();
}

Result<std::unique_ptr<PackedWeight>> CpuBackend::AllocateWeight(int64_t n, int64_t k,
                                                                 int num_leaves) {
  NEMO_RETURN_IF_ERROR(CheckPack(n, k, num_leaves));
  const int64_t num_panels = (n + kPanelColumns - 1) / kPanelColumns;
  const int64_t num_pairs = num_leaves * ((k / num_leaves + 1) / 2);
  const auto panel_bytes = num_pairs * 2 * kPanelColumns * static_cast<int64_t>(sizeof(BF16));
  NEMO_ASSIGN_OR_RETURN(auto panels, HostBuffer::Allocate(num_panels * panel_bytes));
  return std::unique_ptr<PackedWeight>(
      std::make_unique<PanelWeight>(std::move(panels), n, k, num_leaves));
}

Status CpuBackend::PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) {
  static_assert(kPackRows == kPanelColumns);
  NEMO_RETURN_IF_ERROR(CheckRows(weight, row_begin, rows));
  const auto& packed = static_cast<const PanelWeight&>(weight);
  const int64_t num_rows = std::ssize(rows) / packed.k();
  for (int64_t row = 0; row < num_rows; row += kPanelColumns) {
    FillPanel(kernels_, rows.data() + row * packed.k(), std::min(kPanelColumns, num_rows - row),
              packed, (row_begin + row) / kPanelColumns);
  }
  return OkStatus();
}

Result<std::span<std::byte* const>> CpuBackend::ThreadScratch(int64_t size_bytes) {
  thread_blocks_.clear();
  for (Scratch& scratch : thread_scratch_) {
    NEMO_ASSIGN_OR_RETURN(std::byte * block, scratch.Reserve(size_bytes));
    thread_blocks_.push_back(block);
  }
  return std::span<std::byte* const>(thread_blocks_);
}

}  // namespace cpu

Result<std::unique_ptr<Backend>> CreateCpuBackend(const BackendOptions& options) {
  NEMO_ASSIGN_OR_RETURN(const cpu::IsaKernels* isa, cpu::ChooseIsa(options.isa));
  constexpr int kMaxThreads = 1024;
  if (options.num_threads < 0 || options.num_threads > kMaxThreads) {
    return InvalidArgument(Format("{} threads: choose 1 to {}, or 0 for all cores ({})",
                                  options.num_threads, kMaxThreads, AvailableCores()));
  }
  const int num_threads = options.num_threads == 0 ? AvailableCores() : options.num_threads;
  return std::unique_ptr<Backend>(std::make_unique<cpu::CpuBackend>(*isa, num_threads));
}

std::vector<std::string> AvailableIsas() {
  std::vector<std::string> names;
  for (const cpu::IsaKernels* isa : cpu::EqualIsas()) {
    if (isa->available()) names.emplace_back(isa->name);
  }
  return names;
}

}  // namespace nemo
