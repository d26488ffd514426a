// Backend: device memory and the table of operations. The engine knows the model; a backend knows
// nothing but arrays. Kernels take raw pointers, never allocate, and are called through OpTable.
//
// Arithmetic is part of the contract (runtime.md 1.1, 2.2, 2.3), so that every backend that
// promises it gives the same bits: see each operation. "RNE" is BF16FromFloat. All arithmetic is
// fp32 with denormals flushed (inputs and results), as vdpbf16ps does; "fma" is one rounding.
//
// Activations are elements T: BF16, or float in profile kFp32, and then every RNE of a contract is
// the identity: the same sums in the same order, and nothing rounded between operations. Weights
// are bf16 in both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "libcore/base/status.h"
#include "libcore/runtime/philox.h"
#include "libcore/tensor/dtype.h"

namespace nemo {

inline constexpr int64_t kPageTokens = 64;    ///< tokens of one KV page
inline constexpr int64_t kSplitTokens = 512;  ///< tokens of one attention split
inline constexpr int64_t kPackRows = 64;      ///< rows of a weight that are packed together
inline constexpr int kNumLeaves = 8;          ///< canonical K leaves of a row-parallel product

/// Rounding points: those of the two reference implementations (runtime.md 1.1), which differ in
/// the LayerNorm weight and the logits, or none.
enum class DTypeProfile { kMegatron, kHf, kFp32 };
/// "megatron", "hf", "fp32".
std::string_view ToString(DTypeProfile profile);

/// Memory of a backend, freed with it.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual void* data() = 0;
  virtual const void* data() const = 0;
  virtual int64_t size_bytes() const = 0;
};

/// A weight matrix [n, k] in the backend's own arrangement.
class PackedWeight {
 public:
  virtual ~PackedWeight() = default;
  virtual int64_t n() const = 0;
  virtual int64_t k() const = 0;
  virtual int64_t size_bytes() const = 0;
};

enum class Epilogue {
  kBf16,       ///< y[m, n] bf16: RNE of the sum
  kRelu2Bf16,  ///< y[m, n] bf16: v = RNE(sum); u = max(v, 0); RNE(u * u)
  kFloat,      ///< y[m, n] float: the sum
  kRelu2Float  ///< y[m, n] float: u = max(sum, 0); u * u. For T = float, which has no bf16 ones
};

/// y = x W^T. W is packed with L leaves: k is cut in L equal parts. Within a leaf the sum runs over
/// pairs (2i, 2i+1) in order, the odd element first, then the even, each one fma onto the
/// accumulator that began at +0 (a leaf of odd length ends with a pair whose odd element is zero).
/// Leaves are added in a binary tree of neighbours: ((l0+l1)+(l2+l3))+((l4+l5)+(l6+l7)). L is 1 for
/// column-parallel products; for row-parallel ones the rank's share of kNumLeaves, so that trees of
/// all ranks together are that of one. The result of an element depends on nothing else: not on m,
/// not on the instruction set.
template <typename T>
struct BasicLinearArgs {
  const PackedWeight* weight;
  const T* x;  ///< [m, k], row stride k
  int64_t m;
  void* y;  ///< [m, n], row stride n
  Epilogue epilogue;
};

/// out[t, :] = float(table[token_ids[t] - vocab_begin, :]) for rows this shard has, denormals as
/// the zero of their sign; -0.0 elsewhere, which a sum over shards leaves unchanged.
template <typename T>
struct BasicEmbedArgs {
  const int32_t* token_ids;  ///< [num_tokens]
  int64_t num_tokens;
  const T* table;  ///< [num_rows, hidden]
  int64_t vocab_begin, num_rows, hidden;
  float* out;                            ///< [num_tokens, hidden]
  const PackedWeight* packed = nullptr;  ///< the table, packed with one leaf; `table` is null then
};

/// If `update`: x = RNE(x + RNE(update)); with `replace`, x = RNE(update). Then, if `weight`:
/// h = LayerNorm(x): mean = sum/H, var = sum((x-mean)^2)/H, y = (x-mean) * (1/sqrt(var+eps)) * g +
/// b, one RNE, where g = 1 + w with zero_centered_gamma (rounded to bf16 in profile kHf), else w.
/// Sums are fp32 over 16 interleaved lanes (element i goes to lane i % 16, in order), lanes added
/// in a binary tree of neighbours; products and additions are separate roundings except (x-mean)^2,
/// an fma onto the lane, and the final fma(n*g, b) with n = (x-mean)*rstd.
template <typename T>
struct BasicResidualNormArgs {
  T* x;                 ///< [num_tokens, hidden], updated in place
  const float* update;  ///< [num_tokens, hidden] or nullptr
  bool replace;
  const BF16* weight;  ///< [hidden] or nullptr: no norm
  const BF16* bias;    ///< [hidden]
  T* h;                ///< [num_tokens, hidden]
  int64_t num_tokens, hidden;
  float epsilon;
  bool zero_centered_gamma;
  DTypeProfile profile;
};

/// Rotates the first `rotary_dim` dimensions of each query and key head (half-split pairs i, i +
/// rotary_dim/2) by the row of `cos`/`sin` at the token's position, RNE of each product and of the
/// sum; writes queries in place and appends keys and values to their KV pages. qkv row: [q heads |
/// k heads | v heads] x head_dim. KV page: [kv_head][K|V][kPageTokens][head_dim].
template <typename T>
struct BasicRopeAppendArgs {
  T* qkv;  ///< [num_tokens, (num_q_heads + 2 num_kv_heads) * head_dim]
  int64_t num_tokens, num_q_heads, num_kv_heads, head_dim, rotary_dim;
  const T* cos;  ///< [max_positions, rotary_dim / 2]
  const T* sin;
  const int32_t* positions;    ///< [num_tokens]
  const int32_t* sequence_of;  ///< [num_tokens]: row of page_table
  const int32_t* page_table;   ///< [num_sequences, page_table_stride]: page index of each 64 tokens
  int64_t page_table_stride;
  T* pages;  ///< the layer's pool
};

/// Causal attention of each token over positions 0 ... its own, from the KV pages.
/// Splits of kSplitTokens begin at multiples of it; inside one, pages in order: score = dot *
/// scale, dot as in a LinearArgs leaf over head_dim; page maximum; m' = max(m, page maximum); p =
/// exp(score - m'); l = (l * exp(m - m')) + (sum of p over the page's tokens in order, fp32 p); acc
/// = acc * exp(m - m'), then for each token in order acc = fma(RNE(p), v, acc). Splits merge in
/// order into (M, L, A), which begin at (-inf, 0, 0): M' = max(M, m); L = fma(l, exp(m - M'), L *
/// exp(M - M')), A likewise. out = RNE(A / L). exp is ExpF32 (libcore/runtime/math.h).
template <typename T>
struct BasicAttentionArgs {
  const T* qkv;  ///< as RopeAppendArgs, rotated
  int64_t num_tokens, num_q_heads, num_kv_heads, head_dim;
  float scale;  ///< 1 / sqrt(head_dim)
  const int32_t* positions;
  const int32_t* sequence_of;
  const int32_t* page_table;
  int64_t page_table_stride;
  const T* pages;
  T* out;  ///< [num_tokens, num_q_heads * head_dim]
};

/// Per row and vocabulary chunk: the maximum, the lowest id that has it, and sum of exp(logit -
/// maximum) over the chunk's columns in order (fp32). Columns at or above vocab_size take no part
/// (maximum -inf, sum 0, id -1); nor do logits of -inf. NaN is never the maximum and makes the sum
/// NaN.
struct ChunkStats {
  float max;
  float sum;
  int32_t argmax;
};
struct HeadStatsArgs {
  const float* logits;  ///< [num_rows, num_columns]
  int64_t num_rows, num_columns;
  int64_t column_begin;  ///< vocabulary id of column 0
  int64_t vocab_size;
  int64_t chunk_columns;  ///< columns of a chunk; divides num_columns
  ChunkStats* out;        ///< [num_rows, num_columns / chunk_columns]
};

/// A token and its logit.
struct Candidate {
  float logit = 0;
  int32_t token_id = 0;
};

/// What the choice of a token needs to know of a shard.
enum class Wanted : int32_t {
  kLargest,     ///< the winner of each chunk: the largest logit
  kDrawn,       ///< the winner of each chunk: the largest of logit + Gumbel (double)
  kBest,        ///< the list of the best
  kBestAndMass  ///< the list, and the mass of each chunk
};

/// One row to choose from. Its logits become -inf for `banned_id`; then all are divided by
/// `temperature`, then those of used tokens by `penalty` (or multiplied, where they are negative
/// and it says so). A factor of 1 does nothing.
struct RowDraw {
  int32_t row = 0;
  Wanted wanted = Wanted::kLargest;
  int32_t banned_id = -1;  ///< -1: none
  float temperature = 1;
  float penalty = 1;
  int32_t multiplies_negative = 0;
  int32_t used_begin = 0, used_end = 0;  ///< of `used`: tokens of the shard, each once
  DrawKey key;                           ///< of kDrawn
};
/// Of equals the lowest id wins; -1 where no logit is above -inf. `mass` is the sum of
/// ExpF64(logit - max) over the columns in order, 0 where the maximum is -inf.
struct ChunkDraw {
  Candidate winner;  ///< of kLargest and kDrawn
  float max;         ///< of kBestAndMass, as is `mass`
  double mass;
};
/// Columns at or above vocab_size, logits of -inf and NaN are never chosen or listed.
struct ShardDrawArgs {
  const float* logits;                ///< [any, num_columns]
  int64_t num_columns, column_begin;  ///< as in HeadStatsArgs
  int64_t vocab_size, chunk_columns;  ///< likewise
  const RowDraw* draws;               ///< [num_draws], of different rows
  int64_t num_draws;
  const int32_t* used;
  float* scaled;    ///< [any, num_columns]: gets the rows as they were made for the choice
  int64_t limit;    ///< length of the lists
  Candidate* best;  ///< [num_draws, limit]: by rising id, of equals the first; then ids of -1
  int32_t* num_candidates;  ///< [num_draws]: how many could be listed, however long the list
  ChunkDraw* chunks;        ///< [num_draws, num_columns / chunk_columns]
};

/// out[i] = the logit of token ids[i] in row i; 0 where it is none of this shard.
struct PickLogitsArgs {
  const float* logits;  ///< [num_rows, num_columns]
  int64_t num_rows, num_columns, column_begin;
  const int32_t* ids;  ///< [num_rows]
  float* out;          ///< [num_rows]
};

/// One function per operation. A null field: this backend lacks it, and the suite says so.
/// Calls are asynchronous on the backend's stream where there is one; pointers are backend memory.
template <typename T>
struct BasicOpTable {
  Status (*linear)(class Backend&, const BasicLinearArgs<T>&);
  Status (*embed)(class Backend&, const BasicEmbedArgs<T>&);
  Status (*residual_norm)(class Backend&, const BasicResidualNormArgs<T>&);
  Status (*rope_append)(class Backend&, const BasicRopeAppendArgs<T>&);
  Status (*attention)(class Backend&, const BasicAttentionArgs<T>&);
  Status (*head_stats)(class Backend&, const HeadStatsArgs&);
  Status (*shard_draw)(class Backend&, const ShardDrawArgs&);
  Status (*pick_logits)(class Backend&, const PickLogitsArgs&);
};

using LinearArgs = BasicLinearArgs<BF16>;
using EmbedArgs = BasicEmbedArgs<BF16>;
using ResidualNormArgs = BasicResidualNormArgs<BF16>;
using RopeAppendArgs = BasicRopeAppendArgs<BF16>;
using AttentionArgs = BasicAttentionArgs<BF16>;
using OpTable = BasicOpTable<BF16>;

/// A sum over a group of ranks that stays in the backend's memory.
class GroupSum {
 public:
  virtual ~GroupSum() = default;
  /// Element-wise sum in place, in the backend's order of calls; the same bits on every rank. In
  /// the order of Communicator::AllReduceSum where the backend promises the contract's bits. A peer
  /// that does not come is told by Synchronize.
  virtual Status AllReduceSum(float* data, int64_t count) = 0;
  virtual std::string Describe() const = 0;  ///< "NCCL": for reports
};

/// The stages beside this rank's: the ranks of the world that it receives from and sends to. -1:
/// the pipeline begins or ends here.
struct StageNeighbours {
  int before = -1, after = -1;
};

/// What one stage hands to the next without leaving the memory of backends.
class StageLink {
 public:
  virtual ~StageLink() = default;
  /// To the stage after, from the one before: calls in the backend's order, which wait for the peer
  /// there and not here. As many as the peer's, of the same sizes, in the same order. A peer that
  /// does not come is told by Synchronize.
  virtual Status Send(const void* data, int64_t size_bytes) = 0;
  virtual Status Recv(void* data, int64_t size_bytes) = 0;
};

/// One per rank; not thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  ///< "reference", "cpu", "cuda"
  virtual std::string_view variant()
      const = 0;  ///< "scalar", "avx2", "avx512", "sm_90": for reports
  virtual const OpTable& ops() const = 0;
  /// The operations on fp32 activations, all of them; null: this backend has none.
  virtual const BasicOpTable<float>* fp32_ops() const { return nullptr; }
  /// True when memory of the backend can be read and written by the host directly.
  virtual bool host_memory() const = 0;
  /// Zeroed. kIo: out of memory, with the size.
  virtual Result<std::unique_ptr<Buffer>> Allocate(int64_t size_bytes) = 0;
  /// Host -> backend and back; wait until done. Several threads may upload to different memory.
  virtual Status Upload(void* device, std::span<const std::byte> host) = 0;
  virtual Status Download(std::span<std::byte> host, const void* device) = 0;
  /// A weight [n, k] for PackRows to fill; rows that it never gets are zero. `num_leaves` divides
  /// k. kInvalidArgument: CheckPack. kIo: out of memory.
  virtual Result<std::unique_ptr<PackedWeight>> AllocateWeight(int64_t n, int64_t k,
                                                               int num_leaves) = 0;
  /// Packs row-major host `rows` [any, k] as the rows from `row_begin` on of `weight`, which this
  /// backend has allocated. `row_begin` is a multiple of kPackRows, and so is the number of rows
  /// unless they are the last ones. The one method beside Upload that several threads may call at
  /// once, for different rows.
  virtual Status PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) = 0;
  /// All of `weight` [n, k] in one call. Errors of AllocateWeight and PackRows.
  Result<std::unique_ptr<PackedWeight>> Pack(std::span<const BF16> weight, int64_t n, int64_t k,
                                             int num_leaves);
  /// True when Repeat replays: then it pays to pad batches to few sizes.
  virtual bool replays() const { return false; }
  /// Does `calls`, which call operations and nothing else of the backend, the same ones with the
  /// same arguments whenever `key` is the same, while the memory that they name lives (what is in
  /// it may differ). A backend may record the calls of a key and replay them without `calls`.
  virtual Status Repeat(int64_t /*key*/, const std::function<Status()>& calls) { return calls(); }
  /// Collective over `group`: prepares sums that need not pass through the host, for the life of
  /// the backend. nullptr: it has none. kInvalidArgument: ranks were started differently.
  virtual Result<GroupSum*> JoinGroup(class Communicator& /*group*/) {
    return static_cast<GroupSum*>(nullptr);
  }
  /// Collective over `world`: prepares what is sent between stages and need not pass through the
  /// host, for the life of the backend. nullptr, on all ranks: there is no such way.
  virtual Result<StageLink*> JoinStages(class Communicator& /*world*/,
                                        const StageNeighbours& /*neighbours*/) {
    return static_cast<StageLink*>(nullptr);
  }
  /// Waits a little for calls that wait for other ranks, then ends them, and the ways to those
  /// ranks with them: before memory that the calls name is freed.
  virtual void EndPeers() {}
  /// Waits for all calls so far; their errors appear here at the latest.
  virtual Status Synchronize() = 0;
};

}  // namespace nemo
