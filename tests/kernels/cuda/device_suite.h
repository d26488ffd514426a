// What the CUDA wing must do beyond the suite of all backends, on a device or in the emulator: the
// sizes that its kernels are made for, recorded steps, sums over ranks, whole models. Instantiate
// it with INSTANTIATE_TEST_SUITE_P(Name, DeviceSuite, ::testing::Values(CreateDevice{...})).
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/options.h"
#include "kernels/reference/backend.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"
#include "tests/kernels/cuda/model_run.h"
#include "tests/kernels/cuda/tolerance.h"

namespace nemo::testing {

using CreateDevice = std::function<Result<std::unique_ptr<Backend>>(const BackendOptions&)>;

class DeviceSuite : public ::testing::TestWithParam<CreateDevice> {
 protected:
  void SetUp() override {
    auto backend = Create({});
    if (backend.error().code() == StatusCode::kUnavailable)
      GTEST_SKIP() << backend.error().message();
    ASSERT_TRUE(backend) << backend.error().message();
    backend_ = std::move(*backend);
  }
  static Result<std::unique_ptr<Backend>> Create(const BackendOptions& options) {
    return GetParam()(options);
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Backend> reference_ = CreateReferenceBackend();
  std::mt19937 random_{77};
};

TEST_P(DeviceSuite, LinearAddsItsSplitsForEveryTileOfTokens) {
  // 17 chunks in four splits, on four multiprocessors as on 132.
  const LinearInput all = RandomLinear(random_, 100, 4104, 130, 8);
  for (const Epilogue epilogue : {Epilogue::kFloat, Epilogue::kRelu2Bf16}) {
    const std::vector<float> expected = RunLinear(*reference_, all, epilogue);
    std::vector<float> of_64;
    for (const int64_t m : {130, 64, 32, 16, 8, 1}) {
      LinearInput in = all;
      in.m = m;
      in.x.resize(m * all.k);
      const std::vector<float> got = RunLinear(*backend_, in, epilogue);
      const std::vector<float> rows(expected.begin(), expected.begin() + m * all.n);
      ExpectSame(rows, got, Format("{} tokens", m), {0x1p-10, 0x1p-6});
      if (m > 64) continue;  // a library's, where there is one
      if (of_64.empty()) of_64 = got;
      ExpectSame({of_64.begin(), of_64.begin() + m * all.n}, got,
                 Format("{} tokens, as in a batch of 64", m));
    }
  }
}

/// Decoding and a prompt in pieces, at head_dim 192 with 12 query heads, and 128 with 7.
TEST_P(DeviceSuite, AttentionHasTheSameBitsAloneInARunAndInAChunk) {
  for (const Heads& heads : {Heads{12, 1, 192}, Heads{14, 2, 128}}) {
    const PagedInput all =
        RandomPaged(random_, {{1090, 6}, {1, 1}, {70, 9}}, heads.q, heads.kv, heads.dim);
    const std::vector<float> together = RunAttention(*backend_, all);
    ExpectSame(RunAttention(*reference_, all), together, "together", kTensorCores);
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
TEST_P(DeviceSuite, DecodeOfALargeBatchHasTheBitsOfASmallOne) {
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
  ExpectSame(RunAttention(*reference_, few), RunAttention(*backend_, few), "reference",
             kTensorCores);
}

TEST_P(DeviceSuite, NormTakesRowsOfEveryLengthThatFits) {
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
               kTensorCores);
  }
}

TEST_P(DeviceSuite, SeveralThreadsPackOneWeightThroughTheSameStaging) {
  for (const bool deterministic : {false, true}) {
    auto backend = Create({.deterministic = deterministic});
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

TEST_P(DeviceSuite, ReplaysOperationsOnWhatIsInMemoryThen) {
  const LinearInput in = RandomLinear(random_, 100, 4104, 3, 1);
  auto weight = backend_->Pack(in.weight, in.n, in.k, 1);
  ASSERT_TRUE(weight);
  DeviceArray<BF16> x(*backend_, in.x);
  DeviceArray<float> y(*backend_, std::vector<float>(in.m * in.n));
  int num_calls = 0;
  const auto calls = [&] {
    ++num_calls;
    return backend_->ops().linear(*backend_,
                                  {weight->get(), x.data(), in.m, y.data(), Epilogue::kFloat});
  };
  for (int step = 0; step < 4; ++step) {
    LinearInput now = in;
    now.x = RandomBF16(random_, in.m * in.k);
    ASSERT_TRUE(backend_->Upload(x.data(), std::as_bytes(std::span(now.x))).ok());
    ASSERT_TRUE(backend_->Repeat(3, calls).ok());
    ExpectSame(RunLinear(*backend_, now, Epilogue::kFloat), y.Download(), Format("step {}", step));
  }
  EXPECT_EQ(num_calls, 2);
  // More scratch moves what the records point to.
  RunLinear(*backend_, RandomLinear(random_, 200, 4104, 64, 1), Epilogue::kFloat);
  ASSERT_TRUE(backend_->Repeat(3, calls).ok());
  EXPECT_EQ(num_calls, 3) << "an old record was replayed";
}

TEST_P(DeviceSuite, SumsOverRanksHaveTheBitsOfTheHostsSums) {
  struct Row {
    int ranks;
    bool deterministic;
  };
  for (const Row& row : {Row{2, true}, {3, false}, {4, true}, {8, false}}) {
    const Status status = RunRanks(row.ranks, [&](Communicator& group) -> Status {
      NEMO_ASSIGN_OR_RETURN(const auto backend, Create({.deterministic = row.deterministic}));
      NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, backend->JoinGroup(group));
      EXPECT_NE(sum, nullptr);
      std::mt19937 random(static_cast<uint32_t>(group.rank()) + 1);
      // Sizes that go up and down, so that blocks of neighbouring rounds have different work.
      for (const int64_t count : {1, 5000, 33, 70'000, 1024, 40'000, 3}) {
        std::vector<float> host = RandomFloats(random, count);
        DeviceArray<float> device(*backend, host);
        NEMO_RETURN_IF_ERROR(sum->AllReduceSum(device.data(), count));
        NEMO_RETURN_IF_ERROR(group.AllReduceSum(host));
        ExpectSame(host, device.Download(), Format("{} floats", count));
      }
      return OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status.message();
  }
}

/// Ranks take neighbouring devices where there are several, and share one elsewhere.
TEST_P(DeviceSuite, AModelHasTheBitsOfTheReferenceWhereTheyArePromised) {
  const std::vector<float> expected = ExpectedLogits();
  ASSERT_EQ(expected.size(), 7u * 3 * 320);
  for (const auto& [tp, pp] : {std::pair{1, 1}, {1, 2}, {2, 2}}) {
    std::atomic<int> num_ranks{0};
    const auto logits = LogitsWith(
        {tp, pp, [&] { return Create({.device = num_ranks++, .deterministic = true}); }});
    ASSERT_TRUE(logits) << logits.error().message();
    EXPECT_EQ(*logits, expected) << "TP" << tp << " PP" << pp;
  }
}

TEST_P(DeviceSuite, AModelOnTheTensorCoresIsWithinRounding) {
  const std::vector<float> expected = ExpectedLogits();
  for (const int tp : {1, 2}) {
    std::atomic<int> num_ranks{0};
    const auto logits = LogitsWith({tp, 1, [&] { return Create({.device = num_ranks++}); }});
    ASSERT_TRUE(logits) << logits.error().message();
    ASSERT_EQ(logits->size(), expected.size());
    double square = 0, difference = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      square += double{expected[i]} * expected[i];
      difference += std::pow(double{(*logits)[i]} - expected[i], 2);
    }
    EXPECT_GT(square, 0);
    // The rms of what bf16 leaves open: see docs/nemo-bench.md, --check.
    EXPECT_LT(std::sqrt(difference / square), 1.0 / 128) << "TP" << tp;
    if (tp > 1) continue;
    const auto again = LogitsWith({tp, 1, [] { return Create({}); }});
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *logits) << "the same batch on the same layout";
  }
}

}  // namespace nemo::testing
