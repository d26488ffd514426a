// KvCache: keys and values of the sequences in flight, in pages of kPageTokens tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "libcore/base/check.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "libcore/runtime/page_book.h"

namespace nemo {

struct KvCacheOptions {
  int64_t num_layers = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t num_pages = 0;                 ///< of each layer's pool
  int64_t max_sequences = 0;             ///< slots
  int64_t max_sequence_tokens = 0;       ///< of one slot
  int64_t element_bytes = sizeof(BF16);  ///< of an activation
  /// One more page, and a slot of this page: for tokens that nobody asks for.
  bool has_padding = false;
};

/// One pool of pages per layer, [page][kv_head][K|V][kPageTokens][head_dim], and one page
/// table for all layers: page p of a sequence is the same in each. Not thread-safe.
class KvCache {
 public:
  /// kIo: out of memory, with the size.
  static Result<KvCache> Create(const KvCacheOptions& options, Backend& backend);
  static int64_t BytesPerPage(const KvCacheOptions& options);  ///< of all layers

  /// Who has which pages. Whoever changes the book of one rank changes those of all ranks alike.
  PageBook& book() { return *book_; }
  const PageBook& book() const { return *book_; }

  /// Backend memory; T has element_bytes.
  template <typename T = BF16>
  T* layer_pages(int64_t layer_index) {
    NEMO_CHECK(options_.element_bytes == sizeof(T));
    return static_cast<T*>(layers_[layer_index]->data());
  }
  /// The slot of the tokens that nobody asks for; with has_padding.
  int64_t padding_slot() const { return options_.max_sequences; }
  /// Backend memory, [max_sequences (and one for padding), table_stride()]; uploaded when the book
  /// changed.
  Result<const int32_t*> page_table();
  int64_t table_stride() const { return PagesFor(options_.max_sequence_tokens); }

 private:
  KvCache(const KvCacheOptions& options, Backend& backend)
      : options_(options), backend_(&backend) {}

  int64_t num_rows() const { return options_.max_sequences + (options_.has_padding ? 1 : 0); }

  KvCacheOptions options_;
  Backend* backend_;
  std::vector<std::unique_ptr<Buffer>> layers_;
  std::unique_ptr<Buffer> device_table_;
  std::unique_ptr<PageBook> book_;  // at an address of its own: schedulers refer to it
  uint64_t table_version_ = 0;
};

}  // namespace nemo
