#include "libcore/runtime/step_news.h"

#include <string>

#include <gtest/gtest.h>

namespace nemo {
namespace {

const StepNews kNews = {7, 99, {{-1.5, 3, 4}, {-0.25, 5, 5}}, {{4, -0.5}, {3, -1.5}, {5, -0.25}}};

TEST(StepNews, ComesBackAsItWasSent) {
  const auto news = UnpackStepNews(PackStepNews(kNews), 7, 99, 2, 3);
  ASSERT_TRUE(news) << news.error().message();
  ASSERT_EQ(news->rows.size(), 2u);
  EXPECT_EQ(news->rows[0].logprob, -1.5);
  EXPECT_EQ(news->rows[0].token_id, 3);
  EXPECT_EQ(news->rows[1].argmax, 5);
  EXPECT_EQ(news->top, kNews.top);
}

TEST(StepNews, SaysWhatIsWrongWithAMessage) {
  std::vector<std::byte> bytes = PackStepNews(kNews);
  ASSERT_EQ(bytes.size(), StepNewsBytes(2, 3));
  const auto says = [](const Result<StepNews>& news, const std::string& text) {
    EXPECT_FALSE(news);
    EXPECT_EQ(news.error().code(), StatusCode::kUnavailable);
    EXPECT_NE(news.error().message().find(text), std::string::npos) << news.error().message();
  };
  for (size_t size = 0; size < bytes.size(); ++size) {
    says(UnpackStepNews(std::span(bytes).first(size), 7, 99, 2, 3), "news of step 7");
  }
  says(UnpackStepNews(bytes, 8, 99, 2, 3), "this rank is at step 8");
  says(UnpackStepNews(bytes, 7, 99, 3, 3), "with 3 rows");
  says(UnpackStepNews(bytes, 7, 98, 2, 3), "of other work");
  says(UnpackStepNews(bytes, 7, 99, 2, 4), "of other work");
  bytes[4] = std::byte{1};
  says(UnpackStepNews(bytes, 7, 99, 2, 3), "not a message of version 2");
}

}  // namespace
}  // namespace nemo
