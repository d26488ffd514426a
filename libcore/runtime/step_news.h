// StepNews: what the last stage tells all ranks of one step. It goes straight to rank 0, and from
// there down the stages with the next step's numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/request.h"

namespace nemo {

/// Of one row of logits.
struct RowNews {
  double logprob = 0;     ///< of the next token
  int32_t token_id = -1;  ///< the next token: known or just chosen
  int32_t argmax = -1;
};

struct StepNews {
  uint64_t step = 0;    ///< 0, 1, 2, ... of a generator
  uint64_t digest = 0;  ///< of the work the step was planned to do
  std::vector<RowNews> rows;
  std::vector<TokenLogprob> top;  ///< the likeliest tokens of the rows that want some, one after
                                  ///< the other
};

/// Bytes of a message of `num_rows` rows and `num_top` likeliest tokens.
size_t StepNewsBytes(size_t num_rows, size_t num_top);
/// "NSTP", the version, then little-endian integers and IEEE doubles.
std::vector<std::byte> PackStepNews(const StepNews& news);
/// The news of a step that this rank expects to be number `step`, planned as `digest` says, with
/// `num_rows` rows and `num_top` likeliest tokens. kUnavailable says in which of these the message
/// differs: it comes from another version, or the ranks do not do the same work.
Result<StepNews> UnpackStepNews(std::span<const std::byte> bytes, uint64_t step, uint64_t digest,
                                size_t num_rows, size_t num_top);

}  // namespace nemo
