#include "libcore/runtime/kv_cache.h"

#include <vector>

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
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<KvCache> cache_;
};

TEST_F(KvCacheTest, TheTableShowsTheBook) {
  const auto row = [&](int64_t slot, int64_t count) -> std::vector<int32_t> {
    const int32_t* begin = *cache_->page_table() + slot * cache_->table_stride();
    return {begin, begin + count};
  };
  ASSERT_TRUE(cache_->book().Reserve(1, 65).ok());
  ASSERT_TRUE(cache_->book().Reserve(3, 64).ok());
  EXPECT_EQ(row(1, 2), (std::vector<int32_t>{0, 1}));
  EXPECT_EQ(row(3, 1), (std::vector<int32_t>{2}));
  cache_->book().Free(1);
  ASSERT_TRUE(cache_->book().Reserve(3, 130).ok());
  EXPECT_EQ(row(3, 3), (std::vector<int32_t>{2, 0, 1}));
}

TEST_F(KvCacheTest, PoolsOfLayersAreApart) {
  const int64_t page_elements = 3 * 2 * kPageTokens * 8;
  const BF16* first = cache_->layer_pages(0);
  const BF16* second = cache_->layer_pages(1);
  EXPECT_TRUE(second >= first + 6 * page_elements || first >= second + 6 * page_elements);
  EXPECT_EQ(KvCache::BytesPerPage({2, 3, 8, 6, 4, 256}), 2 * page_elements * 2);
}

TEST(KvCache, RefusesWhatMemoryCannotHold) {
  auto backend = CreateBackend("reference", {});
  auto cache = KvCache::Create({1, 8, 192, int64_t{1} << 40, 4, 256}, **backend);
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code(), StatusCode::kIo);
  EXPECT_NE(cache.error().message().find("KV cache of"), std::string::npos)
      << cache.error().message();
}

}  // namespace
}  // namespace nemo
