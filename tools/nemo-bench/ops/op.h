// A row of the kernel bench: one operation of the backends at the sizes that a model and a layout
// give it. A new kernel is a file beside linear.cc and a row in registry.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/model/config.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/rank_shape.h"
#include "tools/nemo-bench/measure/roofline.h"

namespace nemo {

/// What the sizes are made of.
struct OpSizes {
  ModelConfig config;
  RankShape shape;               ///< of one rank
  std::vector<int64_t> tokens;   ///< of a step: rows of a product
  std::vector<int64_t> batches;  ///< sequences of a decode step
  std::vector<int64_t> lengths;  ///< tokens of context
};

struct OpContext {
  Backend& backend;
  int threads = 1;           ///< for preparing, and for peers
  int64_t rotate_bytes = 0;  ///< copies of the buffers are made until they hold this much together
  /// An accelerator's library (BackendRow), the comparator of `linear` there; null: none.
  Status (*library_linear)(Backend& backend, const LinearArgs& args) = nullptr;
  std::string library_name = {};
};

/// How many copies of `bytes` hold context.rotate_bytes together.
int64_t CopiesFor(const OpContext& context, double bytes);

/// One operation at one size with its buffers, ready to run again and again.
class PreparedOp {
 public:
  virtual ~PreparedOp() = default;
  /// The `call`-th call; neighbouring calls touch different copies of the buffers.
  virtual Status Run(int64_t call) = 0;
  /// Runs once more, and the same on `reference` for a sample of the outputs: the largest
  /// difference relative to the largest sampled value of the reference; 0 when all bits are equal.
  virtual Result<double> Error(Backend& reference) = 0;
};
using PrepareOp = std::function<Result<std::unique_ptr<PreparedOp>>(const OpContext&)>;

/// An operation at one size.
struct OpCase {
  std::string name;   ///< behind the operation's: "fc1/m8"
  std::string shape;  ///< "[8, 18432] x [9216, 18432]"
  std::string dtype = "bf16";
  Work work;
  double memory_bytes = 0;  ///< beside twice the work's, which is what most need while they prepare
  PrepareOp prepare;
  PrepareOp prepare_peer = nullptr;  ///< the same work by somebody else's code; null: there is none
  std::string peer_name = {};
};

struct OpRow {
  std::string_view name;  ///< as in OpTable
  std::string_view description;
  std::vector<OpCase> (*cases)(const OpSizes& sizes);
};

/// All rows, in reading order.
std::span<const OpRow> OpRows();

// What registry.cc lists.
std::vector<OpCase> LinearCases(const OpSizes& sizes);
std::vector<OpCase> EmbedCases(const OpSizes& sizes);
std::vector<OpCase> ResidualNormCases(const OpSizes& sizes);
std::vector<OpCase> RopeAppendCases(const OpSizes& sizes);
std::vector<OpCase> AttentionCases(const OpSizes& sizes);
std::vector<OpCase> HeadStatsCases(const OpSizes& sizes);

}  // namespace nemo
