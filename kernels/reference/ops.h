// The operations of the reference backend (contracts: libcore/runtime/backend.h), each written once
// for T = BF16 and T = float, in NAME_op.h.
#pragma once

#include <memory>
#include <utility>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/element.h"
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

/// All operations, of both kinds of activations.
struct Operations {
  BasicOpTable<BF16> bf16;
  BasicOpTable<float> fp32;
};

/// The same text twice, the same bits: for any processor, and for those that fuse a multiplication
/// and an addition in one instruction (Haswell and Zen or later) instead of a library call.
extern const Operations kPortable;
#if defined(__x86_64__)
extern const Operations kFused;
#endif
/// The faster one that this machine runs.
const Operations& FastestOperations();

}  // namespace nemo::reference
