#include <algorithm>

#include "kernels/cpu/cpu_backend.h"
#include "libcore/runtime/math.h"

namespace nemo::cpu {
namespace {

// Rows that pass a panel together. Enough that a step of the scheduler reads the weights once; few
// enough that the sums of a panel stay in the second-level cache.
constexpr int64_t kMaxRows = 384;

int64_t ItemBytes(Epilogue epilogue) { return epilogue == Epilogue::kFloat ? 4 : 2; }

/// Rows in blocks of `block_rows`, each [num_pairs, rows of the block].
void PackRows(CpuBackend& self, const PanelWeight& weight, const BF16* x, int64_t m,
              uint32_t* out) {
  const int64_t block_rows = self.kernels().block_rows;
  self.pool().ForEach((m + block_rows - 1) / block_rows, [&](int64_t block, int) {
    const int64_t begin = block * block_rows;
    const int64_t rows = std::min(block_rows, m - begin);
    for (int64_t row = 0; row < rows; ++row) {
      PackPairs(x + (begin + row) * weight.k(), weight.k(), weight.num_leaves(), rows,
                out + begin * weight.num_pairs() + row);
    }
  });
}

/// `m` <= kMaxRows rows through all panels.
Status MultiplyRows(CpuBackend& self, const PanelWeight& weight, const BF16* x, int64_t m,
                    Epilogue epilogue, std::byte* y) {
  const int64_t packed_bytes = m * weight.num_pairs() * static_cast<int64_t>(sizeof(uint32_t));
  const int64_t sums_bytes = kMaxLevels * m * kPanelColumns * static_cast<int64_t>(sizeof(float));
  NEMO_ASSIGN_OR_RETURN(std::byte * shared, self.SharedScratch(packed_bytes));
  NEMO_ASSIGN_OR_RETURN(const auto blocks, self.ThreadScratch(sums_bytes));
  auto* packed = reinterpret_cast<uint32_t*>(shared);
  PackRows(self, weight, x, m, packed);
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
  const int64_t leaf_size = k / num_leaves;
  for (int leaf = 0; leaf < num_leaves; ++leaf, x += leaf_size) {
    for (int64_t even = 0; even < leaf_size; even += 2, out += stride) {
      const uint32_t odd = even + 1 < leaf_size ? x[even + 1] : 0;
      *out = x[even] | odd << 16;
    }
  }
}

Status Linear(Backend& backend, const LinearArgs& args) {
  const FlushDenormals flush;
  CpuBackend& self = Self(backend);
  const auto& weight = static_cast<const PanelWeight&>(*args.weight);
  const int64_t num_parts = (args.m + kMaxRows - 1) / kMaxRows;
  for (int64_t part = 0; part < num_parts; ++part) {
    const int64_t begin = args.m * part / num_parts;
    const int64_t end = args.m * (part + 1) / num_parts;
    std::byte* y = static_cast<std::byte*>(args.y) + begin * weight.n() * ItemBytes(args.epilogue);
    NEMO_RETURN_IF_ERROR(
        MultiplyRows(self, weight, args.x + begin * weight.k(), end - begin, args.epilogue, y));
  }
  return OkStatus();
}

}  // namespace nemo::cpu
