// A variant of one inner loop: weights are packed element by element. All else is the scalar set's.
#include "kernels/cpu/isa.h"

namespace nemo::cpu {
namespace {

void PackPanelPlainly(const BF16* rows, int64_t stride, int64_t size, int64_t count, BF16* panel) {
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t i = 0; i < size + size % 2; ++i) {
      panel[(i / 2 * kPanelColumns + row) * 2 + i % 2] = i < size ? rows[row * stride + i] : BF16{};
    }
  }
}

}  // namespace

const IsaKernels kPlainKernels = [] {
  IsaKernels kernels = kScalarKernels;
  kernels.name = "plain";
  kernels.pack_panel = PackPanelPlainly;
  return kernels;
}();

}  // namespace nemo::cpu
