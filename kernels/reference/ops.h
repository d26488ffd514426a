// The operations of the reference backend (contracts: libcore/runtime/backend.h).
#pragma once

#include <memory>
#include <utility>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/host_buffer.h"

namespace nemo::reference {

/// The matrix as it came: row-major [n, k].
class Weight final : public PackedWeight {
 public:
  Weight(std::unique_ptr<HostBuffer> values, int64_t n, int64_t k, int num_leaves)
      : values_(std::move(values)), n_(n), k_(k), num_leaves_(num_leaves) {}
  int64_t n() const override { return n_; }
  int64_t k() const override { return k_; }
  int64_t size_bytes() const override { return values_->size_bytes(); }
  int num_leaves() const { return num_leaves_; }
  BF16* row(int64_t index) { return static_cast<BF16*>(values_->data()) + index * k_; }
  const BF16* row(int64_t index) const {
    return static_cast<const BF16*>(std::as_const(*values_).data()) + index * k_;
  }

 private:
  std::unique_ptr<HostBuffer> values_;
  int64_t n_, k_;
  int num_leaves_;
};

/// The sum of one leaf (LinearArgs): pairs in order, the odd element first, one fma each.
float LeafDot(const BF16* a, const BF16* b, int64_t size);

Status Linear(Backend& backend, const LinearArgs& args);
Status Embed(Backend& backend, const EmbedArgs& args);
Status ResidualNorm(Backend& backend, const ResidualNormArgs& args);
Status RopeAppend(Backend& backend, const RopeAppendArgs& args);
Status Attention(Backend& backend, const AttentionArgs& args);
Status HeadStats(Backend& backend, const HeadStatsArgs& args);

}  // namespace nemo::reference
