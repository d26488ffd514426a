// A sum over ranks in one kernel, for messages whose time is latency: each rank leaves its numbers
// where the others can read them, waits for theirs, and adds all of them in the order of
// Communicator::AllReduceSum, so that all ranks hold the same bits.
#pragma once

#include <cstdint>

#include <cuda_runtime_api.h>

#include "libcore/base/host_device.h"

namespace nemo::cuda {

inline constexpr int kMaxPeers = 8;
inline constexpr int kSumBlocks = 32;           ///< of every call, whatever its size
inline constexpr int64_t kSumChunk = 1024;      ///< neighbouring floats of one block
inline constexpr int64_t kSumFloats = 1 << 19;  ///< of one call: 2 MiB

/// What a rank shares with the others, in one allocation. Floats of even and odd rounds take turns:
/// a rank that writes round r + 2 has seen all others begin r + 1, and so end their reading of r.
struct SumSegment {
  float floats[2][kSumFloats];
  /// flags[block][rank]: the round whose floats that rank has left for this block.
  uint32_t flags[kSumBlocks][kMaxPeers];
  uint32_t rounds[kSumBlocks];  ///< done by this rank's blocks; the others do not look
};

/// Block of float `i`: the same in every call, so that blocks of neighbouring calls that differ in
/// size do not meet.
NEMO_HOST_DEVICE inline int SumBlockOf(int64_t i) {
  return static_cast<int>(i / kSumChunk % kSumBlocks);
}

struct OneShotParams {
  float* data;  ///< [count], in place
  int64_t count;
  SumSegment* segments[kMaxPeers];  ///< as this rank's device sees them
  int rank, size;
  uint64_t deadline_ns;
  uint32_t* missing;  ///< host memory: 1 + the rank that did not come in time
};

/// Parts of `size` ranks in the order of the contract: neighbours, then neighbours of the sums, for
/// a power of two; else in rank order.
NEMO_HOST_DEVICE inline float SumOfRanks(float (&parts)[kMaxPeers], int size) {
  if ((size & (size - 1)) != 0) {
    float sum = parts[0];
    for (int i = 1; i < size; ++i) sum += parts[i];
    return sum;
  }
  for (int count = size; count > 1; count /= 2) {
    for (int i = 0; i < count / 2; ++i) parts[i] = parts[2 * i] + parts[2 * i + 1];
  }
  return parts[0];
}

/// count <= kSumFloats.
cudaError_t LaunchOneShotSum(const OneShotParams& params, cudaStream_t stream);

}  // namespace nemo::cuda
