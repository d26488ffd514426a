// The state behind the CPU backend's operations, and the operations. Private to this folder.
#pragma once

#include <span>
#include <vector>

#include "kernels/cpu/attention_scratch.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/worker_pool.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/host_buffer.h"

namespace nemo::cpu {

/// Panels of 64 columns, the last one padded with zeros: [num_panels, num_leaves, leaf_pairs, 64,
/// 2].
class PanelWeight final : public PackedWeight {
 public:
  PanelWeight(std::unique_ptr<HostBuffer> panels, int64_t n, int64_t k, int num_leaves)
      : panels_(std::move(panels)), n_(n), k_(k), num_leaves_(num_leaves) {}
  int64_t n() const override { return n_; }
  int64_t k() const override { return k_; }
  int64_t size_bytes() const override { return panels_->size_bytes(); }

  int num_leaves() const { return num_leaves_; }
  int64_t num_panels() const { return (n_ + kPanelColumns - 1) / kPanelColumns; }
  /// Pairs of one leaf; a leaf of odd length ends with half a pair.
  int64_t leaf_pairs() const { return (k_ / num_leaves_ + 1) / 2; }
  int64_t num_pairs() const { return num_leaves_ * leaf_pairs(); }
  BF16* panel(int64_t index) const {
    return static_cast<BF16*>(panels_->data()) + index * num_pairs() * 2 * kPanelColumns;
  }

 private:
  std::unique_ptr<HostBuffer> panels_;
  int64_t n_, k_;
  int num_leaves_;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const IsaKernels& kernels, int num_threads)
      : kernels_(kernels), pool_(num_threads), thread_scratch_(num_threads) {}

  std::string_view name() const override { return "cpu"; }
  std::string_view variant() const override { return kernels_.name; }
  const OpTable& ops() const override;
  bool host_memory() const override { return true; }
  Result<std::unique_ptr<Buffer>> Allocate(int64_t size_bytes) override;
  Status Upload(void* device, std::span<const std::byte> host) override;
  Status Download(std::span<std::byte> host, const void* device) override;
  Result<std::unique_ptr<PackedWeight>> AllocateWeight(int64_t n, int64_t k,
                                                       int num_leaves) override;
  Status PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) override;
  Status Synchronize() override { return OkStatus(); }

  const IsaKernels& kernels() const { return kernels_; }
  WorkerPool& pool() { return pool_; }
  /// `size_bytes` of memory shared by all threads; of memory for each thread.
  Result<std::byte*> SharedScratch(int64_t size_bytes) {
    return shared_scratch_.Reserve(size_bytes);
  }
  Result<std::span<std::byte* const>> ThreadScratch(int64_t size_bytes);

 private:
  const IsaKernels& kernels_;
  WorkerPool pool_;
  Scratch shared_scratch_;
  std::vector<Scratch> thread_scratch_;
  std::vector<std::byte*> thread_blocks_;
};

inline CpuBackend& Self(Backend& backend) { return static_cast<CpuBackend&>(backend); }

Status Linear(Backend& backend, const LinearArgs& args);
Status Embed(Backend& backend, const EmbedArgs& args);
Status ResidualNorm(Backend& backend, const ResidualNormArgs& args);
Status RopeAppend(Backend& backend, const RopeAppendArgs& args);
Status Attention(Backend& backend, const AttentionArgs& args);
Status HeadStats(Backend& backend, const HeadStatsArgs& args);
Status ShardDraw(Backend& backend, const ShardDrawArgs& args);
Status PickLogits(Backend& backend, const PickLogitsArgs& args);

}  // namespace nemo::cpu
