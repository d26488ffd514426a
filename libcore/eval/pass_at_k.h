// pass@k of the HumanEval paper (Chen et al. 2021, equation 1), in the numerically stable product
// form, so that 200 samples overflow nothing.
#pragma once

#include <cstdint>

namespace nemo {

/// The chance that at least one of `k` samples, drawn without return from `num_samples` of which
/// `num_correct` passed, is correct: 1 - prod over i = n - c + 1 .. n of (1 - k / i). 1 when fewer
/// than `k` samples failed. Expects 0 <= num_correct <= num_samples and k >= 1.
inline double PassAtK(int64_t num_samples, int64_t num_correct, int64_t k) {
  if (num_samples - num_correct < k) return 1.0;
  double none_correct = 1.0;
  for (int64_t i = num_samples - num_correct + 1; i <= num_samples; ++i) {
    none_correct *= 1.0 - static_cast<double>(k) / static_cast<double>(i);
  }
  return 1.0 - none_correct;
}

}  // namespace nemo
