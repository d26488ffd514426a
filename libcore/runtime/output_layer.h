// OutputLayer: rows of hidden states in, their logits out; final LayerNorm and the rank's columns
// of the vocabulary.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "libcore/base/status.h"
#include "libcore/runtime/arena.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/host_bridge.h"
#include "libcore/runtime/weights.h"

namespace nemo {

struct OutputLayerOptions {
  int64_t block_rows = 64;  ///< of one call
  float layernorm_epsilon = 1e-5f;
  bool zero_centered_gamma = true;
  DTypeProfile profile = DTypeProfile::kMegatron;  ///< kHf rounds logits to bf16
};

/// One per rank of the last stage. T: element of the hidden states, BF16 or float. Not thread-safe.
template <typename T>
class OutputLayer {
 public:
  static Result<std::unique_ptr<OutputLayer>> Create(const OutputLayerOptions& options,
                                                     const RankWeights& weights, Backend& backend,
                                                     const BasicOpTable<T>& ops);

  /// Logits [rows, columns] of the rank for some `rows` of `hidden` [num_hidden_rows, hidden_size];
  /// all backend memory but `rows`. A rank without columns computes nothing.
  Status Logits(const T* hidden, int64_t num_hidden_rows, std::span<const int32_t> rows,
                float* logits);

 private:
  OutputLayer(const OutputLayerOptions& options, const RankWeights& weights, Backend& backend,
              const BasicOpTable<T>& ops)
      : options_(options), weights_(weights), backend_(backend), ops_(ops), bridge_(backend) {}

  Status Normalize(const T* hidden, int64_t num_hidden_rows, int64_t num_rows);
  Status RoundedLogits(int64_t num_rows, float* logits);

  const OutputLayerOptions options_;
  const RankWeights& weights_;
  Backend& backend_;
  const BasicOpTable<T>& ops_;
  HostBridge bridge_;
  Arena arena_;
  int32_t* row_ids_ = nullptr;   // [block_rows] hidden rows of the block
  int32_t* identity_ = nullptr;  // [block_rows] 0, 1, 2, ...
  float* gathered_ = nullptr;    // [block_rows, hidden_size]
  T* x_ = nullptr;               // [block_rows, hidden_size]
  T* h_ = nullptr;               // [block_rows, hidden_size]
  T* rounded_ = nullptr;         // [block_rows, columns] logits, profile kHf
};

}  // namespace nemo
