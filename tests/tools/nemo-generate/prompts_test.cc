#include "tools/nemo-generate/prompts.h"

#include <gtest/gtest.h>

#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "tests/testing.h"

namespace nemo {
namespace {

PromptParams Defaults() {
  PromptParams params;
  params.tokens_to_generate = 9;
  params.sampling.top_k = 40;
  params.end_strings = {"END"};
  return params;
}

TEST(ParsePrompts, SkipsEmptyLinesAndCountsThem) {
  const auto prompts = ParsePrompts("one\r\n \t\n\ntwo \n", false, "p.txt", Defaults());
  ASSERT_TRUE(prompts);
  ASSERT_EQ(prompts->size(), 2u);
  EXPECT_EQ((*prompts)[0].text, "one");
  EXPECT_EQ((*prompts)[1].text, "two ");
  EXPECT_EQ((*prompts)[1].where, "p.txt: line 4");
  EXPECT_EQ((*prompts)[1].params.sampling.top_k, 40);
}

TEST(ParsePrompts, WithoutPromptsIsTheCallersMistake) {
  const auto prompts = ParsePrompts("\n \n", true, "p.jsonl", {});
  EXPECT_EQ(prompts.error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(prompts.error().message(), "p.jsonl: holds no prompt");
}

TEST(ParsePromptLine, TextInQuotesHasTheDefaults) {
  const auto prompt = ParsePromptLine(R"("a\n\u00fc")", Defaults());
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->text, "a\n\xc3\xbc");
  EXPECT_EQ(prompt->params.tokens_to_generate, 9);
  EXPECT_EQ(prompt->params.seed, -1);
}

TEST(ParsePromptLine, TakesEveryParameterOfTheServersRequest) {
  const auto prompt = ParsePromptLine(
      R"({"prompt": "a", "tokens_to_generate": 5, "min_tokens_to_generate": 2, "greedy": true,
          "temperature": 0.5, "top_k": 3, "top_p": 1, "repetition_penalty": 1.5,
          "repetition": "ctrl", "random_seed": 7, "end_strings": [], "add_BOS": true, "compute_logprob": true, "all_probs": true})",
      Defaults());
  ASSERT_TRUE(prompt) << prompt.error().message();
  const PromptParams& params = prompt->params;
  EXPECT_EQ(params.tokens_to_generate, 5);
  EXPECT_EQ(params.min_tokens_to_generate, 2);
  EXPECT_TRUE(params.sampling.greedy);
  EXPECT_EQ(params.sampling.temperature, 0.5);
  EXPECT_EQ(params.sampling.top_k, 3);
  EXPECT_EQ(params.sampling.top_p, 1);
  EXPECT_EQ(params.sampling.repetition_penalty, 1.5);
  EXPECT_EQ(params.sampling.repetition, Repetition::kCtrl);
  EXPECT_EQ(params.seed, 7);
  EXPECT_TRUE(params.end_strings.empty());
  EXPECT_TRUE(params.add_bos && params.logprobs && params.all_probs);
}

TEST(ParsePromptLine, KeepsTheDefaultsOfWhatItDoesNotName) {
  const auto prompt =
      ParsePromptLine(R"({"prompt": "a", "random_seed": null, "top_p": 0.5})", Defaults());
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->params.sampling.top_k, 40);
  EXPECT_EQ(prompt->params.end_strings, std::vector<std::string>{"END"});
  EXPECT_EQ(prompt->params.seed, -1);
}

TEST(ParsePromptLine, DamagedLinesAreErrorsWhereverTheyEnd) {
  const std::string line = R"({"prompt": "a", "top_k": 5, "end_strings": ["x"], "greedy": true})";
  for (size_t size = 0; size < line.size(); ++size) {
    EXPECT_EQ(ParsePromptLine(line.substr(0, size), {}).error().code(), StatusCode::kCorruption)
        << size;
  }
}

TEST(CollectPrompts, ReachesEveryRankFromTheFirst) {
  const testing::TempDir dir;
  testing::WriteFileOrDie(dir / "p.jsonl", "\"two\"\n{\"prompt\": \"three\", \"top_k\": 3}\n");
  GenerateJob job;
  job.prompts = {"one"};
  job.prompts_file = dir / "p.jsonl";
  const Status status = RunRanks(3, [&](Communicator& world) -> Status {
    NEMO_ASSIGN_OR_RETURN(const std::vector<Prompt> prompts, CollectPrompts(job, world));
    EXPECT_EQ(prompts.size(), 3u);
    EXPECT_EQ(prompts[0].text, "one");
    EXPECT_EQ(prompts[0].where, "prompt 1");
    EXPECT_EQ(prompts[2].text, "three");
    EXPECT_EQ(prompts[2].params.sampling.top_k, 3);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST(CollectPrompts, AFileThatIsNotThereStopsEveryRank) {
  GenerateJob job;
  job.prompts_file = "/nowhere/p.jsonl";
  const Status status =
      RunRanks(2, [&](Communicator& world) { return CollectPrompts(job, world).error(); });
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace nemo
