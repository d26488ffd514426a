// What all measurements of an engine share: tokens that are the same on every rank, and the clock.
#pragma once

#include <cstdint>
#include <functional>
#include <random>

#include "libcore/base/status.h"
#include "libcore/runtime/engine.h"
#include "tools/nemo-bench/engine/engine_bench.h"

namespace nemo {

/// The same tokens on every rank.
class RandomTokens {
 public:
  explicit RandomTokens(const Engine& engine)
      : vocab_size_(static_cast<uint64_t>(engine.config().vocab_size)) {}
  int32_t Next() { return static_cast<int32_t>(random_() % vocab_size_); }

 private:
  uint64_t vocab_size_;
  std::mt19937_64 random_{20240607};
};

/// Times `step` from the moment when all ranks are ready until all are done. `times` may be null.
/// Collective. kIo: a signal asked to stop.
Status Clock(Engine& engine, const EngineBenchOptions& options, const std::function<Status()>& step,
             StepTimes* times);

}  // namespace nemo
