// The other routes of OpenAI's form, its errors, and what real clients were seen to send.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/serve/token_text.h"
#include "tests/libcore/serve/openai_calls.h"

namespace nemo {
namespace {

using testing::ExchangeOf;
using testing::ReplyOf;

class OpenAiRoutes : public testing::OpenAiTest {};

TEST_F(OpenAiRoutes, ModelsAreListed) {
  const Value list = *ParseJson(ReplyOf(api_.Call("GET", "/v1/models", "")).body);
  EXPECT_EQ(At(list, "object").as_string(), "list");
  const Value& model = At(list, "data").as_array().at(0);
  EXPECT_EQ(At(model, "id").as_string(), "demo");
  EXPECT_EQ(At(model, "object").as_string(), "model");
  EXPECT_EQ(At(model, "created").as_int(), 1700000000);
  EXPECT_TRUE(At(model, "owned_by").is_string());
  EXPECT_EQ(*ParseJson(ReplyOf(api_.Call("GET", "/v1/models/demo", "")).body), model);
  EXPECT_EQ(ReplyOf(api_.Call("GET", "/v1/models/other", "")).status, 404);
  EXPECT_EQ(ReplyOf(api_.Call("GET", "/v1/health", "")).body, "{\"status\":\"ok\"}\n");
}

TEST_F(OpenAiRoutes, TokenizerRoutesAreEnoughForARemoteTokenizer) {
  const Value info = *ParseJson(ReplyOf(api_.Call("GET", "/tokenizer_info", "")).body);
  for (const auto& [key, id] : {std::pair("eos_token", api_.tokenizer().eos_id()),
                                std::pair("bos_token", api_.tokenizer().bos_id())}) {
    const Reply reply = ReplyOf(api_.Call(
        "POST", "/tokenize",
        Format(R"({{"prompt":"{}","add_special_tokens":false}})", At(info, key).as_string())));
    EXPECT_EQ(At(*ParseJson(reply.body), "tokens"), Value(Value::Array{int64_t{id}})) << key;
  }
  const std::string text = "To be, or not: caf\u00e9 \u65e5";
  const Value tokens = *ParseJson(
      ReplyOf(api_.Call("POST", "/tokenize", Format(R"({{"prompt":"{}"}})", text))).body);
  EXPECT_EQ(At(tokens, "count").as_int(), std::ssize(*api_.tokenizer().Encode(text)));
  const Value back =
      *ParseJson(ReplyOf(api_.Call("POST", "/detokenize",
                                   Format(R"({{"tokens":{}}})", ToJson(At(tokens, "tokens")))))
                     .body);
  EXPECT_EQ(At(back, "prompt").as_string(), text);
  ExpectRefused("/detokenize", R"({"tokens":[-1]})", "tokens");
  ExpectRefused("/detokenize", R"({})", "tokens");
  ExpectRefused("/tokenize", R"({"prompt":5})", "prompt");
  ExpectRefused("/tokenize", R"({})", "messages");
}

TEST_F(OpenAiRoutes, SpecialTokensAreKnownAtTheBeginningOfATextOnly) {
  const Tokenizer& t = api_.tokenizer();
  const auto ids = EncodeWithSpecials(t, "<s>Hi </s>");
  ASSERT_TRUE(ids);
  EXPECT_EQ(ids->front(), t.bos_id());
  EXPECT_EQ(std::count(ids->begin(), ids->end(), t.eos_id()), 0);
}

TEST_F(OpenAiRoutes, ErrorsHaveOpenAisForm) {
  const auto code = [&](const Reply& reply) {
    return At(At(*ParseJson(reply.body), "error"), "code");
  };
  const Reply lost = ReplyOf(api_.Call("GET", "/v1/nothing", ""));
  EXPECT_EQ(lost.status, 404);
  EXPECT_EQ(code(lost), Value("not_found"));
  EXPECT_EQ(ReplyOf(api_.Call("GET", "/v1/completions", "")).status, 405);
  const ApiCall call{"POST", "/v1/completions", "", ""};
  EXPECT_EQ(code(RefuseCall(api_.context, call, 401, "no key")), Value("invalid_api_key"));
  EXPECT_EQ(code(RefuseCall(api_.context, call, 429, "full")), Value("rate_limit_exceeded"));
  EXPECT_EQ(RefuseCall(api_.context, {"PUT", "/generate", "", ""}, 429, "full").body,
            "{\"message\": \"full\"}\n");
  const Opening opening = api_.Call("POST", "/v1/completions", R"({"prompt":"a","stream":true})");
  const auto events = EventsOf(ExchangeOf(opening)->FailureInStream(500, "a rank is gone"));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(At(At(events[0], "error"), "type").as_string(), "server_error");
}

TEST_F(OpenAiRoutes, StrictWantsTheModelsName) {
  api_.context.strict = true;
  ExpectRefused("/v1/completions", R"({"prompt":"a","model":"m"})", "model");
  EXPECT_NE(ExchangeOf(api_.Call("POST", "/v1/completions", R"({"prompt":"a","model":"demo"})")),
            nullptr);
}

TEST_F(OpenAiRoutes, WhatRealClientsSentIsAnswered) {
  const std::string path = testing::SharedPath("evaldata/oracle/http/client_requests.json");
  if (path.empty()) {
    GTEST_SKIP() << "the evaluation data is not beside the project (NEMO_SHARED)";
  }
  const Value recorded = *ParseJson(testing::ReadFileOrDie(path));
  for (const Value& row : At(recorded, "requests").as_array()) {
    SCOPED_TRACE(At(row, "case").as_string());
    const Value& body = At(row, "body");
    const std::string text = body.is_null() ? "" : ToJson(body);
    const Opening opening =
        api_.Call(At(row, "method").as_string(), At(row, "path").as_string(), text);
    Exchange* exchange = ExchangeOf(opening);
    if (exchange == nullptr) {
      const bool probe = At(row, "path").as_string() == "/";  // any answer means "up"
      EXPECT_EQ(ReplyOf(opening).status, probe ? 404 : 200) << ReplyOf(opening).body;
      continue;
    }
    std::vector<GenerateResult> results;
    for (const GenerateRequest& request : exchange->requests()) {
      results.push_back(model_.Run(request, {400, 401}));
    }
    if (exchange->streams()) {
      EXPECT_NE(model_.Stream(exchange, 0, results[0]).find("data: {"), std::string::npos);
      continue;
    }
    const size_t count = results.size();
    const Value answer = *ParseJson(exchange->Answer(std::move(results)).body);
    if (At(row, "path").as_string() == "/generate") {
      EXPECT_EQ(At(answer, "sentences").as_array().size(), count);
    } else {
      EXPECT_EQ(At(answer, "choices").as_array().size(), count);
    }
  }
}

}  // namespace
}  // namespace nemo
