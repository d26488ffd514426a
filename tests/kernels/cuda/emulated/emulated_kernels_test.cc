// What depends on the emulator: a library of products whose times are made up, a kernel alone.
#include <algorithm>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "kernels/cuda/backend.h"
#include "kernels/cuda/kernels.h"
#include "kernels/reference/backend.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"
#include "tests/kernels/cuda/emulator/gemm.h"
#include "tests/kernels/cuda/emulator/runtime.h"
#include "tests/kernels/cuda/tolerance.h"

namespace nemo::testing {
namespace {

class GemmLibraryOfADevice : public ::testing::Test {
 protected:
  void SetUp() override {
    simt::SetOrder(simt::Order::kShuffled);
    simt::SetGemmLibrary({});
    auto backend = CreateCudaBackend({});
    ASSERT_TRUE(backend) << backend.error().message();
    backend_ = std::move(*backend);
  }
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Backend> reference_ = CreateReferenceBackend();
  std::mt19937 random_{77};
};

TEST_F(GemmLibraryOfADevice, ALibraryTakesLargeProductsByItsFastestWay) {
  simt::SetGemmLibrary({3.0, -1, 1.0, 2.0});
  auto backend = CreateCudaBackend({});
  ASSERT_TRUE(backend);
  const LinearInput in = RandomLinear(random_, 72, 264, 65, 8);
  for (const Epilogue epilogue : {Epilogue::kBf16, Epilogue::kRelu2Bf16, Epilogue::kFloat}) {
    ExpectSame(RunLinear(*reference_, in, epilogue), RunLinear(**backend, in, epilogue),
               Format("epilogue {}", static_cast<int>(epilogue)), kTensorCores);
  }
  // One run warms up and three are timed, for bf16 and for fp32 outputs; both bf16 epilogues share.
  const std::vector<int> tried = {0, 0, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3};
  std::vector<int> expected = tried;
  expected.insert(expected.end(), {2, 2});
  expected.insert(expected.end(), tried.begin(), tried.end());
  expected.push_back(2);
  EXPECT_EQ(simt::GemmRuns(), expected);
}

TEST_F(GemmLibraryOfADevice, WhatTheLibraryCannotDoIsDoneWithoutIt) {
  simt::SetGemmLibrary({-1});
  auto backend = CreateCudaBackend({});
  ASSERT_TRUE(backend);
  LinearInput in = RandomLinear(random_, 72, 264, 65, 8);
  const std::vector<float> expected = RunLinear(*reference_, in, Epilogue::kBf16);
  ExpectSame(expected, RunLinear(**backend, in, Epilogue::kBf16), "no candidate runs",
             kTensorCores);
  simt::SetGemmLibrary({1.0});
  auto other = CreateCudaBackend({});
  ASSERT_TRUE(other);
  in.offset = 1;
  ExpectSame(expected, RunLinear(**other, in, Epilogue::kBf16), "not aligned", kTensorCores);
  in.offset = 0;
  in.m = 64;
  in.x.resize(64 * in.k);
  RunLinear(**other, in, Epilogue::kBf16);
  EXPECT_TRUE(simt::GemmRuns().empty()) << "64 tokens are ours";
}

struct Matrix {
  int64_t n, k;
  int leaves;
};

TEST(Pack, HoldsEachElementOnceAndZerosBesides) {
  for (const Matrix& m :
       {Matrix{1, 1, 1}, {32, 8, 1}, {33, 7, 1}, {70, 264, 8}, {31, 24, 8}, {64, 130, 2}}) {
    const cuda::PackedShape shape{m.n, m.k, m.leaves};
    std::vector<BF16> rows(m.n * m.k);
    std::iota(rows.begin(), rows.end(), BF16{1});
    std::vector<BF16> out(shape.panels() * shape.panel_elements(), BF16{0xffff});
    ASSERT_EQ(cuda::LaunchPack({rows.data(), shape, out.data()}, nullptr), cudaSuccess);
    for (int64_t i = 0; i < m.n * m.k; ++i) {
      const int64_t column = i / m.k, leaf = i % m.k / shape.leaf_size();
      const int64_t element = i % m.k % shape.leaf_size();
      const int64_t offset = shape.Offset(column / cuda::kPanelColumns, static_cast<int>(leaf),
                                          static_cast<int>(column % cuda::kPanelColumns)) +
                             element / 8 * cuda::kPanelColumns * 8 + element % 8;
      ASSERT_EQ(out[offset], rows[i]) << Format("column {} input {}", column, i % m.k);
    }
    EXPECT_EQ(std::count(out.begin(), out.end(), BF16{0}), std::ssize(out) - m.n * m.k);
  }
}

}  // namespace
}  // namespace nemo::testing
