#include "libcore/runtime/kv_cache.h"

#include <algorithm>
#include <span>

#include "libcore/base/format.h"

namespace nemo {
namespace {

int64_t LayerPageBytes(const KvCacheOptions& o) {
  return o.num_kv_heads * 2 * kPageTokens * o.head_dim * o.element_bytes;
}

}  // namespace

int64_t KvCache::BytesPerPage(const KvCacheOptions& options) {
  return options.num_layers * LayerPageBytes(options);
}

Result<KvCache> KvCache::Create(const KvCacheOptions& options, Backend& backend) {
  KvCache cache(options, backend);
  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    const int64_t num_pages = options.num_pages + (options.has_padding ? 1 : 0);
    auto pool = backend.Allocate(num_pages * LayerPageBytes(options));
    if (!pool) {
      return pool.error().At(Format("KV cache of {} pages of {} tokens ({} in all)",
                                    options.num_pages, kPageTokens,
                                    FormatBytes(options.num_pages * BytesPerPage(options))));
    }
    cache.layers_.push_back(std::move(*pool));
  }
  const int64_t table_bytes =
      cache.num_rows() * cache.table_stride() * static_cast<int64_t>(sizeof(int32_t));
  NEMO_ASSIGN_OR_RETURN(cache.device_table_, backend.Allocate(table_bytes));
  cache.book_ = std::make_unique<PageBook>(
      PageBookOptions{options.num_pages, options.max_sequences, options.max_sequence_tokens});
  return cache;
}

Result<const int32_t*> KvCache::page_table() {
  if (table_version_ != book_->version()) {
    std::vector<int32_t> rows(num_rows() * table_stride(), 0);
    if (options_.has_padding) {
      rows[options_.max_sequences * table_stride()] = static_cast<int32_t>(options_.num_pages);
    }
    for (int64_t slot = 0; slot < options_.max_sequences; ++slot) {
      std::ranges::copy(book_->pages_of(slot), rows.begin() + slot * table_stride());
    }
    NEMO_RETURN_IF_ERROR(backend_->Upload(device_table_->data(), std::as_bytes(std::span(rows))));
    table_version_ = book_->version();
  }
  return static_cast<const int32_t*>(device_table_->data());
}

}  // namespace nemo
