// The CUDA backend against the reference. Without a device these tests skip with the driver's
// reason, but for those that say what happens then.
#include <cmath>

#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "tests/conformance/backend_suite.h"
#include "tests/kernels/cuda/device_suite.h"

namespace nemo::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Cuda, BackendSuite,
    ::testing::Values(BackendCase{"exact",
                                  [] { return CreateCudaBackend({.deterministic = true}); }},
                      BackendCase{"fast", [] { return CreateCudaBackend({}); }, kTensorCores}),
    BackendCaseName);
INSTANTIATE_TEST_SUITE_P(Cuda, DeviceSuite, ::testing::Values(CreateCudaBackend));

/// With the sums of the contract.
class CudaBackend : public ::testing::Test {
 protected:
  void SetUp() override {
    auto backend = CreateCudaBackend({.deterministic = true});
    if (backend.error().code() == StatusCode::kUnavailable)
      GTEST_SKIP() << backend.error().message();
    ASSERT_TRUE(backend.has_value()) << backend.error().message();
    backend_ = std::move(backend).value();
  }

  std::unique_ptr<Backend> backend_;
  std::mt19937 random_{5};
};

TEST(CudaBackendWithoutDevice, SaysWhatTheDriverReports) {
  if (CudaAvailable()) GTEST_SKIP() << "this machine has a CUDA device";
  const Status error = CreateCudaBackend({}).error();
  EXPECT_EQ(error.code(), StatusCode::kUnavailable);
  EXPECT_EQ(error.message().find("no CUDA device: the driver reports "), 0u) << error.message();
}

TEST_F(CudaBackend, NamesItsArchitectureAndKeepsItsMemoryToItself) {
  EXPECT_EQ(backend_->name(), "cuda");
  EXPECT_EQ(backend_->variant().substr(0, 3), "sm_");
  EXPECT_FALSE(backend_->host_memory());
}

TEST_F(CudaBackend, CountsDevicesFromZeroAndRoundAgain) {
  EXPECT_TRUE(CreateCudaBackend({.device = 1 << 20}).has_value());
  EXPECT_EQ(CreateCudaBackend({.device = -1}).error().code(), StatusCode::kInvalidArgument);
}

TEST_F(CudaBackend, SaysHowMuchMemoryWasAskedForAndGoesOn) {
  const Status error = backend_->Allocate(int64_t{1} << 50).error();
  EXPECT_EQ(error.code(), StatusCode::kIo);
  EXPECT_NE(error.message().find(FormatBytes(int64_t{1} << 50)), std::string::npos)
      << error.message();
  EXPECT_TRUE(backend_->Allocate(1 << 20).has_value());
  EXPECT_TRUE(backend_->Synchronize().ok());
}

TEST_F(CudaBackend, PacksMoreThanItsStagingHolds) {
  const LinearInput in = RandomLinear(random_, 2500, 4096, 3, 8);
  const auto reference = CreateReferenceBackend();
  ExpectSame(RunLinear(*reference, in, Epilogue::kFloat),
             RunLinear(*backend_, in, Epilogue::kFloat), "20 MB of weights");
}

TEST_F(CudaBackend, LibraryAndOwnProductsAgree) {
  auto fast = CreateCudaBackend({});
  ASSERT_TRUE(fast.has_value()) << fast.error().message();
  if (CudaLibraryName(**fast).empty()) GTEST_SKIP() << "this machine has no cuBLASLt";
  const LinearInput in = RandomLinear(random_, 512, 1024, 130, 1);  // more tokens than are ours
  for (const Epilogue epilogue : {Epilogue::kBf16, Epilogue::kRelu2Bf16, Epilogue::kFloat}) {
    ExpectSame(RunLinear(*backend_, in, epilogue), RunLinear(**fast, in, epilogue),
               CudaLibraryName(**fast), kTensorCores);
  }
}

TEST_F(CudaBackend, ProbesWhatTheDeviceCanDo) {
  const auto rates = ProbeCuda(*backend_);
  ASSERT_TRUE(rates.has_value()) << rates.error().message();
  EXPECT_GT(rates->read_bytes_per_second, 1e10);
  EXPECT_GT(rates->copy_bytes_per_second, 1e10);
  EXPECT_GT(rates->flops_per_second, 1e12);
}

TEST_F(CudaBackend, TwoOfThemShareADevice) {
  const LinearInput in = RandomLinear(random_, 40, 72, 3, 1);
  const std::vector<float> expected = RunLinear(*backend_, in, Epilogue::kFloat);
  {
    auto other = CreateCudaBackend({.deterministic = true});
    ASSERT_TRUE(other.has_value()) << other.error().message();
    ExpectSame(expected, RunLinear(**other, in, Epilogue::kFloat), "the other");
  }
  ExpectSame(expected, RunLinear(*backend_, in, Epilogue::kFloat), "alone again");
}

/// Numbers of any sign and significand with exponents in [lowest, lowest + count).
std::vector<BF16> WithExponents(std::mt19937& random, int64_t size, uint32_t lowest,
                                uint32_t count) {
  std::vector<BF16> out(size);
  for (BF16& v : out) {
    v = static_cast<BF16>((random() & 0x807fu) | (lowest + random() % count) << 7);
  }
  return out;
}

TEST_F(CudaBackend, FlushesWhereTheReferenceFlushes) {
  struct Row {
    uint32_t lowest, count;
    const char* what;
  };
  const auto reference = CreateReferenceBackend();
  for (const Row& row :
       {Row{0, 255, "any finite number"}, Row{60, 8, "products below the least normal"},
        Row{50, 24, "sums around the least normal"}, Row{0, 2, "denormals"}}) {
    const LinearInput in{192,
                         600,
                         8,
                         2,
                         WithExponents(random_, 192 * 600, row.lowest, row.count),
                         WithExponents(random_, 8 * 600, row.lowest, row.count)};
    ExpectSame(RunLinear(*reference, in, Epilogue::kFloat),
               RunLinear(*backend_, in, Epilogue::kFloat), row.what);
  }
}

}  // namespace
}  // namespace nemo::testing
