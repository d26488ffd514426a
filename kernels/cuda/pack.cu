// Arranges uploaded rows of a weight in panels (packed_weight.h). A thread has one group: it reads
// 8 neighbouring inputs of a row, and a warp writes 512 neighbouring bytes.
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.cuh"

namespace nemo::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void PackKernel(PackParams p) {
  const int64_t groups = p.part.panel_elements() / kGroupElements;  // of a panel
  const int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (index >= p.part.panels() * groups) return;
  const int64_t panel = index / groups;
  const int64_t column = panel * kPanelColumns + index % kPanelColumns;
  const int64_t leaf_group = index % groups / kPanelColumns;
  const int64_t leaf = leaf_group / p.part.leaf_groups();
  const int64_t begin = leaf_group % p.part.leaf_groups() * kGroupElements;
  const BF16* row = p.rows + column * p.part.k + leaf * p.part.leaf_size();
  BF16* out = p.panels + index * kGroupElements;
#pragma unroll
  for (int i = 0; i < kGroupElements; ++i) {
    const bool is_there = column < p.part.n && begin + i < p.part.leaf_size();
    out[i] = is_there ? row[begin + i] : BF16{0};
  }
}

}  // namespace

cudaError_t LaunchPack(const PackParams& params, cudaStream_t stream) {
  const int64_t groups = params.part.panels() * params.part.panel_elements() / kGroupElements;
  return Launch(PackKernel, params, (groups + kThreads - 1) / kThreads, kThreads, 0, stream);
}

}  // namespace nemo::cuda
