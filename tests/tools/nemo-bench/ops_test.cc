// Every row of the kernel bench at a tiny size: it runs, and its sample has the reference's bits.
// No speed is asserted.
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "kernels/reference/backend.h"
#include "kernels/registry.h"
#include "libcore/layout/parallel_layout.h"
#include "tools/nemo-bench/ops/arrays.h"
#include "tools/nemo-bench/ops/op.h"

namespace nemo {
namespace {

ModelConfig TinyConfig() {
  ModelConfig config;
  config.num_layers = 2;
  config.hidden_size = 64;
  config.ffn_hidden_size = 256;
  config.num_attention_heads = 4;
  config.num_query_groups = 2;
  config.kv_channels = 24;
  config.max_position_embeddings = 256;
  config.vocab_size = 1000;
  config.padded_vocab_size = 1024;
  return config;
}

OpSizes SizesOf(const ModelConfig& config, int64_t tp_size) {
  ParallelLayout layout;
  layout.tp_size = tp_size;
  const auto shape = ShapeOfRank(config, layout, 0);
  EXPECT_TRUE(shape.has_value()) << shape.error().message();
  return {config, *shape, {1, 5}, {1, 3}, {70, 200, 5000}};
}

TEST(Ops, EveryRowRunsAndItsSampleHasTheReferencesBits) {
  auto backend = CreateBackend("cpu", {2, "auto"});
  ASSERT_TRUE(backend.has_value());
  const auto reference = CreateReferenceBackend();
  const OpContext context = {**backend, 2, 1 << 16};
  std::set<std::string> names;
  for (const OpRow& row : OpRows()) {
    const std::vector<OpCase> cases = row.cases(SizesOf(TinyConfig(), 2));
    EXPECT_FALSE(cases.empty()) << row.name;
    for (const OpCase& op : cases) {
      SCOPED_TRACE(std::string(row.name) + "/" + op.name);
      EXPECT_TRUE(names.insert(std::string(row.name) + "/" + op.name).second) << "a name twice";
      EXPECT_GT(op.work.bytes(), 0);
      auto prepared = op.prepare(context);
      ASSERT_TRUE(prepared.has_value()) << prepared.error().message();
      for (int64_t call = 0; call < 3; ++call) ASSERT_TRUE((*prepared)->Run(call).ok());
      const auto error = (*prepared)->Error(*reference);
      ASSERT_TRUE(error.has_value()) << error.error().message();
      EXPECT_EQ(*error, 0);
    }
  }
  // A context beyond the model's is left out.
  EXPECT_TRUE(names.contains("attention/decode/b3/len200"));
  EXPECT_FALSE(names.contains("attention/decode/b1/len5000"));
}

TEST(Ops, PeersRun) {
  auto backend = CreateBackend("cpu", {1, "auto"});
  ASSERT_TRUE(backend.has_value());
  const OpContext context = {**backend, 1, 1 << 12};
  for (const OpCase& op : LinearCases(SizesOf(TinyConfig(), 1))) {
    if (!op.prepare_peer) GTEST_SKIP() << "this build has no comparator";
    auto peer = op.prepare_peer(context);
    if (peer.error().code() == StatusCode::kUnsupported) GTEST_SKIP() << peer.error().message();
    ASSERT_TRUE(peer.has_value()) << peer.error().message();
    EXPECT_TRUE((*peer)->Run(0).ok());
  }
}

TEST(Ops, LinearHasTheShapesOfARankOfNemotron4At340B) {
  // The table of GEMMs of one GPU at TP8 in the design notes of the runtime.
  ModelConfig config;
  config.num_layers = 96;
  config.hidden_size = 18432;
  config.ffn_hidden_size = 73728;
  config.num_attention_heads = 96;
  config.num_query_groups = 8;
  config.kv_channels = 192;
  config.max_position_embeddings = 4096;
  config.vocab_size = config.padded_vocab_size = 256000;
  OpSizes sizes = SizesOf(config, 8);
  sizes.tokens = {1};
  std::vector<std::string> shapes;
  for (const OpCase& op : LinearCases(sizes)) shapes.push_back(op.name + " " + op.shape);
  EXPECT_EQ(shapes, (std::vector<std::string>{
                        "qkv/m1 [1, 18432] x [2688, 18432]", "proj/m1 [1, 2304] x [18432, 2304]",
                        "fc1/m1 [1, 18432] x [9216, 18432]", "fc2/m1 [1, 9216] x [18432, 9216]",
                        "head/m1 [1, 18432] x [32000, 18432]"}));
}

TEST(ErrorMeter, IsZeroForEqualBitsOnly) {
  ErrorMeter same;
  same.Compare<float>(std::vector<float>{1, -2, NAN}, std::vector<float>{1, -2, NAN});
  EXPECT_EQ(same.error(), 0);
  ErrorMeter off;
  off.Compare<float>(std::vector<float>{1, -2.5}, std::vector<float>{1, -2});
  EXPECT_DOUBLE_EQ(off.error(), 0.25);
  ErrorMeter lost;
  lost.Compare<float>(std::vector<float>{NAN}, std::vector<float>{1});
  EXPECT_TRUE(std::isinf(lost.error()));
  ErrorMeter shorter;
  shorter.Compare<float>(std::vector<float>{1}, std::vector<float>{1, 2});
  EXPECT_TRUE(std::isinf(shorter.error()));
}

TEST(RandomBF16, IsTheSameInWhateverPieces) {
  std::vector<BF16> whole(1000), pieces(1000), threads(1000);
  RandomBF16(7, 0, whole);
  for (size_t at = 0; at < pieces.size(); at += 37) {
    RandomBF16(7, static_cast<int64_t>(at),
               std::span(pieces).subspan(at, std::min<size_t>(37, pieces.size() - at)));
  }
  RandomBF16(7, threads, 3);
  EXPECT_EQ(whole, pieces);
  EXPECT_EQ(whole, threads);
}

TEST(RandomBF16, IsNormallyDistributed) {
  std::vector<BF16> values(200'000);
  RandomBF16(1, 0, values);
  double sum = 0, squares = 0;
  int64_t beyond_two = 0;
  for (const BF16 value : values) {
    const double x = FloatFromBF16(value) / kRandomDeviation;
    sum += x;
    squares += x * x;
    beyond_two += std::fabs(x) > 2;
  }
  const auto count = static_cast<double>(values.size());
  // Standard errors of mean, variance and share: 0.0022, 0.0032, 0.0005; five of each, and what
  // rounding to eight bits adds.
  EXPECT_NEAR(sum / count, 0, 0.011);
  EXPECT_NEAR(squares / count, 1, 0.02);
  EXPECT_NEAR(static_cast<double>(beyond_two) / count, 0.0455, 0.003);
}

}  // namespace
}  // namespace nemo
