// POST /v1/chat/completions: turns, answers, streams, refusals.
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "tests/libcore/serve/openai_calls.h"

namespace nemo {
namespace {

using testing::ExchangeOf;
using testing::ReplyOf;

class OpenAiChat : public testing::OpenAiTest {};

TEST_F(OpenAiChat, TurnsAreThoseOfTheModelCard) {
  const Opening opening = api_.Call(
      "POST", "/v1/chat/completions",
      R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},)"
      R"({"role":"assistant","content":"Hello."},)"
      R"({"role":"user","content":[{"type":"text","text":"Why"},{"type":"text","text":"?"}]}]})");
  ASSERT_NE(ExchangeOf(opening), nullptr) << ReplyOf(opening).body;
  const GenerateRequest& request = ExchangeOf(opening)->requests()[0];
  EXPECT_EQ(request.prompt_ids,
            *api_.tokenizer().Encode("<extra_id_0>System\nBe brief.\n<extra_id_1>User\nHi\n"
                                     "<extra_id_1>Assistant\nHello.\n<extra_id_1>User\nWhy?\n"
                                     "<extra_id_1>Assistant\n"));
  EXPECT_EQ(request.end_strings, std::vector<std::string>{"<extra_id_1>"});
  EXPECT_EQ(request.tokens_to_generate,
            api_.context.max_sequence_tokens - std::ssize(request.prompt_ids));
  const Opening bare =
      api_.Call("POST", "/v1/chat/completions", R"({"messages":[{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(ExchangeOf(bare)->requests()[0].prompt_ids,
            *api_.tokenizer().Encode(
                "<extra_id_0>System\n\n<extra_id_1>User\nHi\n<extra_id_1>Assistant\n"));
}

TEST_F(OpenAiChat, ChatAnswersEndBeforeTheNextTurn) {
  const Value answer = Answer("/v1/chat/completions",
                              R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":40,)"
                              R"("logprobs":true,"top_logprobs":2})",
                              "Hello.\n<extra_id_1>User\nMore");
  EXPECT_EQ(At(answer, "object").as_string(), "chat.completion");
  const Value& choice = ChoiceOf(answer);
  EXPECT_EQ(At(choice, "message"),
            *ParseJson(R"({"role":"assistant","content":"Hello.","refusal":null})"));
  EXPECT_EQ(At(choice, "finish_reason").as_string(), "stop");
  const auto& content = At(At(choice, "logprobs"), "content").as_array();
  ASSERT_FALSE(content.empty());
  std::string bytes;
  for (const Value& token : content) {
    EXPECT_EQ(At(token, "top_logprobs").as_array().size(), 2u);
    for (const Value& byte : At(token, "bytes").as_array()) {
      bytes += static_cast<char>(byte.as_int());
    }
  }
  EXPECT_EQ(bytes, "Hello.");
}

TEST_F(OpenAiChat, ChatStreamsDeltas) {
  const auto events = Stream("/v1/chat/completions",
                             R"({"messages":[{"role":"user","content":"Hi"}],"stream":true,"n":2,)"
                             R"("max_completion_tokens":40})",
                             *api_.tokenizer().Encode("One two.\n<extra_id_1>"));
  std::map<int64_t, std::string> content;
  std::map<int64_t, int> roles;
  for (const Value& event : events) {
    EXPECT_EQ(At(event, "object").as_string(), "chat.completion.chunk");
    const Value& choice = ChoiceOf(event);
    const int64_t index = At(choice, "index").as_int();
    const Value& delta = At(choice, "delta");
    roles[index] += delta.Find("role") != nullptr;
    if (const Value* text = delta.Find("content")) content[index] += text->as_string();
  }
  EXPECT_EQ(content[0], "One two.");
  EXPECT_EQ(content[1], "One two.");
  EXPECT_EQ(roles[0] + roles[1], 2);
  EXPECT_EQ(At(ChoiceOf(events.back()), "finish_reason").as_string(), "stop");
}

TEST_F(OpenAiChat, ChatRefusesWhatItCannotDo) {
  const std::string messages = R"("messages":[{"role":"user","content":"Hi"}])";
  const std::pair<const char*, const char*> cases[] = {
      {R"("tools":[{"type":"function"}])", "tools"},
      {R"("response_format":{"type":"json_object"})", "response_format"},
      {R"("modalities":["audio"])", "modalities"},
      {R"("top_logprobs":2)", "top_logprobs"},
      {R"("logprobs":1)", "logprobs"},
      {R"("max_completion_tokens":0)", "max_completion_tokens"},
      {R"("tool_choice":"required")", "tool_choice"},
      {R"("nonsense":1)", "nonsense"}};
  for (const auto& [field, param] : cases) {
    ExpectRefused("/v1/chat/completions", Format("{{{},{}}}", messages, field), param);
  }
  const std::pair<const char*, const char*> lists[] = {
      {"[]", "messages"},
      {"{}", "messages"},
      {R"([{"role":"tool","content":"x"}])", "messages[0].role"},
      {R"([{"content":"x"}])", "messages[0].role"},
      {R"([5])", "messages[0].role"},
      {R"([{"role":"user","content":5}])", "messages[0].content"},
      {R"([{"role":"user","content":[{"type":"image_url"}]}])", "messages[0].content"},
      {R"([{"role":"user","content":"a"},{"role":"system","content":"b"}])", "messages[1].role"}};
  for (const auto& [list, param] : lists) {
    ExpectRefused("/v1/chat/completions", Format(R"({{"messages":{}}})", list), param);
  }
  EXPECT_NE(ExchangeOf(api_.Call("POST", "/v1/chat/completions",
                                 "{" + messages +
                                     R"(,"response_format":{"type":"text"},"tools":[],)"
                                     R"("tool_choice":"none","modalities":["text"]})")),
            nullptr);
}

}  // namespace
}  // namespace nemo
