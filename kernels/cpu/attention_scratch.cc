#include "kernels/cpu/attention_scratch.h"

#include "kernels/cpu/isa.h"
#include "libcore/runtime/backend.h"

namespace nemo::cpu {
namespace {

/// Hands out aligned pieces of a block; without a block it only counts.
class Carver {
 public:
  explicit Carver(std::byte* block) : block_(block) {}
  template <typename T>
  void Take(T*& array, int64_t count) {
    array = block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + used_);
    used_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
  }
  int64_t used() const { return used_; }

 private:
  std::byte* block_;
  int64_t used_ = 0;
};

int64_t Carve(Carver carver, int64_t num_rows, int64_t head_dim, AttentionScratch& s) {
  s.num_rows = num_rows;
  s.padded_dim = (head_dim + 15) / 16 * 16;
  s.num_pairs = (head_dim + 1) / 2;
  std::byte* queries;
  carver.Take(queries, s.num_pairs * num_rows * kMaxPairBytes);
  s.queries = queries;
  carver.Take(s.keys, s.num_pairs * 2 * kPageTokens);
  carver.Take(s.scores, num_rows * kPageTokens);
  carver.Take(s.counts, num_rows);
  carver.Take(s.keep, num_rows);
  carver.Take(s.max, num_rows);
  carver.Take(s.sum, num_rows);
  carver.Take(s.acc, num_rows * s.padded_dim);
  carver.Take(s.total_max, num_rows);
  carver.Take(s.total_sum, num_rows);
  carver.Take(s.total_acc, num_rows * s.padded_dim);
  return carver.used();
}

}  // namespace

int64_t AttentionScratchBytes(int64_t num_rows, int64_t head_dim) {
  AttentionScratch scratch;
  return Carve(Carver(nullptr), num_rows, head_dim, scratch);
}

AttentionScratch CarveAttentionScratch(std::byte* block, int64_t num_rows, int64_t head_dim) {
  AttentionScratch scratch;
  Carve(Carver(block), num_rows, head_dim, scratch);
  return scratch;
}

}  // namespace nemo::cpu
