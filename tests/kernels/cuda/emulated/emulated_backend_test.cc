// The whole CUDA wing, every line of its kernels included, in the emulator: the suite of all
// backends and the wing's own.
#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "tests/conformance/backend_suite.h"
#include "tests/kernels/cuda/device_suite.h"
#include "tests/kernels/cuda/emulator/gemm.h"
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo::testing {
namespace {

/// With the threads of a block in an order of chance.
Result<std::unique_ptr<Backend>> Emulated(const BackendOptions& options) {
  simt::SetOrder(simt::Order::kShuffled);
  simt::SetGemmLibrary({});
  return CreateCudaBackend(options);
}

INSTANTIATE_TEST_SUITE_P(
    Emulated, BackendSuite,
    ::testing::Values(BackendCase{"exact", [] { return Emulated({.deterministic = true}); }},
                      BackendCase{"fast", [] { return Emulated({}); }, kTensorCores}),
    BackendCaseName);
INSTANTIATE_TEST_SUITE_P(Emulated, DeviceSuite, ::testing::Values(Emulated));

TEST(EmulatedEngine, ReplaysItsDecodeSteps) {
  const int64_t launches = simt::NumCalls("cudaGraphLaunch");
  const auto logits = LogitsWith({2, 1, [] { return Emulated({}); }});
  ASSERT_TRUE(logits) << logits.error().message();
  // Of six decode steps of two ranks the first is done as it is.
  EXPECT_EQ(simt::NumCalls("cudaGraphLaunch") - launches, 2 * 5);
}

}  // namespace
}  // namespace nemo::testing
