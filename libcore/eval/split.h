// Splits the samples of a run between replicas of the model. Every replica comes to the same answer
// by itself, so that nobody has to be asked.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nemo::eval {

/// What a sample costs: tokens that are computed for it when samples run in order (what it shares
/// with the one before it is known already), and those that it may generate.
struct SampleCost {
  int64_t tokens = 0;
  bool generates = false;
};

/// The replica of each sample; `samples` stand in the order in which one replica would run them.
/// Scored ones go in runs, so that those that begin alike stay together; those that generate go to
/// whoever has least to do, the longest first. No replica gets more than its equal share and the
/// longest sample, neither of the scored ones nor of all.
std::vector<int> SplitSamples(std::span<const SampleCost> samples, int num_replicas);

}  // namespace nemo::eval
