#include "libcore/runtime/page_book.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace nemo {
namespace {

std::vector<int32_t> Ids(int64_t count, int32_t first = 0) {
  std::vector<int32_t> ids(count);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

std::vector<int32_t> PagesOf(const PageBook& book, int64_t slot) {
  return {book.pages_of(slot).begin(), book.pages_of(slot).end()};
}

using Pages = std::vector<int32_t>;

/// `ids` go through `slot` and stay known.
void Pass(PageBook& book, int64_t slot, const std::vector<int32_t>& ids) {
  ASSERT_TRUE(book.Reserve(slot, std::ssize(ids)).ok());
  book.Publish(slot, ids, std::ssize(ids), true);
  book.Free(slot);
}

TEST(PageBook, GivesOutTheLowestFreePages) {
  PageBook book({6, 4, 256});
  ASSERT_TRUE(book.Reserve(1, 65).ok());
  ASSERT_TRUE(book.Reserve(0, 64).ok());
  ASSERT_TRUE(book.Reserve(1, 130).ok());
  ASSERT_TRUE(book.Reserve(1, 100).ok());  // already there
  EXPECT_EQ(PagesOf(book, 1), (Pages{0, 1, 3}));
  EXPECT_EQ(PagesOf(book, 0), (Pages{2}));
  EXPECT_EQ(book.free_pages(), 2);
  EXPECT_EQ(book.tokens_of(1), 192);
  book.Free(1);
  ASSERT_TRUE(book.Reserve(3, 200).ok());
  EXPECT_EQ(PagesOf(book, 3), (Pages{0, 1, 3, 4}));
}

TEST(PageBook, SaysHowManyPagesAreMissing) {
  PageBook book({6, 4, 256});
  ASSERT_TRUE(book.Reserve(0, 256).ok());
  const Status status = book.Reserve(1, 256);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("4 more pages"), std::string::npos) << status.message();
  EXPECT_EQ(book.free_pages(), 2);
  EXPECT_EQ(book.Reserve(1, 257).code(), StatusCode::kInvalidArgument);
}

TEST(PageBook, EqualBeginningsShareWholePages) {
  PageBook book({8, 4, 512});
  const std::vector<int32_t> ids = Ids(200);
  ASSERT_TRUE(book.Reserve(0, 200).ok());
  book.Publish(0, ids, 150, true);  // two pages are full
  std::vector<int32_t> other = ids;
  other[127] = -1;
  EXPECT_EQ(book.Adopt(1, ids, 0, 199), 128);
  EXPECT_EQ(PagesOf(book, 1), (Pages{0, 1}));
  EXPECT_EQ(book.Adopt(2, other, 0, 199), 64);
  EXPECT_EQ(PagesOf(book, 2), (Pages{0}));
  EXPECT_EQ(book.Adopt(3, ids, 0, 127), 64) << "the second page ends at 128";
  book.Publish(0, ids, 200, true);
  EXPECT_EQ(book.Adopt(1, ids, 128, 199), 192) << "catches up";
  EXPECT_EQ(book.Adopt(1, ids, 192, 199), 192);
  EXPECT_EQ(book.free_pages(), 4);
  // A page stays as long as anybody has it.
  book.Free(0);
  EXPECT_EQ(book.free_pages(), 5);
  for (int64_t slot = 1; slot < 4; ++slot) book.Free(slot);
  EXPECT_EQ(book.free_pages(), 8);
  EXPECT_EQ(book.cached_pages(), 3);
}

TEST(PageBook, AReservedPageIsGivenBackForAnAdoptedOne) {
  PageBook book({8, 4, 512});
  const std::vector<int32_t> ids = Ids(130);
  ASSERT_TRUE(book.Reserve(0, 130).ok());
  ASSERT_TRUE(book.Reserve(1, 130).ok());
  book.Publish(0, ids, 64, true);
  EXPECT_EQ(book.Adopt(1, ids, 0, 129), 64);
  EXPECT_EQ(PagesOf(book, 1), (Pages{0, 4, 5}));
  EXPECT_EQ(book.free_pages(), 3);
}

TEST(PageBook, ThoseThatFedTheSameSideBySideShareLater) {
  PageBook book({8, 4, 512});
  const std::vector<int32_t> ids = Ids(70);
  for (const int64_t slot : {0, 1}) {
    ASSERT_TRUE(book.Reserve(slot, 70).ok());
    book.Publish(slot, ids, 64, /*may_change=*/false);
  }
  EXPECT_EQ(PagesOf(book, 1), (Pages{2, 3})) << "a step may still write it";
  book.Publish(1, ids, 64, /*may_change=*/true);
  EXPECT_EQ(PagesOf(book, 1), (Pages{0, 3}));
  EXPECT_EQ(book.free_pages(), 5);
}

TEST(PageBook, TheLongestUnusedGoesFirstAndAPrefixOutlivesWhatFollowsIt) {
  PageBook book({6, 4, 512});
  const std::vector<int32_t> a = Ids(128), b = Ids(128, 1000), c = Ids(64, 2000);
  Pass(book, 0, a);
  Pass(book, 0, b);
  Pass(book, 0, c);
  EXPECT_EQ(book.cached_pages(), 5);
  EXPECT_EQ(book.Adopt(0, a, 0, 128), 128);  // used again: b is now the oldest
  book.Free(0);
  ASSERT_TRUE(book.Reserve(1, 128).ok());  // one page was free, one is the end of b
  EXPECT_EQ(book.Adopt(0, b, 0, 128), 64);
  book.Free(0);
  ASSERT_TRUE(book.Reserve(1, 256).ok());  // c and the end of a
  EXPECT_EQ(book.Adopt(0, c, 0, 64), 0);
  EXPECT_EQ(book.Adopt(0, a, 0, 128), 64);
  EXPECT_EQ(book.Reserve(2, 128).code(), StatusCode::kUnavailable) << "one page is in use";
}

TEST(PageBook, KeysThatAreEqualByChanceShareNothing) {
  const auto same_key = [](uint64_t, std::span<const int32_t>) -> uint64_t { return 1; };
  PageBook book({8, 4, 512, same_key});
  const std::vector<int32_t> a = Ids(128), b = Ids(128, 1000);
  ASSERT_TRUE(book.Reserve(0, 128).ok());
  book.Publish(0, a, 128, true);
  EXPECT_EQ(book.Adopt(1, b, 0, 128), 0);
  EXPECT_EQ(book.Adopt(1, a, 0, 128), 64) << "its second page found the key taken";
  ASSERT_TRUE(book.Reserve(2, 128).ok());
  book.Publish(2, b, 128, true);
  EXPECT_EQ(book.Adopt(3, b, 0, 128), 0);
  EXPECT_EQ(PagesOf(book, 2), (Pages{2, 3}));
}

TEST(PageBook, TheSameTokensAfterOtherOnesAreAnotherPage) {
  PageBook book({8, 4, 512});
  std::vector<int32_t> a = Ids(64), b = Ids(64, 1000);
  const std::vector<int32_t> same = Ids(64, 500);
  a.insert(a.end(), same.begin(), same.end());
  b.insert(b.end(), same.begin(), same.end());
  Pass(book, 0, a);
  Pass(book, 0, {b.begin(), b.begin() + 64});
  EXPECT_EQ(book.Adopt(1, b, 0, 128), 64);
}

}  // namespace
}  // namespace nemo
