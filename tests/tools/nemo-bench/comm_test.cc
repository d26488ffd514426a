#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "tools/nemo-bench/comm/collective.h"

namespace nemo {
namespace {

const CollectiveRow& RowOf(std::string_view name) {
  for (const CollectiveRow& row : CollectiveRows()) {
    if (row.name == name) return row;
  }
  ADD_FAILURE() << name;
  return CollectiveRows()[0];
}

TEST(Collectives, ResultsAreRightOnAnyNumberOfRanks) {
  for (const int ranks : {2, 3, 4}) {
    const Status status = RunRanks(ranks, [&](Communicator& world) -> Status {
      for (const CollectiveRow& row : CollectiveRows()) {
        for (const int64_t size : {4, 1000, 50'000}) {
          NEMO_ASSIGN_OR_RETURN(const CollectiveResult result,
                                MeasureCollective(row, world, size, 2));
          EXPECT_EQ(result.num_wrong, 0) << row.name << " " << ranks << " ranks, " << size;
          EXPECT_EQ(result.time.runs, 2);
        }
      }
      return OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

TEST(Collectives, BandwidthsAreThoseOfNcclTests) {
  // NVIDIA/nccl-tests: doc/PERFORMANCE.md. 8 ranks, 1 GB in 10 ms: algbw 100 GB/s.
  const struct {
    const char* name;
    double bus;
  } rows[] = {
      {"all_reduce", 175e9}, {"all_gather", 87.5e9}, {"broadcast", 100e9}, {"send_recv", 100e9}};
  for (const auto& row : rows) {
    const Bandwidths bandwidths = BandwidthsOf(RowOf(row.name), 8, 1'000'000'000, 0.01);
    EXPECT_DOUBLE_EQ(bandwidths.algorithm, 100e9) << row.name;
    EXPECT_DOUBLE_EQ(bandwidths.bus, row.bus) << row.name;
  }
}

TEST(Collectives, WrongResultsAreCounted) {
  // A broadcast whose root is silent leaves every other rank's own data.
  const Status status = RunRanks(2, [&](Communicator& world) -> Status {
    const auto run = RowOf("broadcast").prepare(world, 4 * 100);
    EXPECT_EQ(run->CountWrong(), world.rank() == 0 ? 0 : 100);
    NEMO_RETURN_IF_ERROR(run->Run());
    EXPECT_EQ(run->CountWrong(), 0);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

}  // namespace
}  // namespace nemo
