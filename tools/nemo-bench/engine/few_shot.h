// Few-shot questions under a clock: what an evaluation such as MMLU asks of a generator. Subjects
// have a head of worked examples that stands before each of their questions; an answer is the
// log-probability of each of its choices, which are single tokens.
#pragma once

#include <cstdint>

#include "libcore/base/status.h"
#include "libcore/runtime/engine.h"
#include "tools/nemo-bench/engine/engine_bench.h"

namespace nemo {

inline constexpr int64_t kHeadTokens = 600, kQuestionTokens = 100;
inline constexpr int64_t kQuestionsOfSubject = 16;  ///< the last subject may have fewer
inline constexpr int64_t kFewShotTokens = kHeadTokens + kQuestionTokens + 1;
inline constexpr int64_t kFewShotSlots = 8;  ///< requests side by side

/// Scores options.questions questions of random tokens through a Generator with its prefix cache,
/// one whole row of log-probabilities each; `repetitions` times after one that warms up, each time
/// others, so that nothing is known beforehand. Collective.
Result<StepTimes> MeasureFewShot(Engine& engine, const EngineBenchOptions& options,
                                 int64_t repetitions);

/// What a run has to read and to compute when nothing is computed twice: each head, each question.
Work FewShotWork(const ModelConfig& config, const EngineBenchOptions& options);

}  // namespace nemo
