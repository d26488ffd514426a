// Recorded steps: which sequences of calls are worth a CUDA graph, and which are kept. Decoding
// runs the same calls for each token; a batch is padded to one of a few sizes, so that few records
// do.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <unordered_map>

#include <cuda_runtime_api.h>

#include "libcore/base/status.h"

namespace nemo::cuda {

/// Keeps up to `capacity` graphs, the least recently used goes first. Not thread-safe.
class GraphCache {
 public:
  explicit GraphCache(size_t capacity = 64) : capacity_(capacity) {}
  ~GraphCache();
  GraphCache(const GraphCache&) = delete;
  GraphCache& operator=(const GraphCache&) = delete;

  /// Does `calls` on `stream`: as they are when `key` is new (they may still allocate, and time
  /// candidates), recorded and launched the second time, launched from the record after that. Calls
  /// that cannot be recorded are done as they are from then on. kUnavailable: a call failed.
  Status Run(int64_t key, cudaStream_t stream, const std::function<Status()>& calls);
  /// Forgets all records, which are made again: something that they point to is gone. May be called
  /// by the calls of Run.
  void Clear();
  size_t num_graphs() const;

 private:
  struct Entry {
    int64_t key;
    cudaGraphExec_t graph = nullptr;  // nullptr: seen once, or not to be recorded
    bool is_refused = false;
  };
  Status Record(Entry& entry, cudaStream_t stream, const std::function<Status()>& calls);
  void Drop(Entry& entry);

  size_t capacity_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<int64_t, std::list<Entry>::iterator> index_;
};

}  // namespace nemo::cuda
