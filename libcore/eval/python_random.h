// Python's random.Random(seed).sample, which lm-evaluation-harness draws few-shot examples with:
// the Mersenne Twister mt19937ar seeded by an array, getrandbits, and the two ways of sample()
// (Lib/random.py and Modules/_randommodule.c of CPython 3.11).
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace nemo::eval {

/// Not thread-safe.
class PythonRandom {
 public:
  /// Random(seed).
  explicit PythonRandom(uint32_t seed);
  /// The positions that sample(population, count) takes of a list of `population` elements, in its
  /// order. NEMO_CHECKs 0 <= count <= population.
  std::vector<int64_t> Sample(int64_t population, int64_t count);

 private:
  /// A number below `limit` (> 0), every one equally likely.
  uint64_t Below(uint64_t limit);

  std::mt19937 twister_;
};

}  // namespace nemo::eval
