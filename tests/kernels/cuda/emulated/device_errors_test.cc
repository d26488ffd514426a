// What is said when the driver says no.
#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo::testing {
namespace {

TEST(DeviceErrors, WithoutADeviceOrADriver) {
  simt::SetDevices(0);
  EXPECT_EQ(CreateCudaBackend({}).error().code(), StatusCode::kUnavailable);
  EXPECT_EQ(CreateCudaBackend({}).error().message(),
            "no CUDA device: the driver reports cudaErrorNoDevice (cudaErrorNoDevice)");
  EXPECT_FALSE(CudaAvailable());
  simt::SetDevices(1);
  EXPECT_TRUE(CudaAvailable());
  simt::FailCall("cudaGetDeviceCount", cudaErrorInsufficientDriver);
  EXPECT_EQ(CreateCudaBackend({}).error().message(),
            "no CUDA device: the driver reports cudaErrorInsufficientDriver "
            "(cudaErrorInsufficientDriver)");
}

TEST(DeviceErrors, WithoutMachineCodeTheArchitectureToBuildForIsNamed) {
  simt::FailCall("cudaFuncGetAttributes", cudaErrorNoKernelImageForDevice);
  const Status error = CreateCudaBackend({}).error();
  EXPECT_EQ(error.code(), StatusCode::kUnavailable);
  EXPECT_NE(error.message().find("-DCMAKE_CUDA_ARCHITECTURES=90"), std::string::npos)
      << error.message();
}

TEST(DeviceErrors, OutOfMemorySaysHowMuchWasAskedFor) {
  auto backend = CreateCudaBackend({});
  ASSERT_TRUE(backend);
  const Status error = (*backend)->Allocate(int64_t{1} << 50).error();
  EXPECT_EQ(error.code(), StatusCode::kIo);
  EXPECT_NE(error.message().find(FormatBytes(int64_t{1} << 50)), std::string::npos);
  EXPECT_TRUE((*backend)->Allocate(64).has_value());
}

TEST(DeviceErrors, EveryCallThatFailsIsNamedAndTheNextOneWorks) {
  const LinearInput in = [] {
    std::mt19937 random(1);
    return RandomLinear(random, 40, 100, 3, 1);
  }();
  struct Row {
    const char* call;
    StatusCode code;
    cudaError_t error;
  };
  for (const bool deterministic : {false, true}) {
    for (const Row& row :
         {Row{"cudaSetDevice", StatusCode::kUnavailable, cudaErrorIllegalAddress},
          {"cudaMemcpyAsync", StatusCode::kUnavailable, cudaErrorIllegalAddress},
          {"cudaEventCreateWithFlags", StatusCode::kUnavailable, cudaErrorIllegalAddress},
          {"cudaEventRecord", StatusCode::kUnavailable, cudaErrorIllegalAddress},
          {"cudaHostAlloc", StatusCode::kIo, cudaErrorMemoryAllocation},
          {"cudaMalloc", StatusCode::kIo, cudaErrorMemoryAllocation},
          {"cudaMemsetAsync", StatusCode::kUnavailable, cudaErrorIllegalAddress}}) {
      auto backend = CreateCudaBackend({.deterministic = deterministic});
      ASSERT_TRUE(backend);
      simt::FailCall(row.call, row.error);
      const auto packed = (*backend)->Pack(in.weight, in.n, in.k, 1);
      EXPECT_EQ(packed.error().code(), row.code) << row.call;
      // Where memory is short the message says how much of it, not which call.
      const bool is_named = packed.error().message().find(row.call) != std::string::npos ||
                            packed.error().message().find("out of memory") != std::string::npos;
      EXPECT_TRUE(is_named) << row.call << ": " << packed.error().message();
      EXPECT_TRUE((*backend)->Pack(in.weight, in.n, in.k, 1).has_value()) << row.call;
    }
  }
}

TEST(DeviceErrors, ABackendGivesAllMemoryBack) {
  const int64_t before = simt::AllocatedBytes();
  {
    auto backend = CreateCudaBackend({});
    ASSERT_TRUE(backend);
    std::mt19937 random(2);
    RunLinear(**backend, RandomLinear(random, 100, 4104, 9, 1), Epilogue::kFloat);
    EXPECT_GT(simt::AllocatedBytes(), before);
  }
  EXPECT_EQ(simt::AllocatedBytes(), before);
}

}  // namespace
}  // namespace nemo::testing
