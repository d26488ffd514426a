// Sampler: from a row of logits to a token, as NeMo's server does it (docs/runtime.md, "Sampling").
// Facts: nemo/collections/nlp/modules/common/text_generation_utils.py.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/philox.h"

namespace nemo {

/// How the repetition penalty acts.
enum class Repetition {
  kNemo,  ///< divides the logit whatever its sign; see docs/runtime.md for when
  kCtrl,  ///< as in CTRL (Keskar et al. 2019) and transformers: positive logits are divided, others
          ///< multiplied; on every token that is there, from the first choice on
};

/// "nemo" or "ctrl". False: neither.
bool RepetitionFrom(std::string_view name, Repetition* out);

/// NeMo's parameters with its server's defaults. `greedy` makes the others void.
struct SamplingParams {
  bool greedy = false;
  double temperature = 1.0;
  int64_t top_k = 0;   ///< 0: off
  double top_p = 0.9;  ///< off at 0 and 1
  double repetition_penalty =
      1.0;  ///< with kNemo it acts only where log-probabilities are asked for, as NeMo's does
  Repetition repetition = Repetition::kNemo;
  uint64_t seed = 0;
};

/// kInvalidArgument names the parameter and its range.
Status CheckSampling(const SamplingParams& params);

/// One token to be chosen.
struct TokenDraw {
  SamplingParams params;
  std::vector<int32_t> used;  ///< tokens the repetition penalty acts on; repeats count once
  int32_t banned_id = -1;     ///< never chosen; -1: none
  DrawKey key;
};

/// The `limit` best, fewer where there are fewer: by falling logit, then rising id.
std::vector<Candidate> TopOf(std::vector<Candidate> candidates, int64_t limit);

/// What a shard is asked for a draw. Nothing but the ban changes logits where it is greedy.
Wanted WantedFor(const SamplingParams& params);

/// What is to be known of one shard of a scaled row, so that the shards together give the choice.
struct ShardList {
  /// The sum of exp(logit - max) over the columns of a chunk, in order.
  struct Chunk {
    float max;
    double sum;
  };
  /// By falling logit, then rising id; only the one that can win where no list is needed.
  std::vector<Candidate> best;
  bool complete = true;       ///< nothing else of this shard can matter
  std::vector<Chunk> chunks;  ///< where top-p needs the mass of the whole row
};

/// What top-k (logits equal to the k-th stay) and, on what that leaves, top-p (the token that
/// crosses p stays) let through, in order, from the lists of all shards in vocabulary order. The
/// same however a row is cut in shards. Nothing when the lists are too short to tell.
std::optional<std::vector<Candidate>> Survivors(const SamplingParams& params,
                                                std::span<const ShardList> lists);

/// Draws with the probabilities of a softmax over the candidates: the largest logit + Gumbel(token
/// id), the lowest id where equal. -1 without candidates.
int32_t Choose(std::span<const Candidate> candidates, const DrawKey& key);

/// The token, -1 when every logit is -infinity, or nothing when the lists are too short to tell.
std::optional<int32_t> Conclude(const TokenDraw& draw, std::span<const ShardList> lists);

}  // namespace nemo
