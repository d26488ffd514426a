// Calls of a backend's operations with host arrays in and out, for tests: uploads, runs, downloads,
// and checks that nothing beside the output was written.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/runtime/backend.h"

namespace nemo::testing {

/// An array in the memory of a backend, `offset` elements behind an aligned address, with a canary
/// behind it.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(Backend& backend, const std::vector<T>& host, int64_t offset = 0)
      : backend_(backend), size_(host.size()), offset_(offset) {
    auto buffer = backend.Allocate((offset + size_ + kCanary) * sizeof(T));
    EXPECT_TRUE(buffer.has_value()) << buffer.error().message();
    buffer_ = std::move(buffer).value();
    std::vector<T> padded(size_ + kCanary);
    std::copy(host.begin(), host.end(), padded.begin());
    std::memset(static_cast<void*>(padded.data() + size_), 0x5a, kCanary * sizeof(T));
    EXPECT_TRUE(backend.Upload(data(), std::as_bytes(std::span(padded))).ok());
  }
  T* data() { return static_cast<T*>(buffer_->data()) + offset_; }

  std::vector<T> Download() {
    EXPECT_TRUE(backend_.Synchronize().ok());
    std::vector<T> padded(size_ + kCanary);
    EXPECT_TRUE(backend_.Download(std::as_writable_bytes(std::span(padded)), data()).ok());
    std::vector<T> canary(kCanary);
    std::memset(static_cast<void*>(canary.data()), 0x5a, kCanary * sizeof(T));
    EXPECT_EQ(std::memcmp(padded.data() + size_, canary.data(), kCanary * sizeof(T)), 0)
        << "wrote past the end";
    padded.resize(size_);
    return padded;
  }

 private:
  static constexpr size_t kCanary = 32;
  Backend& backend_;
  std::unique_ptr<Buffer> buffer_;
  size_t size_;
  int64_t offset_;
};

inline std::vector<float> Widen(const std::vector<BF16>& values) {
  std::vector<float> out;
  for (BF16 v : values) out.push_back(FloatFromBF16(v));
  return out;
}

/// Mostly normal numbers of that size, and some zeros, negative zeros and denormals.
inline std::vector<BF16> RandomBF16(std::mt19937& random, int64_t count, float size = 1.0f) {
  std::normal_distribution<float> normal(0.0f, size);
  std::vector<BF16> out(count);
  for (BF16& v : out) {
    const uint32_t dice = random() % 64;
    v = dice == 0   ? static_cast<BF16>(random() & 0x8000u)
        : dice == 1 ? static_cast<BF16>(random() & 0x807fu)
                    : BF16FromFloat(normal(random));
  }
  return out;
}

inline std::vector<float> RandomFloats(std::mt19937& random, int64_t count, float size = 1.0f) {
  std::normal_distribution<float> normal(0.0f, size);
  std::vector<float> out(count);
  for (float& v : out) v = normal(random);
  return out;
}

/// How far a backend may be from the reference: |got - expected| <= absolute + relative |expected|.
/// Zero: the same bits (NaN equals NaN).
struct Tolerance {
  double absolute = 0, relative = 0;
};

inline void ExpectSame(const std::vector<float>& expected, const std::vector<float>& got,
                       const std::string& what, const Tolerance& tolerance = {}) {
  ASSERT_EQ(expected.size(), got.size()) << what;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(got[i])) continue;
    const bool is_same = std::bit_cast<uint32_t>(expected[i]) == std::bit_cast<uint32_t>(got[i]);
    const double allowed = tolerance.absolute + tolerance.relative * std::fabs(expected[i]);
    if (is_same || (allowed > 0 && std::fabs(double{expected[i]} - got[i]) <= allowed)) continue;
    FAIL() << what << ": element " << i << " is " << got[i] << " (0x" << std::hex
           << std::bit_cast<uint32_t>(got[i]) << ") instead of " << expected[i] << " (0x"
           << std::bit_cast<uint32_t>(expected[i]) << ")";
  }
}

struct LinearInput {
  int64_t n, k, m;
  int leaves;
  std::vector<BF16> weight, x;
  int64_t offset = 0;  ///< elements by which x and y miss their alignment
};

/// With `packed`, if given, in place of `in.weight`.
inline std::vector<float> RunLinear(Backend& backend, const LinearInput& in, Epilogue epilogue,
                                    const PackedWeight* packed = nullptr) {
  std::unique_ptr<PackedWeight> own;
  if (packed == nullptr) {
    auto made = backend.Pack(in.weight, in.n, in.k, in.leaves);
    EXPECT_TRUE(made.has_value()) << made.error().message();
    own = std::move(*made);
    packed = own.get();
  }
  DeviceArray<BF16> x(backend, in.x, in.offset);
  LinearArgs args{packed, x.data(), in.m, nullptr, epilogue};
  if (epilogue == Epilogue::kFloat) {
    DeviceArray<float> y(backend, std::vector<float>(in.m * in.n), in.offset);
    args.y = y.data();
    EXPECT_TRUE(backend.ops().linear(backend, args).ok());
    return y.Download();
  }
  DeviceArray<BF16> y(backend, std::vector<BF16>(in.m * in.n), in.offset);
  args.y = y.data();
  EXPECT_TRUE(backend.ops().linear(backend, args).ok());
  return Widen(y.Download());
}

struct EmbedInput {
  int64_t hidden, vocab_begin;
  std::vector<BF16> table;
  std::vector<int32_t> ids;
  bool packed = false;
};

inline std::vector<float> RunEmbed(Backend& backend, const EmbedInput& in) {
  const auto num_tokens = static_cast<int64_t>(in.ids.size());
  DeviceArray<BF16> table(backend, in.table);
  DeviceArray<int32_t> ids(backend, in.ids);
  DeviceArray<float> out(backend, std::vector<float>(num_tokens * in.hidden));
  const auto num_rows = static_cast<int64_t>(in.table.size()) / in.hidden;
  EmbedArgs args = {ids.data(), num_tokens, table.data(), in.vocab_begin,
                    num_rows,   in.hidden,  out.data()};
  auto packed = backend.Pack(in.table, num_rows, in.hidden, 1);
  EXPECT_TRUE(packed) << packed.error().message();
  if (in.packed) {
    args.table = nullptr;
    args.packed = packed->get();
  }
  EXPECT_TRUE(backend.ops().embed(backend, args).ok());
  return out.Download();
}

struct NormInput {
  int64_t num_tokens, hidden;
  std::vector<BF16> x, weight, bias;
  std::vector<float> update;
  bool has_update = true, replace = false, has_norm = true, zero_centered = true;
  DTypeProfile profile = DTypeProfile::kMegatron;
  float epsilon = 1e-5f;
};

/// x after the call, then h.
inline std::vector<float> RunNorm(Backend& backend, const NormInput& in) {
  DeviceArray<BF16> x(backend, in.x), weight(backend, in.weight), bias(backend, in.bias);
  DeviceArray<BF16> h(backend, std::vector<BF16>(in.x.size()));
  DeviceArray<float> update(backend, in.update);
  const ResidualNormArgs args{.x = x.data(),
                              .update = in.has_update ? update.data() : nullptr,
                              .replace = in.replace,
                              .weight = in.has_norm ? weight.data() : nullptr,
                              .bias = bias.data(),
                              .h = h.data(),
                              .num_tokens = in.num_tokens,
                              .hidden = in.hidden,
                              .epsilon = in.epsilon,
                              .zero_centered_gamma = in.zero_centered,
                              .profile = in.profile};
  EXPECT_TRUE(backend.ops().residual_norm(backend, args).ok());
  std::vector<float> out = Widen(x.Download());
  const std::vector<float> normed = Widen(h.Download());
  out.insert(out.end(), normed.begin(), normed.end());
  return out;
}

/// Tokens of a batch, and the pool of KV pages they go to.
struct PagedInput {
  int64_t num_q_heads, num_kv_heads, head_dim, rotary_dim;
  std::vector<int32_t> positions, sequence_of, page_table;
  int64_t page_table_stride;
  std::vector<BF16> qkv, pages, cos, sin;

  int64_t num_tokens() const { return static_cast<int64_t>(positions.size()); }
};

/// qkv after the call, then the pages.
inline std::vector<float> RunRope(Backend& backend, const PagedInput& in) {
  DeviceArray<BF16> qkv(backend, in.qkv), pages(backend, in.pages);
  DeviceArray<BF16> cos(backend, in.cos), sin(backend, in.sin);
  DeviceArray<int32_t> positions(backend, in.positions), sequence_of(backend, in.sequence_of);
  DeviceArray<int32_t> page_table(backend, in.page_table);
  const RopeAppendArgs args{.qkv = qkv.data(),
                            .num_tokens = in.num_tokens(),
                            .num_q_heads = in.num_q_heads,
                            .num_kv_heads = in.num_kv_heads,
                            .head_dim = in.head_dim,
                            .rotary_dim = in.rotary_dim,
                            .cos = cos.data(),
                            .sin = sin.data(),
                            .positions = positions.data(),
                            .sequence_of = sequence_of.data(),
                            .page_table = page_table.data(),
                            .page_table_stride = in.page_table_stride,
                            .pages = pages.data()};
  EXPECT_TRUE(backend.ops().rope_append(backend, args).ok());
  std::vector<float> out = Widen(qkv.Download());
  const std::vector<float> pool = Widen(pages.Download());
  out.insert(out.end(), pool.begin(), pool.end());
  return out;
}

inline std::vector<float> RunAttention(Backend& backend, const PagedInput& in) {
  DeviceArray<BF16> qkv(backend, in.qkv), pages(backend, in.pages);
  DeviceArray<BF16> out(backend, std::vector<BF16>(in.num_tokens() * in.num_q_heads * in.head_dim));
  DeviceArray<int32_t> positions(backend, in.positions), sequence_of(backend, in.sequence_of);
  DeviceArray<int32_t> page_table(backend, in.page_table);
  const AttentionArgs args{.qkv = qkv.data(),
                           .num_tokens = in.num_tokens(),
                           .num_q_heads = in.num_q_heads,
                           .num_kv_heads = in.num_kv_heads,
                           .head_dim = in.head_dim,
                           .scale = 1.0f / std::sqrt(static_cast<float>(in.head_dim)),
                           .positions = positions.data(),
                           .sequence_of = sequence_of.data(),
                           .page_table = page_table.data(),
                           .page_table_stride = in.page_table_stride,
                           .pages = pages.data(),
                           .out = out.data()};
  EXPECT_TRUE(backend.ops().attention(backend, args).ok());
  return Widen(out.Download());
}

struct StatsInput {
  int64_t num_rows, num_columns, column_begin, vocab_size, chunk_columns;
  std::vector<float> logits;
};

inline std::vector<ChunkStats> RunStats(Backend& backend, const StatsInput& in) {
  DeviceArray<float> logits(backend, in.logits);
  DeviceArray<ChunkStats> out(
      backend, std::vector<ChunkStats>(in.num_rows * in.num_columns / in.chunk_columns));
  EXPECT_TRUE(backend.ops()
                  .head_stats(backend, {logits.data(), in.num_rows, in.num_columns, in.column_begin,
                                        in.vocab_size, in.chunk_columns, out.data()})
                  .ok());
  return out.Download();
}

struct DrawInput {
  int64_t num_columns, column_begin, vocab_size, chunk_columns, limit;
  std::vector<float> logits;
  std::vector<RowDraw> draws;
  std::vector<int32_t> used;
};
/// What is defined of each draw, in order: scaled rows, chunks, lists.
struct DrawOutput {
  std::vector<float> logits;
  std::vector<int32_t> ids;
  std::vector<uint64_t> masses;  ///< their bits, one NaN for all
};

inline DrawOutput RunDraw(Backend& backend, const DrawInput& in) {
  const auto num_draws = std::ssize(in.draws);
  const int64_t num_chunks = in.num_columns / in.chunk_columns;
  DeviceArray<float> logits(backend, in.logits), scaled(backend, in.logits);
  DeviceArray<RowDraw> draws(backend, in.draws);
  DeviceArray<int32_t> used(backend, in.used);
  DeviceArray<int32_t> num_candidates(backend, std::vector<int32_t>(num_draws));
  DeviceArray<Candidate> best(backend, std::vector<Candidate>(num_draws * in.limit));
  DeviceArray<ChunkDraw> chunks(backend, std::vector<ChunkDraw>(num_draws * num_chunks));
  EXPECT_TRUE(backend.ops()
                  .shard_draw(backend, {logits.data(), in.num_columns, in.column_begin,
                                        in.vocab_size, in.chunk_columns, draws.data(), num_draws,
                                        used.data(), scaled.data(), in.limit, best.data(),
                                        num_candidates.data(), chunks.data()})
                  .ok());
  DrawOutput out;
  out.logits = scaled.Download();
  const std::vector<int32_t> counts = num_candidates.Download();
  const std::vector<Candidate> listed = best.Download();
  const std::vector<ChunkDraw> of_chunks = chunks.Download();
  for (int64_t draw = 0; draw < num_draws; ++draw) {
    const Wanted wanted = in.draws[draw].wanted;
    for (int64_t i = draw * num_chunks; i < (draw + 1) * num_chunks; ++i) {
      out.logits.push_back(of_chunks[i].winner.logit);
      out.ids.push_back(of_chunks[i].winner.token_id);
      out.logits.push_back(of_chunks[i].max);
      const double mass = of_chunks[i].mass;
      out.masses.push_back(std::isnan(mass) ? 0 : std::bit_cast<uint64_t>(mass));
    }
    if (wanted != Wanted::kBest && wanted != Wanted::kBestAndMass) continue;
    out.ids.push_back(counts[draw]);
    for (int64_t i = draw * in.limit; i < (draw + 1) * in.limit; ++i) {
      out.logits.push_back(listed[i].logit);
      out.ids.push_back(listed[i].token_id);
    }
  }
  return out;
}

inline LinearInput RandomLinear(std::mt19937& random, int64_t n, int64_t k, int64_t m, int leaves) {
  return {n, k, m, leaves, RandomBF16(random, n * k), RandomBF16(random, m * k)};
}

/// A batch with `runs` of (context length, tokens of it that are in the batch, at its end). Slots
/// of the pages behind a sequence's end hold NaN, which no result may show.
struct SequencePart {
  int64_t context, tokens;
};
inline PagedInput RandomPaged(std::mt19937& random, const std::vector<SequencePart>& runs,
                              int64_t q_heads, int64_t kv_heads, int64_t head_dim) {
  PagedInput in{q_heads, kv_heads, head_dim, head_dim / 2 / 2 * 2};
  int64_t longest = 0, num_pages = 0;
  for (const SequencePart& run : runs) {
    longest = std::max(longest, run.context);
    num_pages += (run.context + kPageTokens - 1) / kPageTokens;
  }
  in.page_table_stride = (longest + kPageTokens - 1) / kPageTokens;
  in.page_table.assign(runs.size() * in.page_table_stride, -1);
  const int64_t page_size = kv_heads * 2 * kPageTokens * head_dim;
  in.pages = RandomBF16(random, num_pages * page_size);
  int32_t next_page = static_cast<int32_t>(num_pages);  // pages are not in order
  for (size_t sequence = 0; sequence < runs.size(); ++sequence) {
    const SequencePart& run = runs[sequence];
    for (int64_t begin = 0; begin < run.context; begin += kPageTokens) {
      in.page_table[sequence * in.page_table_stride + begin / kPageTokens] = --next_page;
      for (int64_t slot = run.context - begin; slot < kPageTokens; ++slot) {
        for (int64_t part = 0; part < 2 * kv_heads; ++part) {
          BF16* at =
              in.pages.data() + next_page * page_size + (part * kPageTokens + slot) * head_dim;
          std::fill(at, at + head_dim, BF16{0x7fc0});
        }
      }
    }
    for (int64_t position = run.context - run.tokens; position < run.context; ++position) {
      in.positions.push_back(static_cast<int32_t>(position));
      in.sequence_of.push_back(static_cast<int32_t>(sequence));
    }
  }
  in.qkv = RandomBF16(random, in.num_tokens() * (q_heads + 2 * kv_heads) * head_dim);
  in.cos = RandomBF16(random, longest * in.rotary_dim / 2);
  in.sin = RandomBF16(random, longest * in.rotary_dim / 2);
  return in;
}

struct Heads {
  int64_t q, kv, dim;
};

}  // namespace nemo::testing
