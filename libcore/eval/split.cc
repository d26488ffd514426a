#include "libcore/eval/split.h"

#include <algorithm>
#include <cstddef>

namespace nemo::eval {
namespace {

/// Cuts the sum of the scored samples' costs into equal parts; a sample goes where its middle lies.
void SplitScored(std::span<const SampleCost> samples, std::vector<int64_t>& loads,
                 std::vector<int>& replicas) {
  int64_t total = 0, before = 0;
  for (const SampleCost& sample : samples) total += sample.generates ? 0 : sample.tokens;
  const auto num_replicas = std::ssize(loads);
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].generates) continue;
    const double middle = static_cast<double>(before) + static_cast<double>(samples[i].tokens) / 2;
    const auto part = static_cast<int64_t>(middle * static_cast<double>(num_replicas) /
                                           static_cast<double>(std::max<int64_t>(total, 1)));
    const int64_t replica = std::clamp<int64_t>(part, 0, num_replicas - 1);
    replicas[i] = static_cast<int>(replica);
    loads[replica] += samples[i].tokens;
    before += samples[i].tokens;
  }
}

}  // namespace

std::vector<int> SplitSamples(std::span<const SampleCost> samples, int num_replicas) {
  std::vector<int> replicas(samples.size());
  std::vector<int64_t> loads(num_replicas);
  SplitScored(samples, loads, replicas);
  std::vector<size_t> generating;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (samples[i].generates) generating.push_back(i);
  }
  std::stable_sort(generating.begin(), generating.end(),
                   [&](size_t a, size_t b) { return samples[a].tokens > samples[b].tokens; });
  for (const size_t i : generating) {
    const auto least = std::min_element(loads.begin(), loads.end());
    *least += samples[i].tokens;
    replicas[i] = static_cast<int>(least - loads.begin());
  }
  return replicas;
}

}  // namespace nemo::eval
