// The benchmarks of sums over ranks and of loading, and the probes, on emulated devices.
#include <fcntl.h>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/cuda/backend.h"
#include "tests/kernels/cuda/emulator/gemm.h"
#include "tests/kernels/cuda/emulator/nccl.h"
#include "tests/kernels/cuda/emulator/runtime.h"
#include "tests/testing.h"
#include "tools/nemo-bench/comm/device_sum.h"
#include "tools/nemo-bench/measure/load_file.h"

namespace nemo {
namespace {

TEST(DeviceSumRow, ChecksAndTimesTheSumOfEveryRank) {
  const Status status = RunRanks(3, [](Communicator& world) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({}));
    NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, backend->JoinGroup(world));
    const RankDevice device = {backend.get(), sum};
    NEMO_ASSIGN_OR_RETURN(
        const CollectiveResult result,
        MeasureCollective([&] { return PrepareDeviceSum(device, world, 1000); }, world, 2));
    EXPECT_EQ(result.num_wrong, 0);
    EXPECT_GT(result.time.median, 0);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_DOUBLE_EQ(BandwidthsOf(DeviceSumRow(), 4, 1000, 1).bus, 1500);
}

TEST(DeviceSendRow, ChecksAndTimesWhatGoesFromRankToRank) {
  simt::SetNccl(true);
  simt::SetDevices(3);
  const Status status = RunRanks(3, [](Communicator& world) -> Status {
    NEMO_ASSIGN_OR_RETURN(const auto backend, CreateCudaBackend({.device = world.rank()}));
    NEMO_ASSIGN_OR_RETURN(StageLink* const link, backend->JoinStages(world, NeighboursOf(world)));
    if (link == nullptr) return Unavailable("no link");
    const RankDevice device = {backend.get(), nullptr, link};
    NEMO_ASSIGN_OR_RETURN(
        const CollectiveResult result,
        MeasureCollective([&] { return PrepareDeviceSend(device, world, 1000); }, world, 3));
    EXPECT_EQ(result.num_wrong, 0);
    EXPECT_GT(result.time.median, 0);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  simt::SetNccl(false);
  simt::SetDevices(1);
}

TEST(LoadFile, BringsEveryBlockThroughTheStagingToItsPlace) {
  // Blocks of more than a slot of the staging, and more threads than slots.
  constexpr int64_t kBlock = int64_t{5} << 20, kBlocks = 7;
  const testing::TempDir folder;
  const std::string path = folder / "bytes";
  std::string bytes(kBlocks * kBlock, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 2654435761u >> 24);
  testing::WriteFileOrDie(path, bytes);
  const DirectIo file(path, Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)), O_RDONLY);
  auto backend = CreateCudaBackend({});
  ASSERT_TRUE(backend);
  std::vector<AlignedBuffer> buffers(10);
  std::string there(bytes.size(), '\0');
  {
    auto memory = (*backend)->Allocate(std::ssize(bytes));
    ASSERT_TRUE(memory);
    const Status loaded = LoadFile(file, kBlocks, kBlock, buffers, **backend, **memory);
    ASSERT_TRUE(loaded.ok()) << loaded.message();
    ASSERT_TRUE(
        (*backend)->Download(std::as_writable_bytes(std::span(there)), (*memory)->data()).ok());
    EXPECT_TRUE(there == bytes);
  }
  // With room for two blocks the last ones stay: of 7, block 6 and block 5.
  auto memory = (*backend)->Allocate(2 * kBlock);
  ASSERT_TRUE(memory);
  std::vector<AlignedBuffer> one(1);
  ASSERT_TRUE(LoadFile(file, kBlocks, kBlock, one, **backend, **memory).ok());
  there.resize(2 * kBlock);
  ASSERT_TRUE(
      (*backend)->Download(std::as_writable_bytes(std::span(there)), (*memory)->data()).ok());
  EXPECT_TRUE(there == bytes.substr(6 * kBlock) + bytes.substr(5 * kBlock, kBlock));

  simt::FailCall("cudaMemcpyAsync", cudaErrorIllegalAddress, 3);
  EXPECT_EQ(LoadFile(file, kBlocks, kBlock, buffers, **backend, **memory).code(),
            StatusCode::kUnavailable);
}

TEST(CudaLibrary, IsNamedAndDoesTheProductOfAnyNumberOfRows) {
  simt::SetGemmLibrary({1.0});
  auto backend = CreateCudaBackend({});
  ASSERT_TRUE(backend);
  EXPECT_EQ(CudaLibraryName(**backend), "the host's products");
  const std::vector<BF16> ones(64 * 8, BF16FromFloat(1.0f));
  auto weight = (*backend)->Pack(ones, 64, 8, 1);
  ASSERT_TRUE(weight);
  auto x = (*backend)->Allocate(8 * 2), y = (*backend)->Allocate(64 * 4);
  ASSERT_TRUE(x && y);
  ASSERT_TRUE((*backend)->Upload((*x)->data(), std::as_bytes(std::span(ones).first(8))).ok());
  const Status done = CudaLibraryLinear(
      **backend,
      {weight->get(), static_cast<const BF16*>((*x)->data()), 1, (*y)->data(), Epilogue::kFloat});
  EXPECT_TRUE(done.ok()) << done.message();
  std::vector<float> out(64);
  ASSERT_TRUE((*backend)->Download(std::as_writable_bytes(std::span(out)), (*y)->data()).ok());
  EXPECT_EQ(out, std::vector<float>(64, 8.0f));
  simt::SetGemmLibrary({});
  auto without = CreateCudaBackend({.deterministic = true});
  ASSERT_TRUE(without);
  EXPECT_EQ(CudaLibraryName(**without), "");
}

}  // namespace
}  // namespace nemo
