// Prefill and decode of an engine under a clock, as llama-bench defines pp and tg.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/engine.h"
#include "tools/nemo-bench/measure/roofline.h"

namespace nemo {

/// Of each run, all ranks together: CPU seconds are summed over processes.
struct StepTimes {
  std::vector<double> wall, cpu;
};

struct EngineBenchOptions {
  int64_t prefill_chunk = 512;
  int64_t warmup_steps = 2;
  int64_t texts = 0;       ///< that MeasureScoring will score
  int64_t questions = 0;   ///< that MeasureFewShot (few_shot.h) will ask
  bool processes = false;  ///< ranks are processes, so that CPU seconds have to be added up
};

/// The sum of every rank's `value`. Collective.
Result<double> SumOverRanks(Communicator& world, double value);

/// Room for a prompt of `prompt` tokens, and for `batch` sequences of `generated` tokens and the
/// steps that warm up.
EngineOptions OptionsFor(const EngineBenchOptions& options, int64_t prompt, int64_t batch,
                         int64_t generated);

/// A prompt of `tokens` random tokens from an empty context, `repetitions` times after one that
/// warms up; logits of the last token. Collective.
Result<StepTimes> MeasurePrefill(Engine& engine, const EngineBenchOptions& options, int64_t tokens,
                                 int64_t repetitions);
/// `steps` steps of `batch` sequences that begin empty, a random token each, logits of each.
/// Collective.
Result<StepTimes> MeasureDecode(Engine& engine, const EngineBenchOptions& options, int64_t batch,
                                int64_t steps);

inline constexpr int64_t kShortestText = 64, kLongestText = 256;
/// The tokens of text `index` of MeasureScoring, from kShortestText to kLongestText: the same on
/// every machine.
int64_t TokensOfText(int64_t index);
/// Scores options.texts texts of random tokens, as evaluations do: the log-probability of every
/// next token, `prefill_chunk` tokens a step, a text after the other; `repetitions` times after one
/// that warms up. Collective.
Result<StepTimes> MeasureScoring(Engine& engine, const EngineBenchOptions& options,
                                 int64_t repetitions);

/// All logits, [tokens, vocab_size], of the first `tokens` random tokens; on ranks of the last
/// stage. Collective.
Result<std::vector<float>> LogitsOf(Engine& engine, int64_t tokens);

/// What the model has to read and to compute: products and attention. Weights are read once for
/// each step; activations stay in caches.
Work PrefillWork(const ModelConfig& config, int64_t tokens, int64_t chunk);
/// Of MeasureScoring.
Work ScoringWork(const ModelConfig& config, const EngineBenchOptions& options);
/// A step in the middle of MeasureDecode.
Work DecodeWork(const ModelConfig& config, int64_t batch, int64_t steps);

/// How far `got` is from `expected`.
struct LogitsDifference {
  double relative_rms = 0;  ///< rms of the difference over rms of `expected`
  double largest = 0;       ///< relative to the largest of `expected`
  int64_t num_different = 0;
  int64_t num_argmax_different = 0;  ///< rows of `columns`
};
/// NEMO_CHECK: equal sizes, whole rows.
LogitsDifference CompareLogits(std::span<const float> got, std::span<const float> expected,
                               int64_t columns);

}  // namespace nemo
