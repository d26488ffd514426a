// The page's form; what it does is seen in tests/e2e/serve_page_test.py.
#include "libcore/serve/page.h"

#include <regex>
#include <string>

#include <gtest/gtest.h>

#include "tests/libcore/serve/api_calls.h"

namespace nemo {
namespace {

TEST(Page, IsServedAtTheRootWhilePutKeepsItsMeaning) {
  testing::ApiUnderTest api;
  const Reply page = testing::ReplyOf(api.Call("GET", "/", "", ""));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_EQ(page.body, kPage);
  EXPECT_EQ(testing::ReplyOf(api.Call("PUT", "/", "", "")).status, 404);
  api.context.nemo_only = true;
  EXPECT_EQ(testing::ReplyOf(api.Call("GET", "/", "", "")).status, 404);
}

TEST(Page, HasAllItNeedsInside) {
  const std::string page(kPage);
  EXPECT_EQ(page.find('@'), page.find("@media")) << "a place that was not filled";
  const std::regex outside(R"((src|href)\s*=\s*"(?!data:|#))");
  EXPECT_FALSE(std::regex_search(page, outside));
  for (const char* word : {"http://", "https://", "@import", "url(", "style=\"", "onclick"}) {
    EXPECT_EQ(page.find(word), std::string::npos) << word;
  }
  EXPECT_TRUE(std::regex_search(page, std::regex("script-src 'sha256-[A-Za-z0-9+/]{43}='")));
}

TEST(Page, LabelsEveryFieldAndGivesTheLanguage) {
  const std::string page(kPage);
  EXPECT_NE(page.find("<html lang=\"en\">"), std::string::npos);
  const std::regex field(R"(<(?:input|select|textarea) id="([a-z-]+)\")");
  int64_t count = 0;
  for (std::sregex_iterator it(page.begin(), page.end(), field), end; it != end; ++it, ++count) {
    const std::regex label("<label[^>]* for=\"" + (*it)[1].str() + "\"");
    EXPECT_TRUE(std::regex_search(page, label)) << (*it)[1];
  }
  EXPECT_EQ(count, 10);
}

}  // namespace
}  // namespace nemo
