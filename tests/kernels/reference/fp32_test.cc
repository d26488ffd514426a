// The operations on fp32 activations. Their sums are those of the bf16 ones, which
// reference_test.cc holds against the mathematics; what is new is that nothing is rounded between
// them. Both compilations of the text.
#include <gtest/gtest.h>

#include "kernels/reference/backend.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"

namespace nemo::testing {
namespace {

constexpr double kFloatEps = 0x1p-24;  // largest relative error of one fp32 rounding

std::vector<float> RoundedToBF16(std::vector<float> values) {
  for (float& v : values) v = RoundToBF16(v);
  return values;
}

class Fp32Ops : public ::testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<Backend> backend_ =
      GetParam() ? CreatePortableReferenceBackend() : CreateReferenceBackend();
  const BasicOpTable<float>& ops_ = *backend_->fp32_ops();
  std::mt19937 random_{4711};
};

std::vector<float> Linear(Backend& backend, const LinearInput& in, const std::vector<float>& x,
                          Epilogue epilogue) {
  const auto packed = backend.Pack(in.weight, in.n, in.k, in.leaves);
  EXPECT_TRUE(packed) << packed.error().message();
  std::vector<float> y(in.m * in.n);
  const BasicLinearArgs<float> args = {packed->get(), x.data(), in.m, y.data(), epilogue};
  EXPECT_TRUE(backend.fp32_ops()->linear(backend, args).ok());
  return y;
}

TEST_P(Fp32Ops, ProductsOfBf16NumbersAreThoseOfTheBf16Operation) {
  for (const int64_t m : {1, 5, 33}) {
    const LinearInput in = {
        24, 296, m, 8, RandomBF16(random_, 24 * 296), RandomBF16(random_, m * 296)};
    const std::vector<float> sums = Linear(*backend_, in, Widen(in.x), Epilogue::kFloat);
    ExpectSame(RunLinear(*backend_, in, Epilogue::kFloat), sums, "float");
    std::vector<float> squares;
    for (const float v : sums) squares.push_back(v > 0 ? v * v : 0.0f);
    ExpectSame(squares, Linear(*backend_, in, Widen(in.x), Epilogue::kRelu2Float), "relu2");
  }
}

TEST_P(Fp32Ops, ProductsKeepEveryBitOfX) {
  const LinearInput in = {8, 200, 3, 1, RandomBF16(random_, 8 * 200), {}};
  const std::vector<float> x = RandomFloats(random_, in.m * in.k);
  const std::vector<float> y = Linear(*backend_, in, x, Epilogue::kFloat);
  for (int64_t i = 0; i < in.m * in.n; ++i) {
    double exact = 0, magnitude = 0;
    for (int64_t j = 0; j < in.k; ++j) {
      const double product =
          double{FloatFromBF16(in.weight[i % in.n * in.k + j])} * x[i / in.n * in.k + j];
      exact += product;
      magnitude += std::fabs(product);
    }
    EXPECT_NEAR(y[i], exact, static_cast<double>(in.k) * kFloatEps * magnitude);
  }
}

TEST_P(Fp32Ops, RowsAreGatheredAsTheyAre) {
  const std::vector<float> table = {1.0f, 1.0000001f, -2.5f, 0x1p-140f, 3.0f, -0x1p-140f};
  const std::vector<int32_t> ids = {1, 2, 0};
  std::vector<float> out(6);
  ASSERT_TRUE(ops_.embed(*backend_, {ids.data(), 3, table.data(), 0, 3, 2, out.data()}).ok());
  ExpectSame({-2.5f, 0.0f, 3.0f, -0.0f, 1.0f, 1.0000001f}, out, "gathered");
}

/// x after the call, then h.
std::vector<float> Norm(Backend& backend, const NormInput& in, std::vector<float> x) {
  std::vector<float> h(x.size());
  const BasicResidualNormArgs<float> args = {
      x.data(),           in.has_update ? in.update.data() : nullptr,
      in.replace,         in.weight.data(),
      in.bias.data(),     h.data(),
      in.num_tokens,      in.hidden,
      in.epsilon,         in.zero_centered,
      DTypeProfile::kFp32};
  EXPECT_TRUE(backend.fp32_ops()->residual_norm(backend, args).ok());
  x.insert(x.end(), h.begin(), h.end());
  return x;
}

TEST_P(Fp32Ops, ANormOfBf16NumbersRoundsToThatOfTheBf16Operation) {
  NormInput in{.num_tokens = 3,
               .hidden = 200,
               .x = RandomBF16(random_, 3 * 200),
               .weight = RandomBF16(random_, 200, 0.1f),
               .bias = RandomBF16(random_, 200, 0.1f),
               .update = std::vector<float>(3 * 200),
               .has_update = false};
  ExpectSame(RunNorm(*backend_, in), RoundedToBF16(Norm(*backend_, in, Widen(in.x))), "norm");
}

TEST_P(Fp32Ops, TheResidualStreamTakesUpdatesWhole) {
  NormInput in{.num_tokens = 2,
               .hidden = 40,
               .weight = RandomBF16(random_, 40),
               .bias = RandomBF16(random_, 40),
               .update = RandomFloats(random_, 80, 0.001f)};
  const std::vector<float> x = RandomFloats(random_, 80, 100.0f);
  std::vector<float> expected;
  for (int i = 0; i < 80; ++i) expected.push_back(x[i] + in.update[i]);
  std::vector<float> out = Norm(*backend_, in, x);
  out.resize(80);
  ExpectSame(expected, out, "added");
  in.replace = true;
  out = Norm(*backend_, in, x);
  out.resize(80);
  ExpectSame(in.update, out, "replaced");
}

/// One sequence of `length` tokens in consecutive pages, its cache full.
struct Cache {
  Cache(std::mt19937& random, int64_t length, int64_t head_dim)
      : positions(1, static_cast<int32_t>(length - 1)),
        pages(RandomFloats(random, (length + kPageTokens) * 2 * head_dim)) {
    for (int64_t i = 0; i * kPageTokens < length; ++i) table.push_back(static_cast<int32_t>(i));
    pages.resize(std::ssize(table) * 2 * kPageTokens * head_dim, 0.5f);
  }
  std::vector<int32_t> positions, sequence_of = {0}, table;
  std::vector<float> pages;
};

TEST_P(Fp32Ops, RopeTurnsPairsWithoutRounding) {
  const int64_t d = 8, rotary_dim = 4, position = 70;
  Cache cache(random_, position + 1, d);
  std::vector<float> qkv = RandomFloats(random_, 4 * d), cos((position + 1) * 2), sin(cos.size());
  const std::vector<float> before = qkv;
  for (int64_t i = 0; i < 2; ++i) {
    cos[position * 2 + i] = std::cos(1.0f + static_cast<float>(i));
    sin[position * 2 + i] = std::sin(1.0f + static_cast<float>(i));
  }
  const BasicRopeAppendArgs<float> args = {qkv.data(),
                                           1,
                                           2,
                                           1,
                                           d,
                                           rotary_dim,
                                           cos.data(),
                                           sin.data(),
                                           cache.positions.data(),
                                           cache.sequence_of.data(),
                                           cache.table.data(),
                                           std::ssize(cache.table),
                                           cache.pages.data()};
  ASSERT_TRUE(ops_.rope_append(*backend_, args).ok());
  const float* key = cache.pages.data() + (2 * kPageTokens + position % kPageTokens) * d;
  const float* value = key + kPageTokens * d;
  for (int64_t head = 0; head < 3; ++head) {
    const float* from = before.data() + head * d;
    const float* to = head < 2 ? qkv.data() + head * d : key;
    for (int64_t i = 0; i < 2; ++i) {
      const double c = cos[position * 2 + i], s = sin[position * 2 + i];
      const double error = 2 * kFloatEps * (std::fabs(from[i]) + std::fabs(from[i + 2]));
      EXPECT_NEAR(to[i], from[i] * c - from[i + 2] * s, error);
      EXPECT_NEAR(to[i + 2], from[i + 2] * c + from[i] * s, error);
    }
    for (int64_t i = rotary_dim; i < d; ++i) EXPECT_EQ(to[i], from[i]);
  }
  for (int64_t i = 0; i < d; ++i) EXPECT_EQ(value[i], before[3 * d + i]);
}

TEST_P(Fp32Ops, AttentionWeighsWithoutRounding) {
  for (const auto& [length, d] : {std::pair<int64_t, int64_t>{1, 8}, {70, 7}, {600, 24}}) {
    const Cache cache(random_, length, d);
    const std::vector<float> qkv = RandomFloats(random_, 4 * d);
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(d)));
    std::vector<float> out(2 * d);
    const BasicAttentionArgs<float> args = {qkv.data(),
                                            1,
                                            2,
                                            1,
                                            d,
                                            scale,
                                            cache.positions.data(),
                                            cache.sequence_of.data(),
                                            cache.table.data(),
                                            std::ssize(cache.table),
                                            cache.pages.data(),
                                            out.data()};
    ASSERT_TRUE(ops_.attention(*backend_, args).ok());
    for (int64_t i = 0; i < 2 * d; ++i) {
      const float* query = qkv.data() + i / d * d;
      double sum = 0, weighted = 0, magnitude = 0;
      for (int64_t t = 0; t < length; ++t) {
        const float* key =
            cache.pages.data() + (t / kPageTokens * 2 * kPageTokens + t % kPageTokens) * d;
        double dot = 0;
        for (int64_t j = 0; j < d; ++j) dot += double{query[j]} * key[j];
        const double p = std::exp(dot * scale);
        sum += p;
        weighted += p * key[kPageTokens * d + i % d];
        magnitude += p * std::fabs(key[kPageTokens * d + i % d]);
      }
      // Scores of size up to 20 err by d roundings, which exp passes on; each sum adds its length.
      const double error =
          magnitude / sum * kFloatEps * static_cast<double>(20 * d + 2 * length + 8);
      EXPECT_NEAR(out[i], weighted / sum, error) << Format("{} tokens, output {}", length, i);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Reference, Fp32Ops, ::testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "portable" : "fastest");
});

}  // namespace
}  // namespace nemo::testing
