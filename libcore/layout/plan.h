// Plan: the conversion as data one can print, diff and test. Pure arithmetic, no I/O.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"
#include "libcore/tensor/sink.h"

namespace nemo {

/// What becomes of each element on its way.
enum class Transform {
  kCopy,
  kAddOne,  ///< of a zero-centred weight, x + 1: in float, then rounded once; BF16 targets only
};

/// Copy `source` of canonical tensor `source_name` to `target` of the file's tensor; extents agree.
/// A target that is BF16 casts what is stored otherwise (CastToBF16); other dtypes agree. An empty
/// source name writes zeros (vocabulary padding).
struct Move {
  std::string source_name;
  Box source;
  Box target;
  Transform transform = Transform::kCopy;
  bool operator==(const Move&) const = default;
};

/// One tensor of one output file, and the moves that tile it exactly.
struct PlannedTensor {
  SinkTensor tensor;
  std::string canonical_name;  ///< differs from the tensor's only for the tied output layer
  std::vector<Move> moves;
  std::vector<ShardPart> parts;  ///< where its elements stand in the canonical tensor
};

struct PlannedFile {
  std::string stem;  ///< tp_rank_01_pp_rank_000
  int64_t tp_rank = 0;
  int64_t pp_rank = 0;
  std::vector<PlannedTensor> tensors;

  int64_t size_bytes() const;  ///< of the tensors
};

struct Plan {
  ParallelLayout layout;
  ModelConfig config;  ///< of the output: padded_vocab_size is the target's
  std::vector<PlannedFile> files;

  int64_t size_bytes() const;
};

Value ToValue(const Plan& plan);

}  // namespace nemo
