// The whole CUDA wing, every line of its kernels included, in the emulator: the suite of all
// backends, and what happens when the driver says no.
#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "tests/conformance/backend_suite.h"
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo::testing {
namespace {

BackendCase Emulated(const std::string& name, simt::Order order, bool deterministic,
                     Tolerance tolerance) {
  return {name,
          [order, deterministic] {
            simt::SetOrder(order);
            return CreateCudaBackend({.deterministic = deterministic});
          },
          tolerance};
}

/// Results are bf16 of sums whose order differs: an element may round to the neighbour, 2^-8 of it,
/// and its square to the next but one; attention rounds probabilities too, which moves an output by
/// at most 2^-9 of the values, whose size is 1 to 4.
constexpr Tolerance kFast = {0x1p-7, 0x1p-6};

INSTANTIATE_TEST_SUITE_P(Exact, BackendSuite,
                         ::testing::Values(Emulated("shuffled", simt::Order::kShuffled, true, {})),
                         BackendCaseName);
INSTANTIATE_TEST_SUITE_P(Fast, BackendSuite,
                         ::testing::Values(Emulated("shuffled", simt::Order::kShuffled, false,
                                                    kFast)),
                         BackendCaseName);

}  // namespace
}  // namespace nemo::testing
