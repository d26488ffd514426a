#include "libcore/runtime/shard_draw.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include "libcore/runtime/math.h"

namespace nemo {
namespace {

constexpr float kOff = -std::numeric_limits<float>::infinity();

std::span<float> ScaledRow(const ShardDrawArgs& args, int64_t draw) {
  return {args.scaled + args.draws[draw].row * args.num_columns,
          static_cast<size_t>(args.num_columns)};
}

Candidate Largest(std::span<const float> logits, int64_t first_id) {
  Candidate best = {kOff, -1};
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > best.logit) {
      best = {logits[i], static_cast<int32_t>(first_id + static_cast<int64_t>(i))};
    }
  }
  return best;
}

Candidate Drawn(std::span<const float> logits, int64_t first_id, const DrawKey& key) {
  Candidate winner = {kOff, -1};
  double best = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > kOff)) continue;
    const auto id = static_cast<int32_t>(first_id + static_cast<int64_t>(i));
    const double score = static_cast<double>(logits[i]) + Gumbel(key, static_cast<uint32_t>(id));
    if (winner.token_id >= 0 && !(score > best)) continue;
    best = score;
    winner = {logits[i], id};
  }
  return winner;
}

double MassOf(std::span<const float> logits, float max) {
  double mass = 0;
  if (max == kOff) return mass;
  for (const float logit : logits) mass += ExpF64(static_cast<double>(logit) - max);
  return mass;
}

}  // namespace

void ScaleForDraw(const ShardDrawArgs& args, int64_t draw) {
  const RowDraw& d = args.draws[draw];
  const std::span<float> row = ScaledRow(args, draw);
  const int64_t in_vocab =
      std::clamp<int64_t>(args.vocab_size - args.column_begin, 0, args.num_columns);
  std::copy_n(args.logits + d.row * args.num_columns, in_vocab, row.begin());
  std::fill(row.begin() + in_vocab, row.end(), kOff);
  const int64_t banned = d.banned_id - args.column_begin;
  if (d.banned_id >= 0 && banned >= 0 && banned < args.num_columns) row[banned] = kOff;
  if (d.temperature != 1.0f) {
    for (float& logit : row) logit /= d.temperature;
  }
  if (d.penalty == 1.0f) return;
  for (int32_t i = d.used_begin; i < d.used_end; ++i) {
    float& logit = row[args.used[i] - args.column_begin];
    const bool multiply = d.multiplies_negative != 0 && logit < 0;
    logit = multiply ? logit * d.penalty : logit / d.penalty;
  }
}

void DrawFromChunk(const ShardDrawArgs& args, int64_t draw, int64_t chunk) {
  const RowDraw& d = args.draws[draw];
  const std::span<const float> logits =
      ScaledRow(args, draw).subspan(chunk * args.chunk_columns, args.chunk_columns);
  const int64_t first_id = args.column_begin + chunk * args.chunk_columns;
  ChunkDraw out = {{kOff, -1}, kOff, 0};
  if (d.wanted == Wanted::kLargest) out.winner = Largest(logits, first_id);
  if (d.wanted == Wanted::kDrawn) out.winner = Drawn(logits, first_id, d.key);
  if (d.wanted == Wanted::kBestAndMass) {
    out.max = Largest(logits, first_id).logit;
    out.mass = MassOf(logits, out.max);
  }
  args.chunks[draw * (args.num_columns / args.chunk_columns) + chunk] = out;
}

void ListBest(const ShardDrawArgs& args, int64_t draw) {
  const Wanted wanted = args.draws[draw].wanted;
  if (wanted != Wanted::kBest && wanted != Wanted::kBestAndMass) return;
  const std::span<const float> row = ScaledRow(args, draw);
  std::vector<float> values;
  values.reserve(row.size());
  std::ranges::copy_if(row, std::back_inserter(values), [](float logit) { return logit > kOff; });
  args.num_candidates[draw] = static_cast<int32_t>(values.size());
  float threshold = kOff;
  int64_t num_equal = 0;  // how many of those at the threshold belong to the list
  if (args.limit < std::ssize(values)) {
    std::ranges::nth_element(values, values.begin() + (args.limit - 1), std::greater<>());
    threshold = values[args.limit - 1];
    values.resize(args.limit);
    num_equal = std::ranges::count(values, threshold);
  }
  Candidate* out = args.best + draw * args.limit;
  Candidate* const end = out + args.limit;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] > threshold || (row[i] == threshold && num_equal-- > 0)) {
      *out++ = {row[i], static_cast<int32_t>(args.column_begin + static_cast<int64_t>(i))};
    }
  }
  std::fill(out, end, Candidate{kOff, -1});
}

void PickLogits(const PickLogitsArgs& args) {
  for (int64_t row = 0; row < args.num_rows; ++row) {
    const int64_t column = args.ids[row] - args.column_begin;
    const bool is_here = args.ids[row] >= 0 && column >= 0 && column < args.num_columns;
    args.out[row] = is_here ? args.logits[row * args.num_columns + column] : 0.0f;
  }
}

}  // namespace nemo
