// The reference backend against the mathematics, in double and without its order of operations.
#include <numeric>

#include <gtest/gtest.h>

#include "tests/conformance/backend_suite.h"

namespace nemo::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(
    Reference, BackendSuite,
    ::testing::Values(BackendCase{"reference", [] { return Result(CreateReferenceBackend()); }},
                      BackendCase{"portable",
                                  [] { return Result(CreatePortableReferenceBackend()); }}),
    BackendCaseName);

constexpr double kFloatEps = 0x1p-24;  // largest relative error of one fp32 rounding
constexpr double kBF16Eps = 0x1p-8;    // of one rounding to bf16, which has 8 significant bits

/// |got - exact| <= half a bf16 step of the result + the error of the fp32 arithmetic before it.
void ExpectNear(double exact, float got, double fp32_error, const std::string& what) {
  EXPECT_LE(std::fabs(got - exact), std::fabs(exact) * kBF16Eps * 1.01 + fp32_error + 1e-37)
      << what << ": " << got << " instead of " << exact;
}

class Reference : public ::testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = CreateReferenceBackend();
  std::mt19937 random_{99};
};

TEST_F(Reference, LinearIsTheProduct) {
  for (int leaves : {1, 8}) {
    const LinearInput in = RandomLinear(random_, 24, 296, 5, leaves);
    const std::vector<float> sums = RunLinear(*backend_, in, Epilogue::kFloat);
    const std::vector<float> rounded = RunLinear(*backend_, in, Epilogue::kBf16);
    const std::vector<float> relu2 = RunLinear(*backend_, in, Epilogue::kRelu2Bf16);
    for (int64_t i = 0; i < in.m * in.n; ++i) {
      double exact = 0, magnitude = 0;
      for (int64_t j = 0; j < in.k; ++j) {
        const double product = double{FloatFromBF16(in.weight[i % in.n * in.k + j])} *
                               FloatFromBF16(in.x[i / in.n * in.k + j]);
        exact += product;
        magnitude += std::fabs(product);
      }
      // Each of k fused additions rounds a partial sum that is at most `magnitude`.
      const double error = in.k * kFloatEps * magnitude;
      ASSERT_NEAR(sums[i], exact, error);
      ExpectNear(exact, rounded[i], error, "bf16");
      ASSERT_EQ(rounded[i], RoundToBF16(sums[i]));
      ASSERT_EQ(relu2[i], rounded[i] > 0 ? RoundToBF16(rounded[i] * rounded[i]) : 0.0f);
    }
  }
}

TEST_F(Reference, EmbedGivesRowsAndNegativeZeros) {
  const EmbedInput in{2, 10, {0x3f80, 0x4000, 0x0001, 0x8001}, {10, 11, 12, 9}};
  const std::vector<float> expected = {1, 2, 0.0f, -0.0f, -0.0f, -0.0f, -0.0f, -0.0f};
  ExpectSame(expected, RunEmbed(*backend_, in), "embed");
}

TEST_F(Reference, LayerNormHasMeanAndVarianceOfTheRow) {
  for (float spread : {1.0f, 0.0078125f}) {  // the second: rows whose variance is near epsilon
    const int64_t hidden = 200;
    NormInput in{2,
                 hidden,
                 std::vector<BF16>(2 * hidden),
                 RandomBF16(random_, hidden, 0.1f),
                 RandomBF16(random_, hidden, 0.1f),
                 RandomFloats(random_, 2 * hidden, spread)};
    in.replace = true;
    const std::vector<float> out = RunNorm(*backend_, in);
    for (int64_t token = 0; token < in.num_tokens; ++token) {
      const float* x = out.data() + token * hidden;
      const double mean = std::accumulate(x, x + hidden, 0.0) / hidden;
      double variance = 0;
      for (int64_t i = 0; i < hidden; ++i) variance += (x[i] - mean) * (x[i] - mean) / hidden;
      const double scale = 1 / std::sqrt(variance + in.epsilon);
      for (int64_t i = 0; i < hidden; ++i) {
        ASSERT_EQ(x[i], RoundToBF16(in.update[token * hidden + i]));
        const double gain = 1.0 + FloatFromBF16(in.weight[i]), bias = FloatFromBF16(in.bias[i]);
        const double normed = (x[i] - mean) * scale;
        // Sums of 200 terms of size `spread` (about 13 additions a lane and 4 tree levels, mean and
        // variance), then five roundings; 4 spread bounds |x|.
        const double error =
            kFloatEps * ((2 * 17 + 5) * (std::fabs(normed * gain) + 4 * spread * scale * gain) +
                         std::fabs(bias));
        ExpectNear(normed * gain + bias, out[(in.num_tokens + token) * hidden + i], error, "h");
      }
    }
  }
}

TEST_F(Reference, ResidualIsAddedInBF16) {
  // 256 + 1.0078125 (bf16 of 1.01) = 257.0078 rounds to 258? No: bf16 steps by 2 at 256, so to 258
  // or 256.
  const NormInput in{.num_tokens = 1,
                     .hidden = 2,
                     .x = {BF16FromFloat(256.0f), BF16FromFloat(-1.0f)},
                     .weight = {0, 0},
                     .bias = {0, 0},
                     .update = {1.01f, 1.0f},
                     .has_norm = false};
  const std::vector<float> out = RunNorm(*backend_, in);
  EXPECT_EQ(out[0], 258.0f);
  EXPECT_EQ(out[1], 0.0f);
}

TEST_F(Reference, RopeTurnsPairsByTheAngleOfThePosition) {
  const int64_t d = 8, rotary_dim = 4, position = 4095;
  PagedInput in = RandomPaged(random_, {{position + 1, 1}}, 2, 1, d);
  ASSERT_EQ(in.rotary_dim, rotary_dim);
  std::vector<double> angles;
  for (int64_t i = 0; i < rotary_dim / 2; ++i) {
    angles.push_back(position * std::pow(10000.0, -2.0 * i / rotary_dim));
    in.cos[position * rotary_dim / 2 + i] = BF16FromFloat(static_cast<float>(std::cos(angles[i])));
    in.sin[position * rotary_dim / 2 + i] = BF16FromFloat(static_cast<float>(std::sin(angles[i])));
  }
  const std::vector<float> out = RunRope(*backend_, in);
  const int64_t page = in.page_table[position / kPageTokens], slot = position % kPageTokens;
  const float* key = out.data() + in.qkv.size() + (page * 2 * kPageTokens + slot) * d;
  const float* value = key + kPageTokens * d;
  const std::vector<float> before = Widen(in.qkv);
  for (int64_t head = 0; head < 3; ++head) {
    const float* from = before.data() + head * d;
    const float* to = head < 2 ? out.data() + head * d : key;
    for (int64_t i = 0; i < rotary_dim / 2; ++i) {
      const double a = from[i], b = from[i + 2], c = std::cos(angles[i]), s = std::sin(angles[i]);
      // cos, sin, two products and their sum round to bf16; each term is at most |a| + |b|.
      const double error = 3 * kBF16Eps * (std::fabs(a) + std::fabs(b));
      EXPECT_NEAR(to[i], a * c - b * s, error);
      EXPECT_NEAR(to[i + 2], b * c + a * s, error);
    }
    for (int64_t i = rotary_dim; i < d; ++i) EXPECT_EQ(to[i], from[i]) << "passes unchanged";
  }
  for (int64_t i = 0; i < d; ++i) EXPECT_EQ(value[i], before[3 * d + i]);
  EXPECT_EQ(out[2 * d], before[2 * d]) << "keys stay as they are in the qkv row";
}

/// Softmax-weighted mean of the values, in double. `bound`: the mean of their magnitudes.
double ExactAttention(const PagedInput& in, int64_t token, int64_t head, int64_t dim,
                      double* bound) {
  const int64_t d = in.head_dim, kv_head = head / (in.num_q_heads / in.num_kv_heads);
  const BF16* query = in.qkv.data() + (token * (in.num_q_heads + 2 * in.num_kv_heads) + head) * d;
  double sum = 0, weighted = 0, magnitude = 0;
  for (int64_t t = 0; t <= in.positions[token]; ++t) {
    const int64_t page =
        in.page_table[in.sequence_of[token] * in.page_table_stride + t / kPageTokens];
    const BF16* keys = in.pages.data() + (page * in.num_kv_heads + kv_head) * 2 * kPageTokens * d;
    const BF16* key = keys + t % kPageTokens * d;
    const BF16* value = key + kPageTokens * d;
    double dot = 0;
    for (int64_t i = 0; i < d; ++i) dot += double{FloatFromBF16(query[i])} * FloatFromBF16(key[i]);
    const double p = std::exp(dot / std::sqrt(static_cast<double>(d)));
    sum += p;
    weighted += p * FloatFromBF16(value[dim]);
    magnitude += p * std::fabs(FloatFromBF16(value[dim]));
  }
  *bound = magnitude / sum;
  return weighted / sum;
}

TEST_F(Reference, AttentionIsTheSoftmaxWeightedMean) {
  const PagedInput in = RandomPaged(random_, {{70, 3}, {600, 2}, {1, 1}}, 6, 2, 24);
  const std::vector<float> out = RunAttention(*backend_, in);
  for (int64_t i = 0; i < static_cast<int64_t>(out.size()); ++i) {
    const int64_t dim = i % in.head_dim, head = i / in.head_dim % in.num_q_heads;
    double bound = 0;
    const double exact = ExactAttention(in, i / in.head_dim / in.num_q_heads, head, dim, &bound);
    // Each weight rounds to bf16; scores of size up to 20 err by 24 fp32 roundings, which exp
    // passes on.
    const double error = bound * (kBF16Eps + 600 * kFloatEps + 24 * 20 * kFloatEps);
    ExpectNear(exact, out[i], error * 1.01, Format("output {}", i));
  }
}

TEST_F(Reference, HeadStatsAreMaximumAndLogSumExp) {
  const StatsInput in{1, 40, 1000, 1030, 20, RandomFloats(random_, 40, 3.0f)};
  const std::vector<ChunkStats> out = RunStats(*backend_, in);
  for (int64_t chunk = 0; chunk < 2; ++chunk) {
    const auto begin = in.logits.begin() + 20 * chunk;
    const auto end = chunk == 0 ? begin + 20 : begin + 10;  // ids from 1030 on take no part
    const auto top = std::max_element(begin, end);
    double sum = 0;
    for (auto it = begin; it != end; ++it) sum += std::exp(double{*it} - *top);
    EXPECT_EQ(out[chunk].max, *top);
    EXPECT_EQ(out[chunk].argmax, 1000 + (top - in.logits.begin()));
    EXPECT_NEAR(out[chunk].sum, sum, (20 + 4) * kFloatEps * sum);
  }
}

}  // namespace
}  // namespace nemo::testing
