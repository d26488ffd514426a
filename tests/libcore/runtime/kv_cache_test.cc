#include "libcore/runtime/kv_cache.h"

#include <set>

#include <gtest/gtest.h>

#include "kernels/registry.h"

namespace nemo {
namespace {

class KvCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    backend_ = std::move(*CreateBackend("reference", {}));
    auto cache = KvCache::Create({2, 3, 8, 6, 4, 256}, *backend_);
    ASSERT_TRUE(cache) << cache.error().message();
    cache_ = std::make_unique<KvCache>(std::move(*cache));
  }
  std::vector<int32_t> PagesOf(int64_t slot, int64_t count) {
    const int32_t* row = *cache_->page_table() + slot * cache_->table_stride();
    return {row, row + count};
  }
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<KvCache> cache_;
};

TEST_F(KvCacheTest, GivesOutTheLowestFreePages) {
  ASSERT_TRUE(cache_->Reserve(1, 65).ok());
  ASSERT_TRUE(cache_->Reserve(0, 64).ok());
  ASSERT_TRUE(cache_->Reserve(1, 130).ok());
  ASSERT_TRUE(cache_->Reserve(1, 100).ok());  // already there
  EXPECT_EQ(PagesOf(1, 3), (std::vector<int32_t>{0, 1, 3}));
  EXPECT_EQ(PagesOf(0, 1), (std::vector<int32_t>{2}));
  EXPECT_EQ(cache_->free_pages(), 2);
  EXPECT_EQ(cache_->tokens_of(1), 192);
  cache_->Free(1);
  ASSERT_TRUE(cache_->Reserve(3, 200).ok());
  EXPECT_EQ(PagesOf(3, 4), (std::vector<int32_t>{0, 1, 3, 4}));
}

TEST_F(KvCacheTest, SaysHowManyPagesAreMissing) {
  ASSERT_TRUE(cache_->Reserve(0, 256).ok());
  const Status status = cache_->Reserve(1, 256);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("4 more pages"), std::string::npos) << status.message();
  EXPECT_EQ(cache_->free_pages(), 2);
  EXPECT_EQ(cache_->Reserve(1, 257).code(), StatusCode::kInvalidArgument);
}

TEST_F(KvCacheTest, PoolsOfLayersAreApart) {
  const int64_t page_elements = 3 * 2 * kPageTokens * 8;
  const BF16* first = cache_->layer_pages(0);
  const BF16* second = cache_->layer_pages(1);
  EXPECT_TRUE(second >= first + 6 * page_elements || first >= second + 6 * page_elements);
  EXPECT_EQ(KvCache::BytesPerPage({2, 3, 8, 6, 4, 256}), 2 * page_elements * 2);
}

TEST(KvCache, RefusesWhatMemoryCannotHold) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer ends the program where malloc would return null";
#endif
  auto backend = CreateBackend("reference", {});
  auto cache = KvCache::Create({1, 8, 192, int64_t{1} << 40, 4, 256}, **backend);
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code(), StatusCode::kIo);
  EXPECT_NE(cache.error().message().find("KV cache of"), std::string::npos)
      << cache.error().message();
}

}  // namespace
}  // namespace nemo
