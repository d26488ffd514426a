#include "libcore/runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "libcore/base/format.h"
#include "libcore/runtime/math.h"

namespace nemo {
namespace {

constexpr double kMaxTemperature = 100.0;
constexpr float kOff = -std::numeric_limits<float>::infinity();

bool Before(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token_id < b.token_id;
}

bool HasTopP(const SamplingParams& params) { return params.top_p > 0 && params.top_p < 1; }
/// Whether the choice needs lists; else each shard has one winner.
bool HasFilter(const SamplingParams& params) {
  return !params.greedy && (params.top_k > 0 || HasTopP(params));
}

/// The mass of the whole row relative to exp(max).
double MassOf(std::span<const ShardList> lists, double max) {
  double mass = 0;
  for (const ShardList& list : lists) {
    for (const ShardList::Chunk& chunk : list.chunks) mass += chunk.sum * ExpF64(chunk.max - max);
  }
  return mass;
}

double MassOf(std::span<const Candidate> candidates, double max) {
  double mass = 0;
  for (const Candidate& c : candidates) mass += ExpF64(c.logit - max);
  return mass;
}

}  // namespace

bool RepetitionFrom(std::string_view name, Repetition* out) {
  if (name != "nemo" && name != "ctrl") return false;
  *out = name == "ctrl" ? Repetition::kCtrl : Repetition::kNemo;
  return true;
}

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
  const bool may_reward = params.repetition == Repetition::kCtrl;
  if (!(params.repetition_penalty >= (may_reward ? 0.01 : 1)) ||
      !std::isfinite(params.repetition_penalty)) {
    return InvalidArgument(Format("repetition penalty {}: must be {} or more; 1 is off",
                                  params.repetition_penalty, may_reward ? 0.01 : 1));
  }
  return OkStatus();
}

std::vector<Candidate> TopOf(std::vector<Candidate> candidates, int64_t limit) {
  std::ranges::sort(candidates, Before);
  if (limit < std::ssize(candidates)) candidates.resize(limit);
  return candidates;
}

Wanted WantedFor(const SamplingParams& params) {
  if (HasFilter(params)) return params.top_k > 0 ? Wanted::kBest : Wanted::kBestAndMass;
  return params.greedy ? Wanted::kLargest : Wanted::kDrawn;
}

std::optional<std::vector<Candidate>> Survivors(const SamplingParams& params,
                                                std::span<const ShardList> lists) {
  std::vector<Candidate> known;
  // What is not in the lists is no better than this.
  float unknown = kOff;
  for (const ShardList& list : lists) {
    known.insert(known.end(), list.best.begin(), list.best.end());
    if (!list.complete) unknown = std::max(unknown, list.best.back().logit);
  }
  const bool is_all = std::ranges::all_of(lists, &ShardList::complete);
  if (lists.size() > 1) std::ranges::sort(known, Before);
  if (known.empty()) return known;
  if (params.top_k > 0) {
    const size_t k = std::min(static_cast<size_t>(params.top_k), known.size());
    if (!is_all && (k < static_cast<size_t>(params.top_k) || known[k - 1].logit <= unknown)) {
      return std::nullopt;
    }
    const auto end = std::find_if(known.begin() + k, known.end(),
                                  [&](const Candidate& c) { return c.logit < known[k - 1].logit; });
    known.erase(end, known.end());
  }
  if (!HasTopP(params)) return known;
  const double max = known.front().logit;
  const double needed = params.top_p * (params.top_k > 0 ? MassOf(known, max) : MassOf(lists, max));
  double mass = 0;
  size_t kept = 0;
  while (mass <= needed && kept < known.size()) {
    if (params.top_k == 0 && !is_all && known[kept].logit <= unknown) return std::nullopt;
    mass += ExpF64(known[kept++].logit - max);
  }
  if (params.top_k == 0 && !is_all && mass <= needed) return std::nullopt;
  known.resize(kept);
  return known;
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

std::optional<int32_t> Conclude(const TokenDraw& draw, std::span<const ShardList> lists) {
  if (HasFilter(draw.params)) {
    const auto survivors = Survivors(draw.params, lists);
    if (!survivors) return std::nullopt;
    return Choose(*survivors, draw.key);
  }
  std::vector<Candidate> winners;
  for (const ShardList& list : lists) {
    winners.insert(winners.end(), list.best.begin(), list.best.end());
  }
  if (!draw.params.greedy) return Choose(winners, draw.key);
  return winners.empty() ? -1 : std::ranges::min_element(winners, Before)->token_id;
}

}  // namespace nemo
