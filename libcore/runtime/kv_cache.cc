#include "libcore/runtime/kv_cache.h"

#include <algorithm>
#include <functional>
#include <span>

#include "libcore/base/format.h"

namespace nemo {
namespace {

int64_t LayerPageBytes(const KvCacheOptions& o) {
  return o.num_kv_heads * 2 * kPageTokens * o.head_dim * static_cast<int64_t>(sizeof(BF16));
}

}  // namespace

int64_t KvCache::BytesPerPage(const KvCacheOptions& options) {
  return options.num_layers * LayerPageBytes(options);
}

Result<KvCache> KvCache::Create(const KvCacheOptions& options, Backend& backend) {
  KvCache cache(options, backend);
  for (int64_t layer = 0; layer < options.num_layers; ++layer) {
    auto pool = backend.Allocate(options.num_pages * LayerPageBytes(options));
    if (!pool) {
      return pool.error().At(Format("KV cache of {} pages of {} tokens ({} in all)",
                                    options.num_pages, kPageTokens,
                                    FormatBytes(options.num_pages * BytesPerPage(options))));
    }
    cache.layers_.push_back(std::move(*pool));
  }
  const int64_t table_bytes =
      options.max_sequences * cache.table_stride() * static_cast<int64_t>(sizeof(int32_t));
  NEMO_ASSIGN_OR_RETURN(cache.device_table_, backend.Allocate(table_bytes));
  cache.table_.resize(options.max_sequences);
  for (int64_t page = options.num_pages - 1; page >= 0; --page) {
    cache.free_.push_back(static_cast<int32_t>(page));
  }
  return cache;
}

Status KvCache::Reserve(int64_t slot, int64_t num_tokens) {
  NEMO_CHECK(slot >= 0 && slot < options_.max_sequences);
  if (num_tokens > options_.max_sequence_tokens) {
    return InvalidArgument(Format("{} tokens in a sequence; the KV cache was made for {}",
                                  num_tokens, options_.max_sequence_tokens));
  }
  std::vector<int32_t>& pages = table_[slot];
  const int64_t missing = PagesFor(num_tokens) - static_cast<int64_t>(pages.size());
  if (missing <= 0) return OkStatus();
  if (missing > free_pages()) {
    return Unavailable(
        Format("KV cache: {} more pages of {} tokens are needed, {} of {} are free; run fewer "
               "or shorter sequences at once, or give the cache more pages",
               missing, kPageTokens, free_pages(), options_.num_pages));
  }
  for (int64_t i = 0; i < missing; ++i) {
    pages.push_back(free_.back());
    free_.pop_back();
  }
  table_changed_ = true;
  return OkStatus();
}

void KvCache::Free(int64_t slot) {
  NEMO_CHECK(slot >= 0 && slot < options_.max_sequences);
  free_.insert(free_.end(), table_[slot].begin(), table_[slot].end());
  std::sort(free_.begin(), free_.end(), std::greater<>());
  table_[slot].clear();
}

BF16* KvCache::layer_pages(int64_t layer_index) {
  return static_cast<BF16*>(layers_[layer_index]->data());
}

Result<const int32_t*> KvCache::page_table() {
  if (table_changed_) {
    std::vector<int32_t> rows(options_.max_sequences * table_stride(), 0);
    for (size_t slot = 0; slot < table_.size(); ++slot) {
      std::copy(table_[slot].begin(), table_[slot].end(), rows.begin() + slot * table_stride());
    }
    NEMO_RETURN_IF_ERROR(backend_->Upload(device_table_->data(), std::as_bytes(std::span(rows))));
    table_changed_ = false;
  }
  return static_cast<const int32_t*>(device_table_->data());
}

}  // namespace nemo
