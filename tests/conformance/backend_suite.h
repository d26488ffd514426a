// What every backend must do, checked against kernels/reference. Instantiate it with
// INSTANTIATE_TEST_SUITE_P(Name, BackendSuite, ::testing::Values(BackendCase{...}),
// BackendCaseName).
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/reference/backend.h"
#include "libcore/base/format.h"
#include "tests/conformance/backend_ops.h"

namespace nemo::testing {

struct BackendCase {
  std::string name;
  std::function<Result<std::unique_ptr<Backend>>()> create;
  Tolerance tolerance;  ///< zero for a backend that promises the reference's bits
};

inline std::string BackendCaseName(const ::testing::TestParamInfo<BackendCase>& info) {
  return info.param.name;
}

class BackendSuite : public ::testing::TestWithParam<BackendCase> {
 protected:
  void SetUp() override {
    auto backend = GetParam().create();
    // Only a device that is absent may be: its backend has no other way to be tested.
    if (backend.error().code() == StatusCode::kUnavailable)
      GTEST_SKIP() << backend.error().message();
    ASSERT_TRUE(backend.has_value()) << backend.error().message();
    backend_ = std::move(backend).value();
  }
  void ExpectLikeReference(const std::vector<float>& expected, const std::vector<float>& got,
                           const std::string& what) {
    ExpectSame(expected, got, what, GetParam().tolerance);
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Backend> reference_ = CreateReferenceBackend();
  std::mt19937 random_{20240607};
};

TEST_P(BackendSuite, HasEveryOperation) {
  const OpTable& ops = backend_->ops();
  EXPECT_NE(ops.linear, nullptr);
  EXPECT_NE(ops.embed, nullptr);
  EXPECT_NE(ops.residual_norm, nullptr);
  EXPECT_NE(ops.rope_append, nullptr);
  EXPECT_NE(ops.attention, nullptr);
  EXPECT_NE(ops.head_stats, nullptr);
  EXPECT_NE(ops.shard_draw, nullptr);
  EXPECT_NE(ops.pick_logits, nullptr);
}

TEST_P(BackendSuite, AllocatesZeroedMemoryThatKeepsWhatIsUploaded) {
  auto buffer = backend_->Allocate(1000);
  ASSERT_TRUE(buffer.has_value()) << buffer.error().message();
  EXPECT_GE((*buffer)->size_bytes(), 1000);
  std::vector<std::byte> bytes(1000, std::byte{7});
  ASSERT_TRUE(backend_->Download(bytes, (*buffer)->data()).ok());
  EXPECT_EQ(bytes, std::vector<std::byte>(1000));
  bytes[999] = std::byte{42};
  std::vector<std::byte> back(1000);
  ASSERT_TRUE(backend_->Upload((*buffer)->data(), bytes).ok());
  ASSERT_TRUE(backend_->Download(back, (*buffer)->data()).ok());
  EXPECT_EQ(back, bytes);
  EXPECT_TRUE(backend_->Allocate(0).has_value());
  EXPECT_EQ(backend_->Allocate(-1).error().code(), StatusCode::kInvalidArgument);
}

TEST_P(BackendSuite, RefusesToPackWhatIsNoMatrix) {
  const std::vector<BF16> weight(24);
  struct Row {
    int64_t n, k;
    int leaves;
  };
  for (const Row& row : {Row{5, 5, 1}, Row{0, 24, 1}, Row{-4, -6, 1}, Row{2, 12, 8}, Row{2, 12, 3},
                         Row{2, 12, 0}, Row{1, 24, 16}, Row{int64_t{1} << 62, 8, 1}}) {
    EXPECT_EQ(backend_->Pack(weight, row.n, row.k, row.leaves).error().code(),
              StatusCode::kInvalidArgument)
        << row.n << " x " << row.k << ", " << row.leaves << " leaves";
  }
  auto packed = backend_->Pack(weight, 2, 12, 4);
  ASSERT_TRUE(packed.has_value());
  EXPECT_EQ((*packed)->n(), 2);
  EXPECT_EQ((*packed)->k(), 12);
  EXPECT_GE((*packed)->size_bytes(), 48);
}

TEST_P(BackendSuite, LinearHasTheBitsOfTheReference) {
  struct Row {
    int64_t n, k, m;
    int leaves;
  };
  const Row rows[] = {{1, 1, 1, 1},     {24, 24, 7, 8},   {63, 7, 1, 1},   {64, 64, 6, 1},
                      {65, 130, 5, 2},  {130, 56, 7, 8},  {128, 8, 3, 8},  {24, 1030, 2, 1},
                      {64, 2064, 1, 1}, {70, 264, 70, 4}, {5, 24, 391, 1}, {3, 4112, 2, 2}};
  for (const Row& row : rows) {
    const LinearInput in = RandomLinear(random_, row.n, row.k, row.m, row.leaves);
    for (Epilogue epilogue : {Epilogue::kBf16, Epilogue::kRelu2Bf16, Epilogue::kFloat}) {
      ExpectLikeReference(RunLinear(*reference_, in, epilogue), RunLinear(*backend_, in, epilogue),
                          Format("n {} k {} m {} leaves {} epilogue {}", row.n, row.k, row.m,
                                 row.leaves, static_cast<int>(epilogue)));
    }
  }
}

TEST_P(BackendSuite, LinearAcceptsMisalignedRows) {
  LinearInput in = RandomLinear(random_, 65, 54, 7, 2);
  in.offset = 1;
  for (Epilogue epilogue : {Epilogue::kBf16, Epilogue::kFloat}) {
    ExpectLikeReference(RunLinear(*reference_, in, epilogue), RunLinear(*backend_, in, epilogue),
                        "offset 1");
  }
}

TEST_P(BackendSuite, SquaredReluOverflowsToInfinityAsTheReference) {
  LinearInput in = RandomLinear(random_, 24, 8, 4, 1);
  for (BF16& v : in.weight) v = BF16FromFloat(FloatFromBF16(v) * 1e19f);
  const std::vector<float> expected = RunLinear(*reference_, in, Epilogue::kRelu2Bf16);
  ExpectLikeReference(expected, RunLinear(*backend_, in, Epilogue::kRelu2Bf16), "relu2");
  const auto is_inf = [](float v) { return std::isinf(v); };
  EXPECT_GT(std::count_if(expected.begin(), expected.end(), is_inf), 0);
  EXPECT_LT(std::count_if(expected.begin(), expected.end(), is_inf), 96);
}

TEST_P(BackendSuite, LinearRowDoesNotDependOnItsBatch) {
  const int64_t k = 264;
  const LinearInput batch = RandomLinear(random_, 70, k, 13, 8);
  const std::vector<float> together = RunLinear(*backend_, batch, Epilogue::kFloat);
  for (int64_t row = 0; row < batch.m; ++row) {
    LinearInput alone = batch;
    alone.m = 1;
    alone.x.assign(batch.x.begin() + row * k, batch.x.begin() + (row + 1) * k);
    const std::vector<float> expected(together.begin() + row * batch.n,
                                      together.begin() + (row + 1) * batch.n);
    ExpectSame(expected, RunLinear(*backend_, alone, Epilogue::kFloat), Format("row {}", row));
  }
}

TEST_P(BackendSuite, EmbedsTheRowsOfItsShardOnly) {
  const EmbedInput in{24, 100, RandomBF16(random_, 24 * 10), {99, 100, 104, 109, 110, 0, 100}};
  ExpectSame(RunEmbed(*reference_, in), RunEmbed(*backend_, in), "embed");
}

TEST_P(BackendSuite, EmbedsFromAPackedTableAsFromAPlainOne) {
  for (const int64_t hidden : {1, 7, 24, 130}) {
    EmbedInput in{hidden, 100, RandomBF16(random_, hidden * 150), {100, 249, 163, 164, 99, 250, 0}};
    const std::vector<float> expected = RunEmbed(*reference_, in);
    in.packed = true;
    ExpectSame(expected, RunEmbed(*backend_, in), Format("embed of {}", hidden));
  }
}

TEST_P(BackendSuite, PacksPiecesAsTheWhole) {
  const int64_t n = 200, k = 70, pieces[] = {128, 64};
  const LinearInput in = RandomLinear(random_, n, k, 3, 2);
  const std::vector<float> expected = RunLinear(*backend_, in, Epilogue::kFloat);
  auto weight = backend_->AllocateWeight(n, k, 2);
  ASSERT_TRUE(weight) << weight.error().message();
  const auto rows = [&](int64_t begin, int64_t count) {
    return std::span<const BF16>(in.weight).subspan(begin * k, count * k);
  };
  // The last rows first, and then the rest.
  ASSERT_TRUE(backend_->PackRows(**weight, 192, rows(192, 8)).ok());
  int64_t begin = 0;
  for (const int64_t count : pieces) {
    ASSERT_TRUE(backend_->PackRows(**weight, begin, rows(begin, count)).ok());
    begin += count;
  }
  ExpectSame(expected, RunLinear(*backend_, in, Epilogue::kFloat, weight->get()), "linear");
  for (const auto& [at, count] :
       {std::pair<int64_t, int64_t>{1, 64}, {-64, 64}, {64, 3}, {192, 9}, {256, 1}, {0, 201}}) {
    const std::vector<BF16> some(static_cast<size_t>(count * k));
    EXPECT_EQ(backend_->PackRows(**weight, at, some).code(), StatusCode::kInvalidArgument)
        << count << " rows at " << at;
  }
  EXPECT_EQ(backend_->PackRows(**weight, 0, std::vector<BF16>(k + 1)).code(),
            StatusCode::kInvalidArgument);
}

TEST_P(BackendSuite, NormHasTheBitsOfTheReference) {
  for (int64_t hidden : {1, 7, 16, 24, 100, 1030}) {
    for (int options = 0; options < 32; ++options) {
      const int64_t tokens = 3;
      NormInput in{tokens,
                   hidden,
                   RandomBF16(random_, tokens * hidden),
                   RandomBF16(random_, hidden),
                   RandomBF16(random_, hidden),
                   RandomFloats(random_, tokens * hidden)};
      in.has_update = (options & 1) != 0;
      in.replace = (options & 2) != 0;
      in.has_norm = (options & 4) != 0;
      in.zero_centered = (options & 8) != 0;
      in.profile = (options & 16) != 0 ? DTypeProfile::kHf : DTypeProfile::kMegatron;
      ExpectLikeReference(RunNorm(*reference_, in), RunNorm(*backend_, in),
                          Format("hidden {} options {}", hidden, options));
    }
  }
}

TEST_P(BackendSuite, NormOfAlmostConstantRowsHasTheBitsOfTheReference) {
  const int64_t hidden = 200;
  NormInput in{2,
               hidden,
               std::vector<BF16>(2 * hidden, BF16FromFloat(3.0f)),
               RandomBF16(random_, hidden),
               RandomBF16(random_, hidden),
               {}};
  in.has_update = false;
  in.x[17] = BF16FromFloat(3.015625f);
  ExpectLikeReference(RunNorm(*reference_, in), RunNorm(*backend_, in), "tiny variance");
}

inline constexpr Heads kHeads[] = {{1, 1, 8},  {4, 2, 24}, {3, 3, 32},   {12, 1, 16},
                                   {2, 1, 66}, {2, 2, 7},  {12, 1, 192}, {14, 2, 128}};

TEST_P(BackendSuite, RopeAppendHasTheBitsOfTheReference) {
  for (const Heads& heads : kHeads) {
    const int64_t longest = heads.dim <= 24 ? 4096 : 130;  // the pool of large heads would be large
    PagedInput in = RandomPaged(random_, {{1, 1}, {66, 5}, {longest, 2}, {64, 1}}, heads.q,
                                heads.kv, heads.dim);
    for (int64_t rotary_dim : {in.rotary_dim, heads.dim / 2 * 2, int64_t{0}}) {
      in.rotary_dim = rotary_dim;
      in.cos = RandomBF16(random_, longest * rotary_dim / 2);
      in.sin = RandomBF16(random_, longest * rotary_dim / 2);
      ExpectLikeReference(
          RunRope(*reference_, in), RunRope(*backend_, in),
          Format("heads {}/{} of {}, rotary {}", heads.q, heads.kv, heads.dim, rotary_dim));
    }
  }
}

TEST_P(BackendSuite, AttentionHasTheBitsOfTheReference) {
  const std::vector<SequencePart> runs = {{1, 1},   {63, 2},  {64, 1},  {65, 3},
                                          {511, 1}, {513, 4}, {100, 30}};
  for (const Heads& heads : kHeads) {
    const PagedInput in = RandomPaged(random_, runs, heads.q, heads.kv, heads.dim);
    ExpectLikeReference(RunAttention(*reference_, in), RunAttention(*backend_, in),
                        Format("heads {}/{} of {}", heads.q, heads.kv, heads.dim));
  }
}

TEST_P(BackendSuite, AttentionMergesManySplitsLikeTheReference) {
  const PagedInput in = RandomPaged(random_, {{1100, 80}, {2049, 1}}, 4, 2, 24);
  ExpectLikeReference(RunAttention(*reference_, in), RunAttention(*backend_, in), "long");
}

TEST_P(BackendSuite, AttentionOfSharpScoresHasTheBitsOfTheReference) {
  PagedInput in = RandomPaged(random_, {{600, 9}}, 4, 2, 32);
  for (BF16& v : in.qkv) v = BF16FromFloat(FloatFromBF16(v) * 100.0f);
  ExpectLikeReference(RunAttention(*reference_, in), RunAttention(*backend_, in), "sharp");
}

TEST_P(BackendSuite, AttentionDoesNotDependOnBatchOrChunk) {
  const PagedInput all = RandomPaged(random_, {{530, 100}, {70, 70}}, 4, 2, 24);
  const std::vector<float> together = RunAttention(*backend_, all);
  const int64_t qkv_row = (all.num_q_heads + 2 * all.num_kv_heads) * all.head_dim;
  const int64_t out_row = all.num_q_heads * all.head_dim;
  for (int64_t chunk : {1, 7, 64}) {
    std::vector<float> pieces;
    for (int64_t begin = 0; begin < all.num_tokens(); begin += chunk) {
      const int64_t end = std::min(begin + chunk, all.num_tokens());
      PagedInput part = all;
      part.positions.assign(all.positions.begin() + begin, all.positions.begin() + end);
      part.sequence_of.assign(all.sequence_of.begin() + begin, all.sequence_of.begin() + end);
      part.qkv.assign(all.qkv.begin() + begin * qkv_row, all.qkv.begin() + end * qkv_row);
      const std::vector<float> out = RunAttention(*backend_, part);
      ASSERT_EQ(static_cast<int64_t>(out.size()), (end - begin) * out_row);
      pieces.insert(pieces.end(), out.begin(), out.end());
    }
    ExpectSame(together, pieces, Format("chunks of {}", chunk));
  }
}

TEST_P(BackendSuite, HeadStatsHaveTheBitsOfTheReference) {
  struct Row {
    int64_t rows, columns, begin, vocab, chunk;
  };
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const Row& row : {Row{1, 1, 0, 1, 1}, Row{3, 60, 1000, 1031, 20}, Row{2, 64, 0, 1000, 64},
                         Row{1, 4000, 0, 3999, 2000}, Row{2, 34, 50, 50, 17}}) {
    StatsInput in{row.rows,  row.columns, row.begin,
                  row.vocab, row.chunk,   RandomFloats(random_, row.rows * row.columns, 5.0f)};
    in.logits[in.logits.size() / 2] = -kInf;
    for (size_t i = 3; i < in.logits.size(); i += 5)
      in.logits[i] = 12.5f;  // ties: the lowest id wins
    const std::vector<ChunkStats> expected = RunStats(*reference_, in);
    const std::vector<ChunkStats> got = RunStats(*backend_, in);
    std::vector<float> expected_sums, sums;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(expected[i].argmax, got[i].argmax) << "chunk " << i;
      EXPECT_EQ(expected[i].max, got[i].max) << "chunk " << i;
      expected_sums.push_back(expected[i].sum);
      sums.push_back(got[i].sum);
    }
    ExpectLikeReference(expected_sums, sums, Format("chunks of {}", row.chunk));
  }
}

TEST_P(BackendSuite, HeadStatsOfChunksWithoutAMaximum) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  StatsInput in{1, 60, 0, 50, 20, std::vector<float>(60, -kInf)};
  in.logits[25] = nan;
  in.logits[26] = 1.0f;
  const std::vector<ChunkStats> got = RunStats(*backend_, in);
  EXPECT_EQ(got[0].max, -kInf);
  EXPECT_EQ(got[0].argmax, -1);
  EXPECT_EQ(got[0].sum, 0.0f);
  EXPECT_EQ(got[1].argmax, 26) << "NaN is never the maximum";
  EXPECT_TRUE(std::isnan(got[1].sum)) << "and shows in the sum";
  in.vocab_size = 20;
  EXPECT_EQ(RunStats(*backend_, in)[2].argmax, -1) << "columns beyond the vocabulary";
}

TEST_P(BackendSuite, ShardDrawsHaveTheBitsOfTheReference) {
  struct Shape {
    int64_t columns, begin, vocab, chunk, limit;
  };
  for (const Shape& shape :
       {Shape{1, 0, 1, 1, 1}, Shape{60, 1000, 1031, 20, 7}, Shape{640, 5, 5 + 640, 320, 128},
        Shape{2600, 0, 2599, 1300, 2048}, Shape{34, 50, 50, 17, 3}}) {
    DrawInput in{shape.columns, shape.begin, shape.vocab, shape.chunk, shape.limit};
    constexpr int kRows = 10;
    in.logits = RandomFloats(random_, kRows * shape.columns, 5.0f);
    const float odd[] = {-std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN(),
                         -0.0f,
                         0.0f,
                         2.5f,
                         2.5f,
                         -1.0f};
    for (size_t i = 0; i < in.logits.size(); i += 3) in.logits[i] = odd[i / 3 % std::size(odd)];
    // One row of ties only, one of nothing.
    std::fill_n(in.logits.begin(), shape.columns, 1.0f);
    std::fill_n(in.logits.begin() + shape.columns, shape.columns, odd[0]);
    for (int row = 0; row < kRows; ++row) {
      RowDraw& d = in.draws.emplace_back();
      d.row = kRows - 1 - row;  // in an order of their own
      d.wanted = static_cast<Wanted>(row % 4);
      d.key = {0x1234567890abcdef, static_cast<uint32_t>(row), 7, 1};
      if (row % 3 == 1) d.banned_id = static_cast<int32_t>(shape.begin + shape.columns / 2);
      if (row % 3 != 0) d.temperature = 0.7f;
      if (row % 5 < 3) continue;
      d.penalty = 1.3f;
      d.multiplies_negative = row % 2;
      d.used_begin = static_cast<int32_t>(in.used.size());
      for (int64_t column = row; column < shape.columns; column += 7) {
        in.used.push_back(static_cast<int32_t>(shape.begin + column));
      }
      d.used_end = static_cast<int32_t>(in.used.size());
    }
    const DrawOutput expected = RunDraw(*reference_, in);
    const DrawOutput got = RunDraw(*backend_, in);
    const std::string what = Format("{} columns, lists of {}", shape.columns, shape.limit);
    ExpectSame(expected.logits, got.logits, what);
    EXPECT_EQ(expected.ids, got.ids) << what;
    EXPECT_EQ(expected.masses, got.masses) << what;
  }
}

TEST_P(BackendSuite, PicksTheLogitsOfTokensThatTheShardHas) {
  const std::vector<float> logits = RandomFloats(random_, 5 * 30);
  const std::vector<int32_t> ids = {100, 129, 99, 130, -1};
  DeviceArray<float> on_backend(*backend_, logits), out(*backend_, std::vector<float>(5, -7.0f));
  DeviceArray<int32_t> wanted(*backend_, ids);
  ASSERT_TRUE(
      backend_->ops()
          .pick_logits(*backend_, {on_backend.data(), 5, 30, 100, wanted.data(), out.data()})
          .ok());
  ExpectSame({logits[0], logits[30 + 29], 0, 0, 0}, out.Download(), "picked");
}

}  // namespace nemo::testing
