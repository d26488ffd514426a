#include "libcore/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr double kMaxTemperature = 100.0;

/// True when `a` comes after `b` in order of falling logit and, where equal, rising id. A heap by
/// it pops in that order.
bool After(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit < b.logit : a.token_id > b.token_id;
}

void KeepTopK(int64_t k, std::vector<Candidate>& candidates) {
  if (k <= 0 || k >= static_cast<int64_t>(candidates.size())) return;
  std::vector<float> logits(candidates.size());
  std::transform(candidates.begin(), candidates.end(), logits.begin(),
                 [](const Candidate& c) { return c.logit; });
  std::nth_element(logits.begin(), logits.begin() + (k - 1), logits.end(), std::greater<>());
  const float threshold = logits[k - 1];
  std::erase_if(candidates, [threshold](const Candidate& c) { return c.logit < threshold; });
}

void KeepTopP(double p, std::vector<Candidate>& candidates) {
  if (!(p > 0 && p < 1) || candidates.empty()) return;
  const double max = std::max_element(candidates.begin(), candidates.end(), After)->logit;
  double total = 0;
  for (const Candidate& c : candidates) total += std::exp(c.logit - max);
  // Only the head of the order is wanted, so a heap instead of a sort: the best moves to the back.
  std::make_heap(candidates.begin(), candidates.end(), After);
  auto heap_end = candidates.end();
  double mass = 0;
  while (heap_end != candidates.begin() && mass <= p * total) {
    std::pop_heap(candidates.begin(), heap_end, After);
    --heap_end;
    mass += std::exp(heap_end->logit - max);
  }
  candidates.erase(candidates.begin(), heap_end);
}

}  // namespace

Status CheckSampling(const SamplingParams& params) {
  if (!(params.temperature > 0 && params.temperature <= kMaxTemperature)) {
    return InvalidArgument(
        Format("temperature {}: must be above 0 and at most {}; for the most likely "
               "token ask for greedy",
               params.temperature, kMaxTemperature));
  }
  if (params.top_k < 0)
    return InvalidArgument(Format("top-k {}: must be 0 (off) or more", params.top_k));
  if (!(params.top_p >= 0 && params.top_p <= 1)) {
    return InvalidArgument(Format("top-p {}: must be between 0 and 1 (both off)", params.top_p));
  }
  if (!(params.repetition_penalty >= 1) || !std::isfinite(params.repetition_penalty)) {
    return InvalidArgument(
        Format("repetition penalty {}: must be 1 (off) or more", params.repetition_penalty));
  }
  return OkStatus();
}

void ScaleLogits(const SamplingParams& params, std::span<const int32_t> used,
                 std::span<float> logits) {
  const auto temperature = static_cast<float>(params.temperature);
  if (temperature != 1.0f) {
    for (float& logit : logits) logit /= temperature;
  }
  const auto penalty = static_cast<float>(params.repetition_penalty);
  if (penalty == 1.0f) return;
  std::vector<int32_t> distinct(used.begin(), used.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (const int32_t id : distinct) logits[id] /= penalty;
}

std::vector<Candidate> Survivors(const SamplingParams& params, std::span<const float> logits) {
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > -std::numeric_limits<float>::infinity()) {
      candidates.push_back({logits[id], static_cast<int32_t>(id)});
    }
  }
  KeepTopK(params.top_k, candidates);
  KeepTopP(params.top_p, candidates);
  return candidates;
}

int32_t Choose(std::span<const Candidate> candidates, const DrawKey& key) {
  int32_t best_id = -1;
  double best = -std::numeric_limits<double>::infinity();
  for (const Candidate& c : candidates) {
    const double score =
        static_cast<double>(c.logit) + Gumbel(key, static_cast<uint32_t>(c.token_id));
    if (best_id < 0 || score > best || (score == best && c.token_id < best_id)) {
      best = score;
      best_id = c.token_id;
    }
  }
  return best_id;
}

int32_t ArgMax(std::span<const float> logits) {
  int32_t best = -1;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > (best < 0 ? -std::numeric_limits<float>::infinity() : logits[best])) {
      best = static_cast<int32_t>(id);
    }
  }
  return best;
}

}  // namespace nemo
