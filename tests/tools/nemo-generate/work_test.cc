// What prompts become before they reach the model.
#include "tools/nemo-generate/work.h"

#include <gtest/gtest.h>

#include "tests/testing.h"

namespace nemo {
namespace {

TEST(MakeRequests, AsksForTheTextsOfTokensOnlyToStream) {
  GenerateJob job;
  ModelSession model;
  auto checkpoint = OpenSource(testing::DataPath("shakespeare.nemo"), &model.tokenizer);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  model.checkpoint = *std::move(checkpoint);
  for (const bool stream : {false, true}) {
    job.stream = stream;
    const auto requests = MakeRequests({job, model}, {{"KING", "prompt 1", {}}});
    ASSERT_TRUE(requests) << requests.error().message();
    EXPECT_EQ((*requests)[0].token_texts, stream);
  }
}

}  // namespace
}  // namespace nemo
