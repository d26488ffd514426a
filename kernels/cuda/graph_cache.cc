#include "kernels/cuda/graph_cache.h"

#include <algorithm>

#include "kernels/cuda/device.h"

namespace nemo::cuda {

GraphCache::~GraphCache() { Clear(); }

void GraphCache::Drop(Entry& entry) {
  if (entry.graph != nullptr) cudaGraphExecDestroy(entry.graph);
  entry.graph = nullptr;
}

void GraphCache::Clear() {
  for (Entry& entry : entries_) Drop(entry);
}

size_t GraphCache::num_graphs() const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(),
                                           [](const Entry& e) { return e.graph != nullptr; }));
}

Status GraphCache::Run(int64_t key, cudaStream_t stream, const std::function<Status()>& calls) {
  const auto found = index_.find(key);
  if (found == index_.end()) {
    if (entries_.size() == capacity_) {
      Drop(entries_.back());
      index_.erase(entries_.back().key);
      entries_.pop_back();
    }
    entries_.push_front({key});
    index_[key] = entries_.begin();
    return calls();
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  Entry& entry = entries_.front();
  if (entry.is_refused) return calls();
  if (entry.graph == nullptr) NEMO_RETURN_IF_ERROR(Record(entry, stream, calls));
  if (entry.graph == nullptr) return calls();
  return CudaStatus(cudaGraphLaunch(entry.graph, stream), "cudaGraphLaunch");
}

/// Leaves entry.graph null where the calls cannot be recorded.
Status GraphCache::Record(Entry& entry, cudaStream_t stream, const std::function<Status()>& calls) {
  NEMO_RETURN_IF_ERROR(CudaStatus(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                                  "cudaStreamBeginCapture"));
  const Status called = calls();
  cudaGraph_t graph = nullptr;
  const Status ended = CudaStatus(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  if (called.ok() && ended.ok()) {
    const Status made =
        CudaStatus(cudaGraphInstantiate(&entry.graph, graph, 0), "cudaGraphInstantiate");
    if (!made.ok()) entry.graph = nullptr;
  }
  if (graph != nullptr) cudaGraphDestroy(graph);
  entry.is_refused = entry.graph == nullptr;
  return OkStatus();
}

}  // namespace nemo::cuda
