#include "kernels/cuda/gemm_choice.h"

#include "kernels/cuda/device.h"
#include "libcore/base/format.h"

namespace nemo::cuda {

GemmChooser::~GemmChooser() {
  if (begin_ != nullptr) cudaEventDestroy(begin_);
  if (end_ != nullptr) cudaEventDestroy(end_);
}

Status GemmChooser::Run(const GemmShape& shape, const BF16* weight, const BF16* x, void* y,
                        void* scratch, int64_t scratch_bytes, cudaStream_t stream) {
  auto found = choices_.find(shape);
  if (found == choices_.end()) {
    NEMO_ASSIGN_OR_RETURN(const int best,
                          Choose(shape, weight, x, y, scratch, scratch_bytes, stream));
    if (choices_.size() == kMaxShapes) choices_.clear();
    found = choices_.emplace(shape, best).first;
  }
  if (found->second < 0) {
    return Unsupported(Format("{} has no product [{}, {}] x [{}, {}]", library_->name(), shape.m,
                              shape.k, shape.k, shape.n));
  }
  return library_->Run(shape, found->second, weight, x, y, scratch, scratch_bytes, stream);
}

Result<int> GemmChooser::Choose(const GemmShape& shape, const BF16* weight, const BF16* x, void* y,
                                void* scratch, int64_t scratch_bytes, cudaStream_t stream) {
  if (begin_ == nullptr) {
    NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventCreateWithFlags(&begin_, 0), "cudaEventCreate"));
    NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventCreateWithFlags(&end_, 0), "cudaEventCreate"));
  }
  NEMO_ASSIGN_OR_RETURN(const int count, library_->NumCandidates(shape, scratch_bytes));
  int best = -1;
  float best_ms = 0;
  for (int candidate = 0; candidate < count; ++candidate) {
    const auto run = [&] {
      return library_->Run(shape, candidate, weight, x, y, scratch, scratch_bytes, stream);
    };
    if (!run().ok()) continue;  // a candidate may turn out not to fit
    NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventRecord(begin_, stream), "cudaEventRecord"));
    for (int i = 0; i < kTimedRuns; ++i) NEMO_RETURN_IF_ERROR(run());
    NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventRecord(end_, stream), "cudaEventRecord"));
    NEMO_RETURN_IF_ERROR(CudaStatus(cudaEventSynchronize(end_), "cudaEventSynchronize"));
    float ms = 0;
    NEMO_RETURN_IF_ERROR(
        CudaStatus(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime"));
    if (best < 0 || ms < best_ms) {
      best = candidate;
      best_ms = ms;
    }
  }
  return best;
}

}  // namespace nemo::cuda
