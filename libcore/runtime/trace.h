// Trace: what a model computes on its way from tokens to logits, kept to be compared with what
// another checkpoint computes. Of two models that should be one it tells where they part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/progress.h"
#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "libcore/runtime/engine.h"
#include "libcore/runtime/stream_observer.h"

namespace nemo {

/// One rank's part. Of a stage's tensor ranks, who have the same, the first keeps it; the others'
/// traces are empty.
struct Trace {
  struct Stream {
    StreamPoint point;
    std::vector<std::byte> rows;  ///< [num_tokens, hidden_size], all sequences one after another
  };
  std::vector<Stream> streams;  ///< in the order of the model
  /// [num_tokens, vocab_size] on the last stage; NaN in all rows of a step that had some.
  std::vector<float> logits;
};

/// Feeds the sequences one after the other, and keeps everything: for each token 2 * layers + 1
/// rows of hidden_size, and a row of logits. Collective over the engine's world; its KV cache has
/// room for the longest sequence in slot 0. kIo: stopped by a signal.
Result<Trace> TraceModel(Engine& engine, std::span<const std::vector<int32_t>> sequences,
                         Progress& progress);

/// How far values lie apart. Equal ones have equal bits, but for NaN and Inf on both sides.
struct Deviation {
  int64_t num_values = 0;
  int64_t num_different = 0;
  int64_t num_not_finite = 0;  ///< NaN or Inf on either side
  double max_abs = 0;          ///< infinite where one side is finite and the other is not
  double square_sum = 0;       ///< of the differences where both are finite
  bool equal() const { return num_different == 0; }
  double rms() const;
};

/// Where the streams of two traces were looked at, and how far apart they were.
struct StreamDeviation {
  StreamPoint point;
  Deviation deviation;
};

/// What two sets of logits, a row per token, say about their distributions.
struct LogitDeviation {
  Deviation values;
  int64_t num_rows = 0;
  int64_t num_same_choice = 0;  ///< rows whose largest logit is at the same token
  int64_t num_constant_a = 0;   ///< rows of `a` whose logits are all the same
  double kl_sum = 0;            ///< Kullback-Leibler divergence of b from a, nats, over all rows
  double max_kl = 0;
  double min_a = 0, max_a = 0;  ///< of the finite logits of `a`
  double mean_kl() const { return num_rows == 0 ? 0 : kl_sum / static_cast<double>(num_rows); }
};

struct TraceDeviation {
  std::vector<StreamDeviation> streams;  ///< in the order of the model
  LogitDeviation logits;

  /// The first place whose stream differs; null: none does.
  const StreamDeviation* first_difference() const;
  /// The first place with NaN or Inf; null: there is none.
  const StreamDeviation* first_not_finite() const;
};

/// Compares the traces of two models of equal layers and widths on equal sequences (NEMO_CHECK),
/// and brings the figures of all ranks together. Collective over `world`, whose ranks all get them.
/// A trace compared with itself tells of NaN, Inf and constant rows.
Result<TraceDeviation> CompareTraces(const Trace& a, const Trace& b, const ModelConfig& config,
                                     DTypeProfile profile, Communicator& world);

/// "embedding", "layer 17, attention", "layer 17, mlp".
std::string ToString(const StreamPoint& point);

}  // namespace nemo
