// The kernels of kernels/cuda at the sizes they are made for, in the emulator.
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

namespace nemo::testing {
namespace {

/// As in emulated_backend_test.cc.
constexpr Tolerance kFast = {0x1p-7, 0x1p-6};

class FastKernels : public ::testing::Test {
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

TEST_F(FastKernels, LinearAddsItsSplitsForEveryTileOfTokens) {
  // Four splits of 17 chunks on the emulator's four multiprocessors.
  const LinearInput all = RandomLinear(random_, 100, 4104, 130, 8);
  for (const Epilogue epilogue : {Epilogue::kFloat, Epilogue::kRelu2Bf16}) {
    const std::vector<float> expected = RunLinear(*reference_, all, epilogue);
    std::vector<float> alone;
    for (const int64_t m : {130, 64, 32, 16, 8, 1}) {
      LinearInput in = all;
      in.m = m;
      in.x.resize(m * all.k);
      const std::vector<float> got = RunLinear(*backend_, in, epilogue);
      const std::vector<float> rows(expected.begin(), expected.begin() + m * all.n);
      ExpectSame(rows, got, Format("{} tokens", m), {0x1p-10, 0x1p-6});
      if (alone.empty()) alone = got;
      ExpectSame({alone.begin(), alone.begin() + m * all.n}, got,
                 Format("{} tokens, as in a batch of 130", m));
    }
  }
}

/// Decoding and a prompt in pieces, at head_dim 192 with 12 query heads, and 128 with 7.
TEST_F(FastKernels, AttentionHasTheSameBitsAloneInARunAndInAChunk) {
  for (const Heads& heads : {Heads{12, 1, 192}, Heads{14, 2, 128}}) {
    const PagedInput all =
        RandomPaged(random_, {{1090, 6}, {1, 1}, {70, 9}}, heads.q, heads.kv, heads.dim);
    const std::vector<float> together = RunAttention(*backend_, all);
    ExpectSame(RunAttention(*reference_, all), together, "together", kFast);
    const int64_t qkv_row = (heads.q + 2 * heads.kv) * heads.dim;
    for (const int64_t chunk : {1, 3}) {
      std::vector<float> pieces;
      for (int64_t begin = 0; begin < all.num_tokens(); begin += chunk) {
        const int64_t end = std::min(begin + chunk, all.num_tokens());
        PagedInput part = all;
        part.positions.assign(all.positions.begin() + begin, all.positions.begin() + end);
        part.sequence_of.assign(all.sequence_of.begin() + begin, all.sequence_of.begin() + end);
        part.qkv.assign(all.qkv.begin() + begin * qkv_row, all.qkv.begin() + end * qkv_row);
        const std::vector<float> out = RunAttention(*backend_, part);
        pieces.insert(pieces.end(), out.begin(), out.end());
      }
      ExpectSame(together, pieces, Format("head_dim {}, chunks of {}", heads.dim, chunk));
    }
  }
}

/// More tokens than get memory for partial results: one block walks the splits.
TEST_F(FastKernels, DecodeOfALargeBatchHasTheBitsOfASmallOne) {
  std::vector<SequencePart> parts(260, {2, 1});
  parts[3] = {1030, 1};
  const PagedInput all = RandomPaged(random_, parts, 2, 1, 128);
  const std::vector<float> together = RunAttention(*backend_, all);
  PagedInput few = all;
  few.positions.resize(4);
  few.sequence_of.resize(4);
  few.qkv.resize(4 * 4 * 128);
  ExpectSame({together.begin(), together.begin() + 4 * 2 * 128}, RunAttention(*backend_, few),
             "the first four");
  ExpectSame(RunAttention(*reference_, few), RunAttention(*backend_, few), "reference", kFast);
}

TEST_F(FastKernels, NormTakesRowsOfEveryLengthThatFits) {
  for (const int64_t hidden : {8, 3072, 4096, 4104, 18432, 32768, 32776}) {
    NormInput in{2,
                 hidden,
                 RandomBF16(random_, 2 * hidden),
                 RandomBF16(random_, hidden),
                 RandomBF16(random_, hidden),
                 RandomFloats(random_, 2 * hidden)};
    in.has_update = in.has_norm = in.zero_centered = true;
    in.replace = false;
    in.profile = DTypeProfile::kMegatron;
    ExpectSame(RunNorm(*reference_, in), RunNorm(*backend_, in), Format("hidden {}", hidden),
               kFast);
  }
}

TEST_F(FastKernels, ALibraryTakesLargeProductsByItsFastestWay) {
  simt::SetGemmLibrary({3.0, -1, 1.0, 2.0});
  auto backend = CreateCudaBackend({});
  ASSERT_TRUE(backend);
  const LinearInput in = RandomLinear(random_, 72, 264, 65, 8);
  for (const Epilogue epilogue : {Epilogue::kBf16, Epilogue::kRelu2Bf16, Epilogue::kFloat}) {
    ExpectSame(RunLinear(*reference_, in, epilogue), RunLinear(**backend, in, epilogue),
               Format("epilogue {}", static_cast<int>(epilogue)), kFast);
  }
  // One run warms up and three are timed, for bf16 and for fp32 outputs; both bf16 epilogues share.
  const std::vector<int> tried = {0, 0, 0, 0, 2, 2, 2, 2, 3, 3, 3, 3};
  std::vector<int> expected = tried;
  expected.insert(expected.end(), {2, 2});
  expected.insert(expected.end(), tried.begin(), tried.end());
  expected.push_back(2);
  EXPECT_EQ(simt::GemmRuns(), expected);
}

TEST_F(FastKernels, WhatTheLibraryCannotDoIsDoneWithoutIt) {
  simt::SetGemmLibrary({-1});
  auto backend = CreateCudaBackend({});
  ASSERT_TRUE(backend);
  LinearInput in = RandomLinear(random_, 72, 264, 65, 8);
  const std::vector<float> expected = RunLinear(*reference_, in, Epilogue::kBf16);
  ExpectSame(expected, RunLinear(**backend, in, Epilogue::kBf16), "no candidate runs", kFast);
  simt::SetGemmLibrary({1.0});
  auto other = CreateCudaBackend({});
  ASSERT_TRUE(other);
  in.offset = 1;
  ExpectSame(expected, RunLinear(**other, in, Epilogue::kBf16), "not aligned", kFast);
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

TEST_F(FastKernels, SeveralThreadsPackOneWeightThroughTheSameStaging) {
  for (const bool deterministic : {false, true}) {
    auto backend = CreateCudaBackend({.deterministic = deterministic});
    ASSERT_TRUE(backend);
    const int64_t n = 640, k = 4100;  // pieces of 512 rows, and rows that are padded
    const LinearInput in = RandomLinear(random_, n, k, 2, 1);
    auto weight = (*backend)->AllocateWeight(n, k, 1);
    ASSERT_TRUE(weight);
    std::vector<std::thread> threads;
    for (int64_t row = 0; row < n; row += 64) {
      threads.emplace_back([&, row] {
        const Status packed = (*backend)->PackRows(
            **weight, row, std::span<const BF16>(in.weight).subspan(row * k, 64 * k));
        EXPECT_TRUE(packed.ok()) << packed.message();
      });
    }
    for (std::thread& thread : threads) thread.join();
    ExpectSame(RunLinear(**backend, in, Epilogue::kFloat),
               RunLinear(**backend, in, Epilogue::kFloat, weight->get()), "packed by threads");
  }
}

}  // namespace
}  // namespace nemo::testing
