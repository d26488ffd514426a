// What tests of the OpenAI routes share: answers and streams of calls whose choices "generate" what
// the test says.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "tests/libcore/serve/api_calls.h"
#include "tests/libcore/serve/stand_in_model.h"

namespace nemo::testing {

class OpenAiTest : public ::testing::Test {
 protected:
  /// The answer to a call whose every choice "generates" `text`.
  Value Answer(std::string_view path, const std::string& body, std::string_view text) {
    const Opening opening = api_.Call("POST", path, body);
    Exchange* exchange = ExchangeOf(opening);
    if (exchange == nullptr) {
      ADD_FAILURE() << ReplyOf(opening).body;
      return {};
    }
    std::vector<GenerateResult> results;
    for (const GenerateRequest& request : exchange->requests()) {
      results.push_back(model_.Run(request, *api_.tokenizer().Encode(text)));
    }
    const Reply reply = exchange->Answer(std::move(results));
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.content_type, "application/json");
    return *ParseJson(reply.body);
  }

  /// The events of a streamed answer, without the last, which is checked to be [DONE].
  std::vector<Value> Stream(std::string_view path, const std::string& body,
                            std::vector<int32_t> ids) {
    const Opening opening = api_.Call("POST", path, body);
    Exchange* exchange = ExchangeOf(opening);
    if (exchange == nullptr) {
      ADD_FAILURE() << ReplyOf(opening).body;
      return {};
    }
    EXPECT_TRUE(exchange->streams());
    std::string sent;
    for (int64_t i = 0; i < std::ssize(exchange->requests()); ++i) {
      sent += model_.Stream(exchange, i, model_.Run(exchange->requests()[i], ids));
    }
    return EventsOf(sent + exchange->End());
  }

  static std::vector<Value> EventsOf(std::string sent) {
    std::vector<Value> events;
    for (size_t end = 0; (end = sent.find("\n\n")) != std::string::npos; sent.erase(0, end + 2)) {
      EXPECT_TRUE(sent.starts_with("data: ")) << sent;
      const std::string data = sent.substr(6, end - 6);
      if (data == "[DONE]") continue;
      events.push_back(*ParseJson(data));
    }
    EXPECT_EQ(sent, "");
    return events;
  }

  static const Value& At(const Value& value, std::string_view key) {
    const Value* found = value.Find(key);
    EXPECT_NE(found, nullptr) << key << " in " << ToJson(value);
    static const Value kNone;
    return found == nullptr ? kNone : *found;
  }
  static const Value& ChoiceOf(const Value& answer, size_t i = 0) {
    return At(answer, "choices").as_array().at(i);
  }

  void ExpectRefused(std::string_view path, const std::string& body, std::string_view param,
                     int status = 400) {
    const Reply reply = ReplyOf(api_.Call("POST", path, body));
    EXPECT_EQ(reply.status, status) << body << reply.body;
    if (reply.status != status) return;
    const Value error = At(*ParseJson(reply.body), "error");
    EXPECT_EQ(At(error, "type").as_string(), "invalid_request_error");
    EXPECT_FALSE(At(error, "message").as_string().empty());
    EXPECT_EQ(At(error, "param"), param.empty() ? Value() : Value(param)) << body << reply.body;
  }

  ApiUnderTest api_;
  StandInModel model_{api_.tokenizer()};
};

}  // namespace nemo::testing
