// KvCache: keys and values of the sequences in flight, in pages of kPageTokens tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

/// Pages that `num_tokens` tokens take.
inline int64_t PagesFor(int64_t num_tokens) { return (num_tokens + kPageTokens - 1) / kPageTokens; }

struct KvCacheOptions {
  int64_t num_layers = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t num_pages = 0;            ///< of each layer's pool
  int64_t max_sequences = 0;        ///< slots
  int64_t max_sequence_tokens = 0;  ///< of one slot
};

/// One pool of pages per layer, [page][kv_head][K|V][kPageTokens][head_dim] bf16, and one page
/// table for all layers: page p of a sequence is the same in each. Pages are handed out lowest
/// first, so ranks that make the same calls have the same tables. Not thread-safe.
class KvCache {
 public:
  /// kIo: out of memory, with the size.
  static Result<KvCache> Create(const KvCacheOptions& options, Backend& backend);
  static int64_t BytesPerPage(const KvCacheOptions& options);  ///< of all layers

  /// Makes room for tokens 0 ... num_tokens - 1 of the sequence in `slot`; keeps what it has.
  /// kInvalidArgument: longer than max_sequence_tokens. kUnavailable: out of pages.
  Status Reserve(int64_t slot, int64_t num_tokens);
  /// Gives back all pages of `slot`.
  void Free(int64_t slot);

  int64_t num_pages() const { return options_.num_pages; }
  int64_t free_pages() const { return static_cast<int64_t>(free_.size()); }
  int64_t tokens_of(int64_t slot) const {
    return static_cast<int64_t>(table_[slot].size()) * kPageTokens;
  }

  BF16* layer_pages(int64_t layer_index);  ///< backend memory
  /// Backend memory, [max_sequences, table_stride()]; uploaded when it changed.
  Result<const int32_t*> page_table();
  int64_t table_stride() const { return PagesFor(options_.max_sequence_tokens); }

 private:
  KvCache(const KvCacheOptions& options, Backend& backend)
      : options_(options), backend_(&backend) {}

  KvCacheOptions options_;
  Backend* backend_;
  std::vector<std::unique_ptr<Buffer>> layers_;
  std::unique_ptr<Buffer> device_table_;
  std::vector<std::vector<int32_t>> table_;  // pages of each slot
  std::vector<int32_t> free_;                // descending: the lowest is at the back
  bool table_changed_ = false;
};

}  // namespace nemo
