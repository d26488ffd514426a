// The planner: logical tensors + layout -> Plan.
#pragma once

#include <span>

#include "libcore/base/status.h"
#include "libcore/layout/plan.h"
#include "libcore/tensor/spec.h"

namespace nemo {

/// How many rows the output's vocabulary tensors have.
struct VocabRule {
  enum class Kind {
    kMegatron,  ///< vocab_size padded with zero rows to a multiple of make_vocab_size_divisible_by
                ///< * TP
    kKeep,      ///< the rows the source has
    kPrune,     ///< exactly vocab_size
    kPad,       ///< vocab_size padded with zero rows to a multiple of `multiple` * TP
  };
  Kind kind = Kind::kMegatron;
  int64_t multiple = 128;
};

/// Plans the native shard set of `source` (canonical specs, as `config` describes them) in
/// `layout`. Shards are BF16; F32 and F16 sources are cast, rounding to nearest even. Checks
/// everything before the first byte is moved: layout constraints, that each logical tensor is there
/// with its shape, dtypes. kInvalidArgument, kCorruption, kNotFound with what would mend it.
Result<Plan> PlanShards(const ModelConfig& config, std::span<const TensorSpec> source,
                        const ParallelLayout& layout, const VocabRule& vocab);

}  // namespace nemo
