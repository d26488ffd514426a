#include "tools/nemo-bench/comm/collective.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/progress.h"
#include "tools/nemo-bench/measure/repeat.h"

namespace nemo {
namespace {

/// Shorter calls are timed several at a time.
constexpr double kSampleSeconds = 2e-4;

template <typename T>
Result<std::vector<T>> Gather(Communicator& world, const std::vector<T>& mine) {
  std::vector<T> all(mine.size() * static_cast<size_t>(world.size()));
  NEMO_RETURN_IF_ERROR(
      world.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
  return all;
}

Result<double> TimeCalls(Communicator& world, CollectiveRun& run, int64_t calls) {
  NEMO_RETURN_IF_ERROR(world.Barrier());
  const Stopwatch watch;
  for (int64_t i = 0; i < calls; ++i) NEMO_RETURN_IF_ERROR(run.Run());
  NEMO_RETURN_IF_ERROR(run.Finish());
  return watch.wall_seconds() / static_cast<double>(calls);
}

}  // namespace

Bandwidths BandwidthsOf(const CollectiveRow& row, int64_t ranks, int64_t size_bytes,
                        double seconds) {
  const double algorithm = static_cast<double>(size_bytes) / seconds;
  return {algorithm, algorithm * row.bus_factor(static_cast<double>(ranks))};
}

Result<CollectiveResult> MeasureCollective(const CollectiveRow& row, Communicator& world,
                                           int64_t size_bytes, int64_t runs) {
  return MeasureCollective(
      [&]() -> Result<std::unique_ptr<CollectiveRun>> { return row.prepare(world, size_bytes); },
      world, runs);
}

Result<CollectiveResult> MeasureCollective(const PrepareRun& prepare, Communicator& world,
                                           int64_t runs) {
  CollectiveResult result;
  {
    NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<CollectiveRun> run, prepare());
    NEMO_RETURN_IF_ERROR(run->Run());
    NEMO_RETURN_IF_ERROR(run->Finish());
    NEMO_ASSIGN_OR_RETURN(const std::vector<int64_t> wrong,
                          Gather<int64_t>(world, {run->CountWrong()}));
    for (const int64_t count : wrong) result.num_wrong += count;
  }
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<CollectiveRun> run, prepare());
  NEMO_ASSIGN_OR_RETURN(double first, TimeCalls(world, *run, 1));
  NEMO_ASSIGN_OR_RETURN(first, TimeCalls(world, *run, 2));
  auto calls = static_cast<int64_t>(
      std::clamp(std::ceil(kSampleSeconds / std::max(first, 1e-9)), 1.0, 1000.0));
  // All ranks must make as many calls.
  NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(&calls, 1)), 0));
  std::vector<double> seconds;
  for (int64_t i = 0; i < runs; ++i) {
    NEMO_ASSIGN_OR_RETURN(const double one, TimeCalls(world, *run, calls));
    seconds.push_back(one);
  }
  NEMO_ASSIGN_OR_RETURN(const std::vector<double> all, Gather(world, seconds));
  for (size_t i = 0; i < all.size(); ++i) {
    double& slowest = seconds[i % seconds.size()];
    slowest = std::max(slowest, all[i]);
  }
  result.time = Summarize(std::move(seconds));
  // Every rank learns of it here, or none.
  int64_t stop = StopRequested() ? 1 : 0;
  NEMO_ASSIGN_OR_RETURN(const std::vector<int64_t> stops, Gather<int64_t>(world, {stop}));
  if (*std::max_element(stops.begin(), stops.end()) > 0) {
    return IoError(Format("stopped by signal {}", StopSignal()));
  }
  return result;
}

}  // namespace nemo
