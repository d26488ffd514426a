#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "kernels/cpu/cpu_backend.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {
namespace {

int64_t ItemBytes(Epilogue epilogue) { return epilogue == Epilogue::kFloat ? 4 : 2; }

template <typename X>
X PairOf(uint32_t pair) {
  if constexpr (std::is_same_v<X, WidePair>) {
    return {std::bit_cast<float>(pair & 0xffff0000u), std::bit_cast<float>(pair << 16)};
  } else {
    return pair;
  }
}

/// Rows of whole pairs, `stride` elements apart, to a block [num_pairs, R].
template <typename X, int R>
void InterleaveRows(const BF16* x, int64_t stride, int64_t num_pairs, X* out) {
  for (int64_t pair = 0; pair < num_pairs; ++pair, out += R) {
    for (int row = 0; row < R; ++row) {
      uint32_t both;
      std::memcpy(&both, x + row * stride + 2 * pair, sizeof(both));
      out[row] = PairOf<X>(both);
    }
  }
}

/// InterleaveRows for a number of rows known only at run time.
template <typename X, int R = kMaxBlockRows>
void PackBlock(int64_t rows, const BF16* x, int64_t stride, int64_t num_pairs, X* out) {
  if (rows == R) {
    InterleaveRows<X, R>(x, stride, num_pairs, out);
  } else if constexpr (R > 1) {
    PackBlock<X, R - 1>(rows, x, stride, num_pairs, out);
  }
}

/// `m` rows as PanelTask::x wants them.
template <typename X>
void PackRows(CpuBackend& self, const PanelWeight& weight, const BF16* x, int64_t m, X* out) {
  const EvenCut blocks = EvenCut::InPartsOf(self.kernels().block_rows, m);
  const SliceCut slices = SlicesOfLeaf(weight.leaf_pairs(), blocks.count);
  const int64_t k = weight.k(), leaf_size = k / weight.num_leaves();
  self.pool().ForEach(blocks.count * weight.num_leaves() * slices.count(), [&](int64_t index, int) {
    const int64_t block = index % blocks.count, slice = index / blocks.count % slices.count();
    const int64_t leaf = index / blocks.count / slices.count();
    const int64_t row = blocks.at(block), rows = blocks.at(block + 1) - row;
    const int64_t begin = slices.at(slice), num_pairs = slices.at(slice + 1) - begin;
    const int64_t num_whole = std::min(num_pairs, leaf_size / 2 - begin);
    const BF16* from = x + row * k + leaf * leaf_size + 2 * begin;
    X* to = out + (leaf * weight.leaf_pairs() + begin) * m + row * num_pairs;
    PackBlock(rows, from, k, num_whole, to);
    if (num_whole == num_pairs) return;  // else the leaf is odd and ends with half a pair
    for (int64_t i = 0; i < rows; ++i) {
      to[num_whole * rows + i] = PairOf<X>(from[i * k + 2 * num_whole]);
    }
  });
}

template <typename X>
void PackPairsAs(const BF16* x, int64_t k, int num_leaves, int64_t stride, X* out) {
  const int64_t leaf_size = k / num_leaves;
  for (int leaf = 0; leaf < num_leaves; ++leaf, x += leaf_size) {
    for (int64_t even = 0; even < leaf_size; even += 2, out += stride) {
      const uint32_t odd = even + 1 < leaf_size ? x[even + 1] : 0;
      *out = PairOf<X>(x[even] | odd << 16);
    }
  }
}

/// `m` <= IsaKernels::panel_rows rows through all panels.
Status MultiplyRows(CpuBackend& self, const PanelWeight& weight, const BF16* x, int64_t m,
                    Epilogue epilogue, std::byte* y) {
  const bool wide = self.kernels().pair_bytes == sizeof(WidePair);
  const int64_t packed_bytes = m * weight.num_pairs() * self.kernels().pair_bytes;
  const int64_t sums_bytes = kMaxLevels * m * kPanelColumns * static_cast<int64_t>(sizeof(float));
  NEMO_ASSIGN_OR_RETURN(std::byte * packed, self.SharedScratch(packed_bytes));
  NEMO_ASSIGN_OR_RETURN(const auto blocks, self.ThreadScratch(sums_bytes));
  if (wide) {
    PackRows(self, weight, x, m, reinterpret_cast<WidePair*>(packed));
  } else {
    PackRows(self, weight, x, m, reinterpret_cast<uint32_t*>(packed));
  }
  self.pool().ForEach(weight.num_panels(), [&](int64_t index, int thread) {
    const int64_t first = index * kPanelColumns;
    self.kernels().panel({
        .panel = weight.panel(index),
        .x = packed,
        .m = m,
        .leaf_pairs = weight.leaf_pairs(),
        .num_leaves = weight.num_leaves(),
        .num_columns = std::min(kPanelColumns, weight.n() - first),
        .y = y + first * ItemBytes(epilogue),
        .y_stride = weight.n(),
        .epilogue = epilogue,
        .sums = reinterpret_cast<float*>(blocks[thread]),
    });
  });
  return OkStatus();
}

}  // namespace

void PackPairs(const BF16* x, int64_t k, int num_leaves, int64_t stride, uint32_t* out) {
  PackPairsAs(x, k, num_leaves, stride, out);
}

void PackPairs(const BF16* x, int64_t k, int num_leaves, int64_t stride, WidePair* out) {
  PackPairsAs(x, k, num_leaves, stride, out);
}

Status Linear(Backend& backend, const LinearArgs& args) {
  const FlushDenormals flush;
  CpuBackend& self = Self(backend);
  const auto& weight = static_cast<const PanelWeight&>(*args.weight);
  const EvenCut parts = EvenCut::InPartsOf(self.kernels().panel_rows, args.m);
  for (int64_t part = 0; part < parts.count; ++part) {
    const int64_t begin = parts.at(part), end = parts.at(part + 1);
    std::byte* y = static_cast<std::byte*>(args.y) + begin * weight.n() * ItemBytes(args.epilogue);
    NEMO_RETURN_IF_ERROR(
        MultiplyRows(self, weight, args.x + begin * weight.k(), end - begin, args.epilogue, y));
  }
  return OkStatus();
}

}  // namespace nemo::cpu
