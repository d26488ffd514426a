#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/cpu/backend.h"
#include "kernels/registry.h"
#include "tests/conformance/backend_suite.h"

namespace nemo::testing {
namespace {

std::vector<BackendCase> AllVariants() {
  std::vector<BackendCase> cases;
  for (const std::string& isa : AvailableIsas()) {
    for (int threads : {1, 3}) {
      cases.push_back({Format("{}_{}_threads", isa, threads), [isa, threads] {
                         return CreateCpuBackend({.num_threads = threads, .isa = isa});
                       }});
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cpu, BackendSuite, ::testing::ValuesIn(AllVariants()), BackendCaseName);

/// The suite skips what is unavailable and says why; so it does for a machine without AMX.
Result<std::unique_ptr<Backend>> CreateAmxBackend() {
  auto backend = CreateCpuBackend({.num_threads = 2, .isa = "amx"});
  if (!backend) return Unavailable(backend.error().message());
  return backend;
}

// Other sums of up to 4112 products of numbers around 1: fp32 rounds each addition to 2^-24 of a
// sum below 2^9, which is less than 0.01 over all; the square doubles it times the value, and bf16
// may round to the neighbour, 2^-7 away.
INSTANTIATE_TEST_SUITE_P(Amx, BackendSuite,
                         ::testing::Values(BackendCase{"amx", CreateAmxBackend, {0.02, 0.0079}}),
                         BackendCaseName);

TEST(CpuBackend, ProductsHaveTheSameBitsForAnyNumberOfRows) {
  std::mt19937 random(5);
  const auto reference = CreateReferenceBackend();
  struct Row {
    int64_t n, k;
    int leaves, most_rows;
  };
  // Leaves of several slices, of odd length, and shorter than a tile; a panel that is partly there.
  for (const Row& row : {Row{130, 1002, 2, 70}, Row{66, 1805, 1, 33}, Row{64, 8 * 11, 8, 70}}) {
    const LinearInput whole = RandomLinear(random, row.n, row.k, row.most_rows, row.leaves);
    const std::vector<float> all = RunLinear(*reference, whole, Epilogue::kFloat);
    for (const std::string& isa : AvailableIsas()) {
      for (int threads : {1, 2}) {
        auto backend = CreateCpuBackend({.num_threads = threads, .isa = isa});
        ASSERT_TRUE(backend.has_value());
        for (int64_t m = 1; m <= row.most_rows; ++m) {
          LinearInput part = whole;
          part.m = m;
          part.x.resize(m * row.k);
          const std::vector<float> expected(all.begin(), all.begin() + m * row.n);
          ExpectSame(expected, RunLinear(**backend, part, Epilogue::kFloat),
                     Format("{}, {} threads, n {} k {} m {}", isa, threads, row.n, row.k, m));
        }
      }
    }
  }
}

/// Every finite bit pattern, so that sums overflow, cancel and underflow.
std::vector<BF16> AnyFinite(std::mt19937& random, int64_t count, uint32_t exponents) {
  std::vector<BF16> out(count);
  for (BF16& v : out) {
    const uint32_t exponent =
        exponents == 255 ? random() % 255 : 127 - exponents + random() % (2 * exponents);
    v = static_cast<BF16>((random() & 0x807fu) | exponent << 7);
  }
  return out;
}

TEST(CpuBackend, DotProductsOfAnyBitPatternsAgreeBetweenInstructionSets) {
  std::mt19937 random(7);
  const auto reference = CreateReferenceBackend();
  // Products of numbers near 2^-63 underflow, and so do their sums: the second row lives there.
  for (const auto& [exponents, scale] : {std::pair{255u, 0}, {4u, -63}, {12u, -66}, {20u, 0}}) {
    constexpr int64_t kMostRows = 40;
    LinearInput in{192,
                   600,
                   kMostRows,
                   2,
                   AnyFinite(random, 192 * 600, exponents),
                   AnyFinite(random, kMostRows * 600, exponents)};
    for (auto* values : {&in.weight, &in.x}) {
      for (BF16& v : *values) v = BF16FromFloat(std::ldexp(FloatFromBF16(v), scale));
    }
    // Few rows and many: kernels may take different ways.
    for (int64_t m : {kMostRows, int64_t{8}}) {
      in.m = m;
      in.x.resize(m * in.k);
      const std::vector<float> expected = RunLinear(*reference, in, Epilogue::kFloat);
      for (const std::string& isa : AvailableIsas()) {
        auto backend = CreateCpuBackend({.num_threads = 1, .isa = isa});
        ASSERT_TRUE(backend.has_value());
        ExpectSame(expected, RunLinear(**backend, in, Epilogue::kFloat),
                   Format("{}, exponents {}, {} rows", isa, exponents, m));
      }
    }
  }
}

/// Columns [begin, end) of a row-major matrix.
std::vector<BF16> Slice(const std::vector<BF16>& matrix, int64_t stride, int64_t begin,
                        int64_t end) {
  std::vector<BF16> out;
  for (size_t row = 0; row < matrix.size(); row += stride) {
    out.insert(out.end(), matrix.begin() + row + begin, matrix.begin() + row + end);
  }
  return out;
}

TEST(CpuBackend, RowParallelProductsHaveTheSameBitsForOneToEightRanks) {
  std::mt19937 random(11);
  const int64_t k = 8 * 37;
  const LinearInput whole = RandomLinear(random, 70, k, 9, kNumLeaves);
  for (const std::string& isa : AvailableIsas()) {
    auto single = CreateCpuBackend({.num_threads = 1, .isa = isa});
    ASSERT_TRUE(single.has_value());
    const std::vector<float> expected = RunLinear(**single, whole, Epilogue::kFloat);
    for (int tp_size : {2, 4, 8}) {
      const Status status = RunRanks(tp_size, [&](Communicator& tp) {
        auto backend = CreateCpuBackend({.num_threads = 1, .isa = isa});
        const int64_t begin = k / tp_size * tp.rank(), end = begin + k / tp_size;
        const LinearInput part{whole.n,
                               k / tp_size,
                               whole.m,
                               kNumLeaves / tp_size,
                               Slice(whole.weight, k, begin, end),
                               Slice(whole.x, k, begin, end)};
        std::vector<float> sum = RunLinear(**backend, part, Epilogue::kFloat);
        NEMO_RETURN_IF_ERROR(tp.AllReduceSum(sum));
        ExpectSame(expected, sum, Format("{} tp {} rank {}", isa, tp_size, tp.rank()));
        return OkStatus();
      });
      EXPECT_TRUE(status.ok()) << status.message();
    }
  }
}

TEST(CpuBackend, VocabularyShardsOfTheEmbeddingAddUpToTheWhole) {
  std::mt19937 random(12);
  const EmbedInput whole{24, 0, RandomBF16(random, 24 * 8), {0, 7, 3, 4, 5}};
  const auto backend = CreateReferenceBackend();
  const std::vector<float> expected = RunEmbed(*backend, whole);
  const Status status = RunRanks(4, [&](Communicator& tp) {
    auto mine = CreateCpuBackend({.num_threads = 1});
    EmbedInput shard = whole;
    shard.vocab_begin = 2 * tp.rank();
    shard.table = Slice(whole.table, 24 * 8, 48 * tp.rank(), 48 * (tp.rank() + 1));
    std::vector<float> sum = RunEmbed(**mine, shard);
    NEMO_RETURN_IF_ERROR(tp.AllReduceSum(sum));
    ExpectSame(expected, sum, "embedding");
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(CpuBackend, NamesWhatItLacks) {
  const auto error = [](BackendOptions options) { return CreateCpuBackend(options).error(); };
  EXPECT_EQ(error({.isa = "sse9"}).code(), StatusCode::kInvalidArgument);
  EXPECT_NE(error({.isa = "sse9"}).message().find("auto, amx, avx512, avx512f, avx2, scalar"),
            std::string::npos);
  EXPECT_EQ(error({.num_threads = -1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(error({.num_threads = 1 << 30}).code(), StatusCode::kInvalidArgument);
}

TEST(CpuBackend, TakesAmxOnlyWhenAskedForAndThere) {
  for (const std::string& isa : AvailableIsas()) EXPECT_NE(isa, "amx");
  auto backend = CreateCpuBackend({.isa = "amx"});
  if (backend.has_value()) {
    EXPECT_EQ((*backend)->variant(), "amx");
    return;
  }
  EXPECT_EQ(backend.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(backend.error().message().find("AMX-BF16"), std::string::npos);
}

TEST(CpuBackend, AutoTakesTheFastestInstructionSet) {
  auto backend = CreateCpuBackend({});
  ASSERT_TRUE(backend.has_value());
  EXPECT_EQ((*backend)->name(), "cpu");
  EXPECT_EQ((*backend)->variant(), AvailableIsas().front());
}

TEST(BackendRegistry, CreatesEachAvailableBackendUnderItsName) {
  for (const BackendRow& row : Backends()) {
    if (!row.available()) continue;
    auto backend = CreateBackend(row.name, {.num_threads = 1});
    ASSERT_TRUE(backend.has_value()) << backend.error().message();
    EXPECT_EQ((*backend)->name(), row.name);
  }
}

TEST(BackendRegistry, ListsTheTableForAnUnknownName) {
  const Status error = CreateBackend("tpu", {}).error();
  EXPECT_EQ(error.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(error.message().find("cpu, reference"), std::string::npos) << error.message();
}

}  // namespace
}  // namespace nemo::testing
