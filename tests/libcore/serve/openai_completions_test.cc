// POST /v1/completions: forms, refusals, streams.
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/serve/openai_calls.h"

namespace nemo {
namespace {

using testing::ExchangeOf;
using testing::ReplyOf;
using testing::StandInModel;

class OpenAiCompletions : public testing::OpenAiTest {};

TEST_F(OpenAiCompletions, CompletionHasEveryKeyThatClientsRead) {
  const Value answer = Answer("/v1/completions", R"({"model":"m","prompt":"Hello","max_tokens":3})",
                              " one two three");
  EXPECT_TRUE(At(answer, "id").as_string().starts_with("cmpl-"));
  EXPECT_EQ(At(answer, "object").as_string(), "text_completion");
  EXPECT_GT(At(answer, "created").as_int(), 0);
  EXPECT_EQ(At(answer, "model").as_string(), "demo");
  const Value& choice = ChoiceOf(answer);
  EXPECT_EQ(At(choice, "index").as_int(), 0);
  EXPECT_TRUE(At(choice, "logprobs").is_null());
  EXPECT_EQ(At(choice, "finish_reason").as_string(), "length");
  const int64_t num_prompt = std::ssize(*api_.tokenizer().Encode("Hello"));
  EXPECT_EQ(At(answer, "usage"),
            *ParseJson(Format(R"({{"prompt_tokens":{},"completion_tokens":3,"total_tokens":{}}})",
                              num_prompt, num_prompt + 3)));
}

TEST_F(OpenAiCompletions, PromptsMayBeTextsOrIdsOneOrMany) {
  const std::pair<const char*, size_t> cases[] = {{R"("Hello")", 1},
                                                  {R"(["a","b c","d"])", 3},
                                                  {R"([5,6,7])", 1},
                                                  {R"([[5],[6,7],[8,9,10]])", 3}};
  for (const auto& [prompt, count] : cases) {
    const Value answer =
        Answer("/v1/completions", Format(R"({{"prompt":{},"max_tokens":1,"n":2}})", prompt), " x");
    const auto& choices = At(answer, "choices").as_array();
    ASSERT_EQ(choices.size(), 2 * count);
    for (size_t i = 0; i < choices.size(); ++i) {
      EXPECT_EQ(At(choices[i], "index").as_int(), static_cast<int64_t>(i));
    }
  }
  const Opening opening = api_.Call("POST", "/v1/completions", R"({"prompt":[[5],[6,7]]})");
  EXPECT_EQ(ExchangeOf(opening)->requests()[1].prompt_ids, (std::vector<int32_t>{6, 7}));
}

/// What lm_eval 0.4.13's parse_logprobs takes from an answer.
TEST_F(OpenAiCompletions, EchoedLogprobsAreWhatLmEvalReads) {
  const Value answer = Answer("/v1/completions",
                              R"({"model":"m","prompt":[[10,11,12,13],[20,21]],"temperature":0,)"
                              R"("max_tokens":1,"logprobs":1,"seed":1234,"echo":true})",
                              " x");
  for (const size_t i : {0, 1}) {
    const size_t num_prompt = i == 0 ? 4 : 2;
    const Value& logprobs = At(ChoiceOf(answer, i), "logprobs");
    const auto& of_tokens = At(logprobs, "token_logprobs").as_array();
    const auto& top = At(logprobs, "top_logprobs").as_array();
    ASSERT_EQ(of_tokens.size(), num_prompt + 1);
    ASSERT_EQ(top.size(), num_prompt + 1);
    EXPECT_EQ(At(logprobs, "tokens").as_array().size(), num_prompt + 1);
    EXPECT_EQ(At(logprobs, "text_offset").as_array().size(), num_prompt + 1);
    EXPECT_TRUE(of_tokens[0].is_null() && top[0].is_null());
    for (size_t k = 1; k < of_tokens.size(); ++k) {
      const double own = of_tokens[k].as_double();
      EXPECT_EQ(own, StandInModel::LogprobAt(static_cast<int64_t>(k) - 1));
      double largest = -1e9;
      for (const auto& [piece, number] : top[k].as_object()) {
        largest = std::max(largest, number.as_double());
      }
      EXPECT_EQ(own == largest, (k - 1) % 2 == 0) << k;  // exactly, in floating point
    }
  }
}

TEST_F(OpenAiCompletions, EchoOfAPromptAloneNeedsNoToken) {
  const Value answer = Answer(
      "/v1/completions", R"({"prompt":"Hello you","max_tokens":0,"logprobs":2,"echo":true})", " x");
  const Value& choice = ChoiceOf(answer);
  EXPECT_EQ(At(choice, "text").as_string(), "Hello you");
  EXPECT_EQ(At(At(choice, "logprobs"), "tokens").as_array().size(),
            api_.tokenizer().Encode("Hello you")->size());
  EXPECT_EQ(At(At(answer, "usage"), "completion_tokens").as_int(), 0);
}

TEST_F(OpenAiCompletions, TheLastTokenNeedsNoPlaceInTheContext) {
  api_.context.max_sequence_tokens = 10;
  struct Row {
    int prompt;
    const char* fields;
    int64_t tokens;  // -1: refused
  };
  const Row rows[] = {{4, R"("max_tokens":7)", 7},
                      {4, R"("max_tokens":8)", -1},
                      {4, R"("n":1)", 6},  // who names no number gets what the context holds
                      {10, R"("n":1)", 1},
                      {11, R"("n":1)", -1},
                      {10, R"("max_tokens":1,"echo":true,"logprobs":1)", 1},
                      {11, R"("max_tokens":1,"echo":true,"logprobs":1)", -1},
                      {11, R"("max_tokens":0,"echo":true,"logprobs":1)", 0},
                      {12, R"("max_tokens":0,"echo":true,"logprobs":1)", -1}};
  for (const Row& row : rows) {
    const Value ids(Value::Array(static_cast<size_t>(row.prompt), Value(int64_t{5})));
    const Opening opening = api_.Call("POST", "/v1/completions",
                                      Format(R"({{"prompt":{},{}}})", ToJson(ids), row.fields));
    SCOPED_TRACE(Format("{} {}", row.prompt, row.fields));
    if (row.tokens < 0) {
      const Value error = At(*ParseJson(ReplyOf(opening).body), "error");
      EXPECT_EQ(At(error, "code").as_string(), "context_length_exceeded");
    } else {
      ASSERT_NE(ExchangeOf(opening), nullptr) << ReplyOf(opening).body;
      EXPECT_EQ(ExchangeOf(opening)->requests()[0].tokens_to_generate, row.tokens);
    }
  }
}

TEST_F(OpenAiCompletions, OffsetsCountCharacters) {
  const Value answer =
      Answer("/v1/completions",
             R"({"prompt":"caf\u00e9 \u65e5","max_tokens":40,"logprobs":0,"echo":true})",
             " \u00e9\u00e8 z");
  const Value& choice = ChoiceOf(answer);
  const std::string& text = At(choice, "text").as_string();
  const Value& logprobs = At(choice, "logprobs");
  const auto& tokens = At(logprobs, "tokens").as_array();
  const auto& offsets = At(logprobs, "text_offset").as_array();
  std::vector<std::string> characters;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) {
      characters.back() += c;
    } else {
      characters.emplace_back(1, c);
    }
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].as_string().starts_with("bytes:")) continue;
    std::string rest;
    for (size_t k = static_cast<size_t>(offsets[i].as_int()); k < characters.size(); ++k) {
      rest += characters[k];
    }
    EXPECT_TRUE(rest.starts_with(tokens[i].as_string())) << i << tokens[i].as_string() << rest;
  }
}

TEST_F(OpenAiCompletions, StopTextIsCutFromTheAnswer) {
  const Value answer = Answer("/v1/completions",
                              R"({"prompt":"Q","max_tokens":50,"stop":["\n\n","Q:"],"logprobs":1})",
                              " one two\n\nthree");
  const Value& choice = ChoiceOf(answer);
  EXPECT_EQ(At(choice, "text").as_string(), " one two");
  EXPECT_EQ(At(choice, "finish_reason").as_string(), "stop");
  std::string tokens;
  for (const Value& token : At(At(choice, "logprobs"), "tokens").as_array()) {
    tokens += token.as_string();
  }
  EXPECT_EQ(tokens, " one two");
}

TEST_F(OpenAiCompletions, AStreamSaysWhatTheWholeAnswerSays) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<int32_t> ids(1 + random() % 30);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 600);  // many bytes among them
    const std::string fields =
        Format(R"("prompt":"Hi","max_tokens":{},"stop":["e","\u00e9a"],"logprobs":1,"n":2)",
               1 + random() % 30);
    const Opening opening = api_.Call("POST", "/v1/completions", "{" + fields + "}");
    Exchange* exchange = ExchangeOf(opening);
    ASSERT_NE(exchange, nullptr) << ReplyOf(opening).body;
    std::vector<GenerateResult> results;
    for (const auto& request : exchange->requests()) results.push_back(model_.Run(request, ids));
    const Value whole = *ParseJson(exchange->Answer(std::move(results)).body);
    std::map<int64_t, std::string> text, reason;
    std::map<int64_t, Value::Array> tokens, offsets;
    for (const Value& event : Stream("/v1/completions", "{\"stream\":true," + fields + "}", ids)) {
      const Value& choice = ChoiceOf(event);
      const int64_t index = At(choice, "index").as_int();
      text[index] += At(choice, "text").as_string();
      EXPECT_FALSE(reason.count(index) != 0) << "nothing comes after the reason";
      const Value& finish = At(choice, "finish_reason");
      if (finish.is_string()) reason[index] = finish.as_string();
      for (const Value& t : At(At(choice, "logprobs"), "tokens").as_array()) {
        tokens[index].push_back(t);
      }
      for (const Value& t : At(At(choice, "logprobs"), "text_offset").as_array()) {
        offsets[index].push_back(t);
      }
    }
    for (const int64_t i : {0, 1}) {
      const Value& choice = ChoiceOf(whole, i);
      EXPECT_EQ(text[i], At(choice, "text").as_string());
      EXPECT_EQ(reason[i], At(choice, "finish_reason").as_string());
      EXPECT_EQ(Value(tokens[i]), At(At(choice, "logprobs"), "tokens"));
      EXPECT_EQ(Value(offsets[i]), At(At(choice, "logprobs"), "text_offset"));
    }
  }
}

TEST_F(OpenAiCompletions, StreamedPiecesAreWholeCharacters) {
  const std::string text = " \u65e5\u672c\u8a9e \U0001f600!";
  const auto events = Stream("/v1/completions", R"({"prompt":"a","max_tokens":90,"stream":true})",
                             *api_.tokenizer().Encode(text));
  std::string all;
  for (const Value& event : events) {
    const std::string& piece = At(ChoiceOf(event), "text").as_string();
    EXPECT_EQ(piece.find("\ufffd"), std::string::npos);
    all += piece;
  }
  EXPECT_EQ(all, text);
  EXPECT_EQ(events.front().Find("usage"), nullptr);
}

TEST_F(OpenAiCompletions, UsageComesLastInAStreamThatAskedForIt) {
  const auto events = Stream("/v1/completions",
                             R"({"prompt":["a","b"],"max_tokens":2,"stream":true,"echo":true,)"
                             R"("stream_options":{"include_usage":true}})",
                             {300, 301, 302});
  ASSERT_GE(events.size(), 3u);
  EXPECT_EQ(At(ChoiceOf(events[0]), "text").as_string().substr(0, 1), "a");
  EXPECT_TRUE(At(events[0], "usage").is_null());
  EXPECT_TRUE(At(events.back(), "choices").as_array().empty());
  EXPECT_EQ(At(At(events.back(), "usage"), "completion_tokens").as_int(), 4);
}

TEST_F(OpenAiCompletions, FieldsThatWouldChangeTheAnswerAreRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("best_of":2)", "best_of"},
      {R"("suffix":"x")", "suffix"},
      {R"("logit_bias":{"5":1})", "logit_bias"},
      {R"("frequency_penalty":0.5)", "frequency_penalty"},
      {R"("presence_penalty":-1)", "presence_penalty"},
      {R"("min_p":0.1)", "min_p"},
      {R"("temperature":-1)", "temperature"},
      {R"("temperature":true)", "temperature"},
      {R"("top_p":1.5)", "top_p"},
      {R"("max_tokens":-1)", "max_tokens"},
      {R"("max_tokens":0)", "max_tokens"},
      {R"("max_tokens":1.5)", "max_tokens"},
      {R"("max_tokens":"3")", "max_tokens"},
      {R"("n":0)", "n"},
      {R"("n":129)", "n"},
      {R"("logprobs":21)", "logprobs"},
      {R"("stop":"")", "stop"},
      {R"("stop":[1])", "stop"},
      {R"("stop":["a",""])", "stop"},
      {R"("echo":1)", "echo"},
      {R"("stream":"yes")", "stream"},
      {R"("stream_options":{})", "stream_options"},
      {R"("seed":"x")", "seed"},
      {R"("model":1)", "model"},
      {R"("max_tokens":5000)", ""},
      {R"("stream":true,"echo":true,"logprobs":1)", "stream"},
  };
  for (const auto& [field, param] : cases) {
    ExpectRefused("/v1/completions", Format(R"({{"prompt":"a",{}}})", field), param);
  }
  const std::string long_text(2049, 'x');
  ExpectRefused("/v1/completions", Format(R"({{"prompt":"a","stop":"{}"}})", long_text), "stop");
  ExpectRefused("/v1/completions",
                Format(R"({{"prompt":{},"n":128}})", ToJson(Value(Value::Array(9, Value("a"))))),
                "n");
  for (const char* prompt : {"null", "5", "[]", "[[]]", "[true]", R"(["a",1])", R"([1,"a"])",
                             "[[1],\"a\"]", "[-1]", "[2048]", "[[1.5]]", "{}"}) {
    ExpectRefused("/v1/completions", Format(R"({{"prompt":{}}})", prompt), "prompt");
  }
  for (const char* body : {"", "{", "[]", "5", "{\"prompt\":\"\xff\"}"}) {
    ExpectRefused("/v1/completions", body, "");
  }
  EXPECT_EQ(ReplyOf(api_.Call("POST", "/v1/completions", "{}", "text/plain")).status, 415);
}

TEST_F(OpenAiCompletions, FieldsThatAskForNothingAreAccepted) {
  EXPECT_NE(ExchangeOf(api_.Call("POST", "/v1/completions",
                                 R"({"prompt":"a","best_of":1,"n":1,"suffix":null,"logit_bias":{},)"
                                 R"("frequency_penalty":0.0,"presence_penalty":0,"user":"u",)"
                                 R"("logprobs":null,"stream":false,"top_k":-1,"stop":null})")),
            nullptr);
}

TEST_F(OpenAiCompletions, SamplingIsAsTheClientSays) {
  const auto request = [&](const char* fields) {
    const Opening opening =
        api_.Call("POST", "/v1/completions", Format(R"({{"prompt":"a",{}}})", fields));
    return ExchangeOf(opening)->requests().back();
  };
  EXPECT_TRUE(request(R"("temperature":0)").sampling.greedy);
  const GenerateRequest r = request(
      R"("temperature":0.5,"top_p":0.25,"top_k":7,"seed":-3,"n":3,"min_tokens":2,"stop":"x")");
  EXPECT_FALSE(r.sampling.greedy);
  EXPECT_EQ(r.sampling.temperature, 0.5);
  EXPECT_EQ(r.sampling.top_p, 0.25);
  EXPECT_EQ(r.sampling.top_k, 7);
  EXPECT_EQ(r.sampling.seed, static_cast<uint64_t>(-3));
  EXPECT_EQ(r.draw_index, 2u);
  EXPECT_EQ(r.tokens_to_generate, 16);
  EXPECT_EQ(r.min_tokens_to_generate, 2);
  EXPECT_EQ(r.stop_strings, std::vector<std::string>{"x"});
  EXPECT_FALSE(r.logprobs);
  EXPECT_NE(request(R"("n":1)").sampling.seed, request(R"("n":1)").sampling.seed);
}

TEST_F(OpenAiCompletions, WithASeedAPromptOfAListDrawsAsItWouldAlone) {
  const Opening opening =
      api_.Call("POST", "/v1/completions", R"({"prompt":["a","b"],"n":2,"seed":5})");
  std::vector<uint32_t> draws;
  for (const auto& request : ExchangeOf(opening)->requests()) draws.push_back(request.draw_index);
  EXPECT_EQ(draws, (std::vector<uint32_t>{0, 1, 0, 1}));
}

}  // namespace
}  // namespace nemo
