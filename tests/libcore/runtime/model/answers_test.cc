// What comes with a token, and stop strings, on every layout.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/runtime/model/demo_fixture.h"

namespace nemo {
namespace {

using testing::RunOptions;

class AnswersTest : public testing::DemoFixture {
 protected:
  static constexpr struct {
    int64_t tp_size, pp_size;
  } kLayouts[] = {{1, 1}, {2, 1}, {4, 1}, {1, 2}, {2, 3}};
};

TEST_F(AnswersTest, StopStringsEndWhereTheGeneratedTextContainsThem) {
  const GenerateResult free = One(Request("ROMEO:", 40));
  const std::string said = free.text.substr(6);
  GenerateRequest request = Request("ROMEO:", 40);
  request.stop_strings = {"no such text", said.substr(17, 4)};
  for (const auto& layout : kLayouts) {
    const GenerateResult result = All({request}, layout.tp_size, layout.pp_size)[0];
    SCOPED_TRACE(Format("TP{} PP{}: {}", layout.tp_size, layout.pp_size, result.text));
    EXPECT_EQ(result.finish_reason, FinishReason::kStop);
    ASSERT_TRUE(free.text.starts_with(result.text));
    EXPECT_NE(result.text.find(request.stop_strings[1], 6), std::string::npos);
    // Without its last token it would not have been there.
    const std::vector<int32_t> before(result.token_ids.begin(), result.token_ids.end() - 1);
    EXPECT_EQ(model_.tokenizer->Decode(before)->find(request.stop_strings[1], 6),
              std::string::npos);
  }
}

TEST_F(AnswersTest, ThePromptContainsNoStopString) {
  GenerateRequest request = Request("ROMEO:", 12);
  const GenerateResult free = One(request);
  request.stop_strings = {"ROMEO:", "EO:" + free.text.substr(6, 2)};
  const GenerateResult result = One(request);
  EXPECT_EQ(result.finish_reason, FinishReason::kLength);
  EXPECT_EQ(result.token_ids, free.token_ids);
}

/// The largest of a whole row, as they have to be listed.
std::vector<TokenLogprob> LargestOf(const std::vector<float>& row, size_t count) {
  std::vector<TokenLogprob> all;
  for (size_t i = 0; i < row.size(); ++i) all.push_back({static_cast<int32_t>(i), row[i]});
  std::ranges::stable_sort(all, [](auto& a, auto& b) { return a.logprob > b.logprob; });
  all.resize(count);
  return all;
}

TEST_F(AnswersTest, TheLikeliestTokensAreThoseOfTheWholeRow) {
  std::vector<GenerateRequest> requests = {Request("ROMEO:", 6), Request("To be, or not", 9)};
  requests[0].top_logprobs = 5;
  requests[1].top_logprobs = 1;
  requests[1].sampling = {.temperature = 2, .top_k = 50, .seed = 3};
  requests[1].logprobs_begin = 2;
  for (GenerateRequest& request : requests) request.logprobs = request.full_logprobs = true;
  for (const GenerateResult& result : All(requests)) {
    ASSERT_EQ(result.top_logprobs.size(), result.logprob.size());
    ASSERT_EQ(result.full_logprob.size(), result.logprob.size());
    for (size_t i = 0; i < result.logprob.size(); ++i) {
      const std::vector<TokenLogprob>& top = result.top_logprobs[i];
      const auto expected = LargestOf(result.full_logprob[i], top.size());
      EXPECT_EQ(top[0].token_id, result.argmax[i]);
      for (size_t n = 0; n < top.size(); ++n) {
        EXPECT_EQ(top[n].token_id, expected[n].token_id) << i << ", " << n;
        EXPECT_EQ(static_cast<float>(top[n].logprob), static_cast<float>(expected[n].logprob));
      }
    }
  }
}

TEST_F(AnswersTest, ATokenHasOneLogProbabilityWhereverItStands) {
  GenerateRequest request = Request("ROMEO:", 8);
  request.logprobs = true;
  request.top_logprobs = kMaxTopLogprobs;
  const GenerateResult result = One(request);
  ASSERT_EQ(result.top_logprobs.size(), result.token_ids.size() - 1);
  for (size_t i = 0; i < result.top_logprobs.size(); ++i) {
    for (const TokenLogprob& token : result.top_logprobs[i]) {
      if (token.token_id != result.token_ids[i + 1]) continue;
      EXPECT_EQ(token.logprob, result.logprob[i]);
    }
  }
  for (const auto& layout : kLayouts) {
    const GenerateResult other = All({request}, layout.tp_size, layout.pp_size)[0];
    EXPECT_EQ(other.top_logprobs, result.top_logprobs) << layout.tp_size << " x " << layout.pp_size;
  }
}

TEST_F(AnswersTest, EventsCarryWhatTheResultSays) {
  std::vector<GenerateRequest> requests = {Request("ROMEO:", 7), Request("KING", 5)};
  requests[0].logprobs = true;
  requests[0].top_logprobs = 3;
  struct Seen {
    std::vector<double> logprob;
    std::vector<std::vector<TokenLogprob>> top;
  };
  std::map<int64_t, Seen> seen;
  RunOptions options;
  const Status status = testing::RunEngines(model_, options, [&](Engine& engine) -> Status {
    const auto note = [&](const TokenEvent& event) {
      seen[event.id].logprob.push_back(event.logprob);
      seen[event.id].top.emplace_back(event.top_logprobs.begin(), event.top_logprobs.end());
    };
    NEMO_ASSIGN_OR_RETURN(const auto results,
                          Generate(engine, *model_.tokenizer, requests, {}, note));
    EXPECT_EQ(seen[0].logprob,
              std::vector<double>(results[0].logprob.end() - 7, results[0].logprob.end()));
    EXPECT_TRUE(std::equal(seen[0].top.begin(), seen[0].top.end(),
                           results[0].top_logprobs.end() - 7, results[0].top_logprobs.end()));
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(seen[1].logprob, std::vector<double>(5, 0.0));
  EXPECT_EQ(seen[1].top, std::vector<std::vector<TokenLogprob>>(5));
}

}  // namespace
}  // namespace nemo
