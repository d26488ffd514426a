// The operand layouts of mma and ldmatrix, after the figures of the PTX ISA.
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo::simt {
namespace {

float Half(uint32_t pair, int which) {
  return std::bit_cast<float>(which == 0 ? pair << 16 : pair & 0xffff0000u);
}

struct Operands {
  uint32_t a[4];
  uint32_t b[2];
};

Operands OfLane(const std::byte* slots, int lane) {
  Operands operands;
  std::memcpy(&operands, slots + lane * kSlotBytes, sizeof operands);
  return operands;
}

}  // namespace

void Mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Operands mine;
  std::memcpy(mine.a, a, sizeof mine.a);
  std::memcpy(mine.b, b, sizeof mine.b);
  const int lane = static_cast<int>(threadIdx.x % kWarpLanes);
  const std::byte* slots = Exchange("mma", &mine, sizeof mine);
  double sums[4] = {c[0], c[1], c[2], c[3]};
  for (int pair = 0; pair < 8; ++pair) {
    const int quarter = pair % 4, high = pair / 4;
    const Operands left = OfLane(slots, lane / 4 * 4 + quarter);
    for (int column = 0; column < 2; ++column) {
      const Operands right = OfLane(slots, (lane % 4 * 2 + column) * 4 + quarter);
      for (int i = 0; i < 2; ++i) {
        const double factor = Half(right.b[high], i);
        sums[column] += Half(left.a[2 * high], i) * factor;
        sums[2 + column] += Half(left.a[2 * high + 1], i) * factor;
      }
    }
  }
  for (int i = 0; i < 4; ++i) c[i] = static_cast<float>(sums[i]);
}

void LoadMatrices(uint32_t (&r)[4], const uint16_t* row, bool transposed) {
  const int lane = static_cast<int>(threadIdx.x % kWarpLanes);
  const std::byte* slots = Exchange(transposed ? "ldmatrix.trans" : "ldmatrix", &row, sizeof row);
  const auto element = [&](int matrix, int from_row, int column) {
    const uint16_t* address = nullptr;
    std::memcpy(&address, slots + (matrix * 8 + from_row) * kSlotBytes, sizeof address);
    return uint32_t{address[column]};
  };
  for (int matrix = 0; matrix < 4; ++matrix) {
    const int outer = lane / 4, inner = lane % 4 * 2;
    r[matrix] = transposed
                    ? element(matrix, inner, outer) | element(matrix, inner + 1, outer) << 16
                    : element(matrix, outer, inner) | element(matrix, outer, inner + 1) << 16;
  }
}

}  // namespace nemo::simt
