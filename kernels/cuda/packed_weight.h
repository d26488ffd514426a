// How a weight matrix lies in device memory for the canonical sums: the thread of an output column
// reads 16 bytes at a time, and the 32 threads of a warp read 512 neighbouring bytes.
#pragma once

#include <cstdint>

#include "libcore/base/host_device.h"
#include "libcore/tensor/dtype.h"

namespace nemo::cuda {

inline constexpr int kPanelColumns = 32;  ///< output columns of a panel: the threads of a warp
inline constexpr int kGroupElements = 8;  ///< inputs that a thread reads at once

/// [panels, num_leaves, leaf_groups, kPanelColumns, kGroupElements] bf16. Columns past n and inputs
/// past a leaf's end are zero; the kernel reads them and takes no part of them into a sum. pack.cu
/// arranges it.
struct PackedShape {
  int64_t n, k;
  int num_leaves;

  NEMO_HOST_DEVICE int64_t leaf_size() const { return k / num_leaves; }
  NEMO_HOST_DEVICE int64_t leaf_groups() const {
    return (leaf_size() + kGroupElements - 1) / kGroupElements;
  }
  NEMO_HOST_DEVICE int64_t panels() const { return (n + kPanelColumns - 1) / kPanelColumns; }
  NEMO_HOST_DEVICE int64_t panel_elements() const {
    return num_leaves * leaf_groups() * kPanelColumns * kGroupElements;
  }
  /// Of the first group of column `column` of a panel's leaf, in elements. The next group of that
  /// column is kPanelColumns * kGroupElements further.
  NEMO_HOST_DEVICE int64_t Offset(int64_t panel, int leaf, int column) const {
    return panel * panel_elements() +
           (leaf * leaf_groups() * kPanelColumns + column) * kGroupElements;
  }
};

}  // namespace nemo::cuda
