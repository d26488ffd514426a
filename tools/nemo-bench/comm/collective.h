// A row of the collectives bench. Sizes, algorithm and bus bandwidth are those of nccl-tests
// (NVIDIA/nccl-tests: doc/PERFORMANCE.md): the bus bandwidth is what a link has to carry, the same
// for any number of ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/communicator.h"
#include "tools/nemo-bench/measure/samples.h"

namespace nemo {

/// One collective of one size on one rank.
class CollectiveRun {
 public:
  virtual ~CollectiveRun() = default;
  virtual Status Run() = 0;
  /// Waits for runs that only enqueue.
  virtual Status Finish() { return OkStatus(); }
  /// After a Run from fresh data: how many elements are not what they must be.
  virtual int64_t CountWrong() const = 0;
};

struct CollectiveRow {
  std::string_view name;
  std::string_view description;
  /// `size_bytes` is what nccl-tests calls size: the data of a rank, or for all_gather of all.
  /// kInvalidArgument: the ranks are too few.
  std::unique_ptr<CollectiveRun> (*prepare)(Communicator& world, int64_t size_bytes);
  /// Bus bandwidth over algorithm bandwidth with `ranks` ranks.
  double (*bus_factor)(double ranks);
};
std::span<const CollectiveRow> CollectiveRows();

/// What nccl-tests would count for a row: size_bytes / seconds, and that times the factor.
struct Bandwidths {
  double algorithm = 0, bus = 0;  ///< bytes per second
};
Bandwidths BandwidthsOf(const CollectiveRow& row, int64_t ranks, int64_t size_bytes,
                        double seconds);

struct CollectiveResult {
  Summary time;           ///< of the slowest rank in each run
  int64_t num_wrong = 0;  ///< elements, all ranks
};
using PrepareRun = std::function<Result<std::unique_ptr<CollectiveRun>>()>;
/// Checks one run, then times `runs`. Collective over `world`; the same on every rank.
Result<CollectiveResult> MeasureCollective(const CollectiveRow& row, Communicator& world,
                                           int64_t size_bytes, int64_t runs);
/// The same of what `prepare` makes.
Result<CollectiveResult> MeasureCollective(const PrepareRun& prepare, Communicator& world,
                                           int64_t runs);

}  // namespace nemo
