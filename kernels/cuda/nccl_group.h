// NCCL, loaded when ranks first want to sum on their devices. The door of its header is nccl_group.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include <cuda_runtime_api.h>

#include "libcore/base/status.h"

namespace nemo::cuda {

using NcclId = std::array<char, 128>;

/// One rank of a group. Not thread-safe.
class NcclGroup {
 public:
  virtual ~NcclGroup() = default;
  /// Sum in place, on `stream`. The order of the sum is NCCL's.
  virtual Status AllReduceSum(float* data, int64_t count, cudaStream_t stream) = 0;
  /// kUnavailable: NCCL has seen a peer fail.
  virtual Status Check() = 0;
  /// Ends what waits for peers; the group is of no use after.
  virtual void Abort() = 0;
};

/// The name of a new group, for one rank to give to the others. kUnavailable: NCCL is not here.
Result<NcclId> NewNcclId();
/// Collective over the ranks that have `id`, on the calling thread's device. kUnavailable: NCCL's
/// words, or `deadline_ms` over.
Result<std::unique_ptr<NcclGroup>> JoinNccl(const NcclId& id, int rank, int size,
                                            int64_t deadline_ms);

}  // namespace nemo::cuda
