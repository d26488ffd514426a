// Statistics of a tensor's values, for validation and inspection.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/source.h"

namespace nemo {

struct TensorStats {
  int64_t num_elements = 0;
  int64_t num_zeros = 0;
  int64_t num_nans = 0;
  int64_t num_infs = 0;
  int64_t num_constant_rows = 0;  ///< rows of two and more equal elements (matrices only)
  double min = 0, max = 0, mean = 0, rms = 0;  ///< of the finite elements
  std::vector<int64_t> first_nan, first_inf;   ///< index in the tensor; empty: none
  int64_t first_constant_row = -1;
};

/// Statistics of `box` of a tensor, read in blocks of at most `block_bytes`.
Result<TensorStats> ComputeStats(const TensorSource& source, std::string_view name, const Box& box,
                                 int64_t block_bytes = int64_t{8} << 20);

}  // namespace nemo
