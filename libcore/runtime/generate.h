// Generate: a list of requests in, their results out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/generator.h"

namespace nemo {

/// Runs all `requests` to their end; results in their order. Their draw_index becomes their place
/// in the list. Collective. kIo: stopped by a signal.
Result<std::vector<GenerateResult>> Generate(Engine& engine, const Tokenizer& tokenizer,
                                             std::vector<GenerateRequest> requests,
                                             const GenerateOptions& options,
                                             const TokenCallback& on_token = nullptr);

/// NeMo's offsets of pieces: running sums of their lengths in characters; bos, eos, pad and unk
/// count none.
std::vector<int64_t> PieceOffsets(const Tokenizer& tokenizer, std::span<const int32_t> ids);

}  // namespace nemo
