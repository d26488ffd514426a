// The generation loop's manners: when it stops, what it refuses, what it tells.
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/runtime/model/demo_fixture.h"

namespace nemo {
namespace {

using testing::GenerateWith;
using testing::RunOptions;
using testing::TestModel;

using GeneratorTest = testing::DemoFixture;

TEST_F(GeneratorTest, StopsAtTheLengthAndDescribesTheWholeSequence) {
  GenerateRequest request = Request("ROMEO:", 12);
  request.logprobs = true;
  const GenerateResult result = One(request);
  const auto num_prompt = std::ssize(request.prompt_ids);
  EXPECT_EQ(result.finish_reason, FinishReason::kLength);
  EXPECT_EQ(result.num_prompt_tokens, num_prompt);
  ASSERT_EQ(std::ssize(result.token_ids), num_prompt + 12);
  EXPECT_EQ(result.logprob.size(), result.token_ids.size() - 1);
  EXPECT_EQ(result.tokens.size(), result.token_ids.size());
  EXPECT_TRUE(result.text.starts_with("ROMEO:"));
  ASSERT_EQ(result.offsets.size(), result.token_ids.size());
  EXPECT_EQ(result.offsets[0], 0);
  EXPECT_EQ(result.offsets[1], CountCharacters(result.tokens[0]));
  EXPECT_GT(result.first_token_ms, 0);
  EXPECT_GE(result.total_ms, result.first_token_ms);
}

TEST_F(GeneratorTest, EndStringsEndWithTheTextInTheAnswer) {
  const GenerateResult free = One(Request("ROMEO:", 40));
  // A text in the middle of what it says anyway.
  const std::string said = free.text.substr(6);
  const std::string end_string = said.substr(12, 5);
  GenerateRequest request = Request("ROMEO:", 40);
  request.end_strings = {"<|endoftext|>", end_string};
  const GenerateResult result = One(request);
  EXPECT_EQ(result.finish_reason, FinishReason::kEnd);
  EXPECT_LT(result.token_ids.size(), free.token_ids.size());
  EXPECT_TRUE(result.text.ends_with(end_string)) << result.text;
  EXPECT_TRUE(free.text.starts_with(result.text));
}

TEST_F(GeneratorTest, StreamedTextIsTheEndOfTheWholeText) {
  std::map<int64_t, std::string> streamed;
  std::map<int64_t, std::vector<int32_t>> ids;
  std::vector<GenerateRequest> requests = {Request("ROMEO:", 20), Request("To be, or not", 9),
                                           Request("KING", 15)};
  const Status status = testing::RunEngines(model_, {}, [&](Engine& engine) -> Status {
    auto results = Generate(engine, *model_.tokenizer, requests, {7}, [&](const TokenEvent& event) {
      ids[event.id].push_back(event.token_id);
      streamed[event.id] += event.text;
    });
    if (!results) return results.error();
    for (size_t i = 0; i < requests.size(); ++i) {
      const GenerateResult& result = (*results)[i];
      EXPECT_EQ(ids[i], std::vector<int32_t>(result.token_ids.begin() + result.num_prompt_tokens,
                                             result.token_ids.end()));
      EXPECT_EQ(*model_.tokenizer->Decode(requests[i].prompt_ids) + streamed[i], result.text);
    }
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_F(GeneratorTest, TextsAreToldOfThoseRequestsThatWantThem) {
  std::vector<GenerateRequest> requests(3, Request("ROMEO:", 20));
  requests[1].token_texts = requests[2].token_texts = false;
  requests[2].stop_strings = {"\n"};  // looked for all the same
  std::map<int64_t, std::string> told;
  std::map<int64_t, int> num_events;
  const Status status = testing::RunEngines(model_, {}, [&](Engine& engine) -> Status {
    auto results = Generate(engine, *model_.tokenizer, requests, {}, [&](const TokenEvent& event) {
      told[event.id] += event.text;
      ++num_events[event.id];
    });
    if (!results) return results.error();
    EXPECT_EQ("ROMEO:" + told[0], (*results)[0].text);
    EXPECT_EQ((*results)[0].text, (*results)[1].text);
    EXPECT_EQ((*results)[2].finish_reason, FinishReason::kStop);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(told[1] + told[2], "");
  EXPECT_EQ(num_events[1], 20);
}

TEST_F(GeneratorTest, MinTokensHoldBackOnlyEos) {
  // With the model's favourite token declared the end by its text, min tokens do not hold it back;
  // eos they do.
  GenerateRequest request = Request("ROMEO:", 30);
  request.sampling.greedy = false;
  request.sampling.temperature = 100;  // nearly uniform: eos would come early
  request.sampling.top_p = 0;
  request.min_tokens_to_generate = 30;
  std::vector<GenerateRequest> requests(60, request);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].sampling.seed = i;
  int early = 0;
  for (const GenerateResult& result : All(requests)) {
    early += std::ssize(result.token_ids) - result.num_prompt_tokens < 30;
  }
  EXPECT_EQ(early, 0);
}

TEST_F(GeneratorTest, SeedsAndPlacesGiveDifferentTextAndTheSameSeedTheSame) {
  GenerateRequest request = Request("ROMEO:", 20);
  request.sampling = {};
  request.sampling.seed = 1;
  auto twice = GenerateWith(model_, {}, {request, request});
  ASSERT_TRUE(twice) << twice.error().message();
  EXPECT_NE((*twice)[0].token_ids, (*twice)[1].token_ids);
  EXPECT_EQ(One(request).token_ids, (*twice)[0].token_ids);
  request.sampling.seed = 2;
  EXPECT_NE(One(request).token_ids, (*twice)[0].token_ids);
}

TEST_F(GeneratorTest, RefusesBadRequestsBeforeAnythingRuns) {
  const auto with = [&](auto change) {
    GenerateRequest request = Request("ROMEO:", 4);
    change(request);
    return request;
  };
  const struct {
    GenerateRequest request;
    const char* says;
  } kCases[] = {
      {with([](auto& r) { r.prompt_ids.clear(); }), "no tokens"},
      {with([](auto& r) { r.prompt_ids[0] = 2048; }),
       "token id 2048 is outside the vocabulary of 2048"},
      {with([](auto& r) { r.prompt_ids[0] = -1; }), "token id -1"},
      {with([](auto& r) { r.tokens_to_generate = 1024; }), "do not fit the context of 1024"},
      {with([](auto& r) { r.tokens_to_generate = INT64_MAX; }), "do not fit the context"},
      {with([](auto& r) { r.prompt_ids.resize(5000); }), "a prompt of 5000 tokens"},
      {with([](auto& r) { r.tokens_to_generate = -1; }), "negative"},
      {with([](auto& r) {
         r.stop_strings = {"a", ""};
       }),
       "a stop string is empty"},
      {with([](auto& r) { r.top_logprobs = 1; }), "without log-probabilities"},
      {with([](auto& r) { r.top_logprobs = 21; }), "must be between 0 and 20"},
      {with([](auto& r) { r.sampling.temperature = 0; }), "temperature 0"},
      {with([](auto& r) { r.sampling.top_p = 1.5; }), "top-p 1.5"},
      {with([](auto& r) { r.sampling.top_k = -2; }), "top-k -2"},
      {with([](auto& r) { r.sampling.repetition_penalty = 0.5; }), "repetition penalty 0.5"},
  };
  for (const auto& row : kCases) {
    auto results = GenerateWith(model_, {}, {row.request});
    ASSERT_FALSE(results) << row.says;
    EXPECT_EQ(results.error().code(), StatusCode::kInvalidArgument);
    EXPECT_NE(results.error().message().find(row.says), std::string::npos)
        << results.error().message();
  }
}

TEST_F(GeneratorTest, TheWholeContextCanBeUsed) {
  GenerateRequest request = Request("ROMEO:", 4);
  request.prompt_ids.resize(1020, 100);
  EXPECT_EQ(One(request).token_ids.size(), 1024u);
  // The last token of a sequence is not fed, so there is one more than the context has places.
  request.prompt_ids.resize(1021, 100);
  EXPECT_EQ(One(request).token_ids.size(), 1025u);
  request.prompt_ids.resize(1025, 100);
  request.tokens_to_generate = 0;
  request.logprobs = true;
  const GenerateResult scored = One(request);
  EXPECT_EQ(scored.logprob.size(), 1024u);
  // What it says of the first tokens does not depend on the last one's being there.
  request.prompt_ids.resize(1024);
  const GenerateResult shorter = One(request);
  EXPECT_EQ(shorter.logprob, std::vector<double>(scored.logprob.begin(), scored.logprob.end() - 1));
}

/// Requests of every kind whose sequences grow over several pages; two in a row begin alike.
std::vector<GenerateRequest> LongRequests(const TestModel& model) {
  std::vector<GenerateRequest> requests;
  for (int64_t i = 0; i < 6; ++i) {
    GenerateRequest request;
    request.prompt_ids = *EncodePrompt(*model.tokenizer, "ROMEO: Shall I hear more, or", false);
    request.prompt_ids.resize(100 + 7 * i, static_cast<int32_t>(100 + i / 2));
    request.tokens_to_generate = 60 + 10 * i;
    request.min_tokens_to_generate = request.tokens_to_generate;
    request.sampling.greedy = i % 3 == 0;
    request.sampling.seed = 5;
    request.logprobs = i % 2 == 1;
    request.logprobs_begin = 20 * i;
    requests.push_back(request);
  }
  return requests;
}

TEST_F(GeneratorTest, FewPagesSharedOrNotGiveTheSameAnswers) {
  const std::vector<GenerateRequest> requests = LongRequests(model_);
  auto expected = GenerateWith(model_, {}, requests, {.prefix_cache = false});
  ASSERT_TRUE(expected) << expected.error().message();
  for (const bool prefix_cache : {false, true}) {
    for (const int64_t pages : {4, 6, 9}) {  // the longest needs four
      SCOPED_TRACE(Format("{} pages, prefix cache {}", pages, prefix_cache));
      RunOptions options;
      options.engine.kv_pages = pages;
      std::vector<GenerateResult> results;
      Scheduler::Counts counts;
      const Status status = testing::RunEngines(model_, options, [&](Engine& engine) -> Status {
        NEMO_ASSIGN_OR_RETURN(
            const auto generator,
            Generator::Create(engine, *model_.tokenizer, {.prefix_cache = prefix_cache}));
        for (size_t i = 0; i < requests.size(); ++i) {
          GenerateRequest request = requests[i];
          request.draw_index = static_cast<uint32_t>(i);
          NEMO_RETURN_IF_ERROR(generator->Add(request).error());
        }
        while (!generator->idle()) NEMO_RETURN_IF_ERROR(generator->Step());
        for (auto& [id, result] : generator->TakeFinished()) results.push_back(std::move(result));
        counts = generator->counts();
        EXPECT_EQ(engine.kv().book().free_pages(), pages);
        return OkStatus();
      });
      ASSERT_TRUE(status.ok()) << status.message();
      if (pages == 6) {
        EXPECT_GT(counts.preemptions, 0);
      }
      EXPECT_EQ(counts.reused_tokens > 0, prefix_cache);
      ASSERT_EQ(results.size(), requests.size());
      for (size_t i = 0; i < requests.size(); ++i) {
        EXPECT_EQ(results[i].token_ids, (*expected)[i].token_ids) << i;
        EXPECT_EQ(results[i].logprob, (*expected)[i].logprob) << i;
        EXPECT_EQ(results[i].argmax, (*expected)[i].argmax) << i;
      }
    }
  }
}

TEST_F(GeneratorTest, WhatMemoryCanNeverHoldIsRefusedInWords) {
  RunOptions options;
  options.engine.kv_pages = 1;
  auto none = GenerateWith(model_, options, {Request("ROMEO:", 70)});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), StatusCode::kInvalidArgument);
  EXPECT_NE(none.error().message().find("needs 2 KV pages of 64 tokens, and there are 1; shorten"),
            std::string::npos)
      << none.error().message();
}

TEST_F(GeneratorTest, KnownBeginningsOutliveTheirRequests) {
  GenerateRequest request = Request("ROMEO:", 8);
  request.prompt_ids.resize(300, 77);
  request.logprobs = true;
  request.logprobs_begin = 299;
  const Status status = testing::RunEngines(model_, {}, [&](Engine& engine) -> Status {
    NEMO_ASSIGN_OR_RETURN(auto first, Generate(engine, *model_.tokenizer, {request}, {}));
    NEMO_ASSIGN_OR_RETURN(const auto generator, Generator::Create(engine, *model_.tokenizer, {}));
    NEMO_RETURN_IF_ERROR(generator->Add(request).error());
    while (!generator->idle()) NEMO_RETURN_IF_ERROR(generator->Step());
    EXPECT_EQ(generator->counts().reused_tokens, 256);
    const GenerateResult again = generator->TakeFinished().at(0);
    EXPECT_EQ(again.token_ids, first[0].token_ids);
    EXPECT_EQ(again.logprob, first[0].logprob);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_F(GeneratorTest, RequestsCanComeAndGoWhileOthersRun) {
  const GenerateResult alone = One(Request("ROMEO:", 30));
  const Status status = testing::RunEngines(model_, {}, [&](Engine& engine) -> Status {
    auto generator = Generator::Create(engine, *model_.tokenizer, {});
    if (!generator) return generator.error();
    const int64_t gone = *(*generator)->Add(Request("KING", 30));
    const int64_t first = *(*generator)->Add(Request("ROMEO:", 30));
    for (int i = 0; i < 5; ++i) NEMO_RETURN_IF_ERROR((*generator)->Step());
    (*generator)->Cancel(gone);
    const int64_t late = *(*generator)->Add(Request("ROMEO:", 30));
    while (!(*generator)->idle()) NEMO_RETURN_IF_ERROR((*generator)->Step());
    auto finished = (*generator)->TakeFinished();
    EXPECT_FALSE(finished.contains(gone));
    EXPECT_EQ(finished.at(first).token_ids, alone.token_ids);
    EXPECT_EQ(finished.at(late).token_ids, alone.token_ids);
    EXPECT_EQ(engine.kv().book().free_pages(), engine.kv().book().num_pages());
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status.message();
}

TEST_F(GeneratorTest, ARequestCanBeGivenUpWhileStepsWithItAreUnderWay) {
  const GenerateResult alone = One(Request("ROMEO:", 30));
  RunOptions options;
  options.layout.pp_size = 3;
  for (int num_steps = 1; num_steps < 6; ++num_steps) {
    const Status status = testing::RunEngines(model_, options, [&](Engine& engine) -> Status {
      NEMO_ASSIGN_OR_RETURN(const auto generator, Generator::Create(engine, *model_.tokenizer, {}));
      GenerateRequest gone = Request("KING", 30);
      gone.logprobs = gone.full_logprobs = true;
      const int64_t gone_id = *generator->Add(gone);
      const int64_t stays_id = *generator->Add(Request("ROMEO:", 30));
      for (int i = 0; i < num_steps; ++i) NEMO_RETURN_IF_ERROR(generator->Step());
      generator->Cancel(gone_id);
      const int64_t late_id = *generator->Add(Request("ROMEO:", 30));
      while (!generator->idle()) NEMO_RETURN_IF_ERROR(generator->Step());
      auto finished = generator->TakeFinished();
      EXPECT_FALSE(finished.contains(gone_id));
      EXPECT_EQ(finished.at(stays_id).token_ids, alone.token_ids);
      EXPECT_EQ(finished.at(late_id).token_ids, alone.token_ids);
      EXPECT_EQ(engine.kv().book().free_pages(), engine.kv().book().num_pages());
      // Nothing is left under way that the next conversation would take for its own.
      NEMO_ASSIGN_OR_RETURN(const auto again,
                            Generate(engine, *model_.tokenizer, {Request("ROMEO:", 30)}, {}));
      EXPECT_EQ(again[0].token_ids, alone.token_ids);
      return OkStatus();
    });
    EXPECT_TRUE(status.ok()) << num_steps << " steps: " << status.message();
  }
}

TEST_F(GeneratorTest, TheCtrlPenaltyActsWithoutLogProbabilitiesAndNemosDoesNot) {
  GenerateRequest request = Request("ROMEO:", 20);
  request.sampling.greedy = false;
  request.sampling.top_k = 1;
  const GenerateResult plain = One(request);
  request.sampling.repetition_penalty = 1.5;
  EXPECT_EQ(One(request).token_ids, plain.token_ids);
  request.sampling.repetition = Repetition::kCtrl;
  EXPECT_NE(One(request).token_ids, plain.token_ids);
}

TEST_F(GeneratorTest, DamagedWeightsAreNamedOnEveryRank) {
  auto golden = testing::LoadGoldenModel("micro");
  ASSERT_TRUE(golden);
  ModelConfig config = golden->config;
  config.layernorm_epsilon = 1e-5;
  RunOptions options;
  options.layout.pp_size = 2;
  // Rows of NaN: a token's embedding that is no number.
  struct NanSource : TensorSource {
    std::shared_ptr<const TensorSource> inner;
    std::span<const TensorSpec> specs() const override { return inner->specs(); }
    std::vector<std::string> FilesOf(std::string_view name, const Box& box) const override {
      return inner->FilesOf(name, box);
    }
    Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override {
      NEMO_RETURN_IF_ERROR(inner->Read(name, box, out));
      if (name == "embedding.word_embeddings.weight")
        std::fill(out.begin(), out.end(), std::byte{0xff});
      return OkStatus();
    }
  };
  auto damaged = std::make_shared<NanSource>();
  damaged->inner = golden->canonical;
  golden->canonical = damaged;
  GenerateRequest request;
  request.prompt_ids = {5, 6, 7};
  auto results = GenerateWith(*golden, options, {request});
  ASSERT_FALSE(results);
  EXPECT_NE(results.error().message().find("not finite"), std::string::npos)
      << results.error().message();
}

TEST_F(GeneratorTest, LayoutsThatDoNotFitAreRefused) {
  RunOptions options;
  options.layout.tp_size = 3;
  auto results = GenerateWith(model_, options, {Request("KING", 1)});
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code(), StatusCode::kInvalidArgument);
  options.layout = {};
  options.layout.vpp_size = 2;
  results = GenerateWith(model_, options, {Request("KING", 1)});
  ASSERT_FALSE(results);
  EXPECT_NE(results.error().message().find("virtual"), std::string::npos)
      << results.error().message();
}

}  // namespace
}  // namespace nemo
