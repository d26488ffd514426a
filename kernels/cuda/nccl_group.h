// NCCL, loaded when ranks first want to sum on their devices or to hand on what lies there. The
// door of its header is nccl_group.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

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
  /// `size_bytes` at `data` to and from rank `peer`, on `stream`: calls in one order on both sides.
  virtual Status Send(const void* data, int64_t size_bytes, int peer, cudaStream_t stream) = 0;
  virtual Status Recv(void* data, int64_t size_bytes, int peer, cudaStream_t stream) = 0;
  /// kUnavailable: NCCL has seen a peer fail.
  virtual Status Check() = 0;
  /// Ends what waits for peers; the group is of no use after.
  virtual void Abort() = 0;
};

/// kUnavailable: NCCL is not here, with the reason.
Status FindNccl();
/// The name of a new group, for one rank to give to the others. kUnavailable: NCCL is not here.
Result<NcclId> NewNcclId();
/// Collective over the ranks that have `id`, on the calling thread's device; `name` goes
/// into errors. kUnavailable: NCCL's words, or `deadline_ms` over.
Result<std::unique_ptr<NcclGroup>> JoinNccl(const NcclId& id, int rank, int size,
                                            const std::string& name, int64_t deadline_ms);

}  // namespace nemo::cuda
