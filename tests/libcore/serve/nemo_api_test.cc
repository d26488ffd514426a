// NeMo's API against the recorded answers of NeMo's own handler, which had a stub for a model.
#include "libcore/serve/nemo_api.h"

#include <algorithm>
#include <cmath>
#include <regex>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/serve/nemo_params.h"
#include "tests/libcore/serve/api_calls.h"

namespace nemo {
namespace {

using testing::ApiUnderTest;
using testing::ExchangeOf;
using testing::ReplyOf;

/// What the recording's stub answered to one sentence.
GenerateResult StubResult(const std::string& sentence) {
  GenerateResult result;
  result.token_ids = {1, 2};
  result.num_prompt_tokens = 1;
  result.text = sentence + " STUB";
  result.tokens = {"a", "b"};
  result.offsets = {0, 1};
  result.logprob = {-0.5};
  result.full_logprob = {{-0.5f, -1.0f}};
  return result;
}

/// "<128 strings>": how the recording shortens long lists; it cuts the answer to one as well.
bool IsShortened(const Value& row) {
  const Value* sentences = row.Find("body")->Find("sentences");
  return sentences != nullptr && sentences->is_string() && sentences->as_string()[0] == '<';
}

/// Bodies are stored parsed; text is what was not JSON.
std::string BodyOf(const Value& row) {
  const Value* body = row.Find("body");
  if (body->is_null()) return "";
  if (body->is_string()) return body->as_string();
  if (IsShortened(row)) {
    const size_t count = std::stoul(body->Find("sentences")->as_string().substr(1));
    Value expanded = *body;
    expanded.Set("sentences", Value::Array(count, Value("hi")));
    return ToJson(expanded);
  }
  return ToJson(*body);
}

/// The sentences of /generate, the prompt of /v1/completions.
std::vector<std::string> SentencesOf(const std::string& body) {
  const Value value = *ParseJson(body);
  if (const Value* prompt = value.Find("prompt")) return {prompt->as_string()};
  return std::get<NemoParams>(ParseNemoParams(value, false)).sentences;
}

/// What is random or the time's in an answer becomes the same everywhere.
std::string Steady(const std::string& body) {
  static const std::regex id("\"cmpl-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\"");
  static const std::regex created("\"created\":[0-9]+");
  return std::regex_replace(std::regex_replace(body, id, "\"ID\""), created, "\"created\":0");
}

std::string ContentType(const Value& row) {
  const Value* type = row.Find("content_type");
  return type->is_null() ? "" : type->as_string();
}

void ExpectBody(const std::string& body, const Value& row) {
  const std::string& recorded = row.Find("resp_body")->as_string();
  const size_t shown = IsShortened(row) ? recorded.size() : std::string::npos;
  EXPECT_EQ(Steady(body.substr(0, shown)), Steady(recorded));
}

Reply AnswerTo(const ApiUnderTest& api, const Value& row) {
  const std::string body = BodyOf(row);
  const Opening opening = api.Call(row.Find("method")->as_string(), row.Find("path")->as_string(),
                                   body, ContentType(row));
  Exchange* exchange = ExchangeOf(opening);
  if (exchange == nullptr) return ReplyOf(opening);
  std::vector<GenerateResult> results;
  for (const std::string& sentence : SentencesOf(body)) results.push_back(StubResult(sentence));
  EXPECT_EQ(exchange->requests().size(), results.size());
  return exchange->Answer(std::move(results));
}

double NumberOf(const Value& value) {
  return value.is_bool() ? static_cast<double>(value.as_bool()) : value.as_double();
}

/// The arguments that NeMo's handler passed to its engine, in what we ask of ours.
void ExpectArguments(const GenerateRequest& request, const Value& args, int32_t bos_id) {
  const auto number = [&](const char* key) { return NumberOf(*args.Find(key)); };
  EXPECT_EQ(request.tokens_to_generate, number("tokens_to_generate"));
  EXPECT_EQ(request.min_tokens_to_generate, number("min_tokens_to_generate"));
  EXPECT_EQ(request.sampling.greedy, args.Find("greedy")->as_bool());
  if (!request.sampling.greedy) {
    EXPECT_EQ(request.sampling.temperature, number("temperature"));
  }
  EXPECT_EQ(request.sampling.top_k, std::floor(number("top_k")));
  EXPECT_EQ(request.sampling.top_p, number("top_p"));
  EXPECT_EQ(request.sampling.repetition_penalty, number("repetition_penalty"));
  EXPECT_EQ(request.sampling.repetition, Repetition::kNemo);
  EXPECT_EQ(Value::ArrayOf(request.end_strings), *args.Find("end_strings"));
  EXPECT_EQ(request.logprobs, args.Find("compute_logprob")->as_bool());
  EXPECT_EQ(request.full_logprobs,
            args.Find("all_probs")->as_bool() && args.Find("compute_logprob")->as_bool());
  EXPECT_EQ(request.prompt_ids[0] == bos_id, args.Find("add_BOS")->as_bool());
  if (!args.Find("random_seed")->is_null()) {
    EXPECT_EQ(request.sampling.seed, number("random_seed"));
  }
}

class RecordedAnswers : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = testing::SharedPath("evaldata/oracle/http/nemo_server_answers.json");
    if (path.empty()) {
      GTEST_SKIP() << "the evaluation data is not beside the project (NEMO_SHARED)";
    }
    oracle_ = *ParseJson(testing::ReadFileOrDie(path));
    ASSERT_EQ(oracle_.Find("cases")->as_array().size(), 93u);
    api_.context.nemo_only = true;
  }
  ApiUnderTest api_;
  Value oracle_;
};

TEST_F(RecordedAnswers, AreReproducedByteByByte) {
  for (const Value& row : oracle_.Find("cases")->as_array()) {
    SCOPED_TRACE(ToJson(row).substr(0, 400));
    const Reply reply = AnswerTo(api_, row);
    EXPECT_EQ(reply.status, row.Find("status")->as_int());
    ExpectBody(reply.body, row);
    EXPECT_EQ(reply.content_type, row.Find("resp_content_type")->as_string());
  }
}

TEST_F(RecordedAnswers, AskTheEngineForWhatNemoAsksItsOwn) {
  int64_t num_with_arguments = 0, num_compared = 0;
  for (const Value& row : oracle_.Find("cases")->as_array()) {
    const Value* args = row.Find("generate_args");
    const std::string body = BodyOf(row);
    const Opening opening = api_.Call(row.Find("method")->as_string(),
                                      row.Find("path")->as_string(), body, ContentType(row));
    const Exchange* exchange = ExchangeOf(opening);
    EXPECT_TRUE(args != nullptr || exchange == nullptr) << body;
    num_with_arguments += args != nullptr;
    if (args == nullptr || exchange == nullptr) continue;
    SCOPED_TRACE(body);
    for (const GenerateRequest& request : exchange->requests()) {
      ExpectArguments(request, *args, api_.tokenizer().bos_id());
    }
    ++num_compared;
  }
  // No sentences, which asks for nothing, and a list of prompts, which NeMo stumbles over later.
  EXPECT_EQ(num_compared, num_with_arguments - 2);
}

/// Those that the page, the OpenAI API and the list of models answer otherwise.
TEST_F(RecordedAnswers, AreTheSameBesideTheOtherApis) {
  api_.context.nemo_only = false;
  for (const Value& row : oracle_.Find("cases")->as_array()) {
    const std::string& path = row.Find("path")->as_string();
    const bool page = path == "/" && row.Find("method")->as_string() == "GET";
    if (page || path.starts_with("/v1/")) continue;
    SCOPED_TRACE(ToJson(row).substr(0, 400));
    const Reply reply = AnswerTo(api_, row);
    EXPECT_EQ(reply.status, row.Find("status")->as_int());
    ExpectBody(reply.body, row);
  }
}

TEST(NemoApi, StrictRefusesWith400AndAMessage) {
  ApiUnderTest api;
  api.context.strict = true;
  const std::pair<const char*, const char*> cases[] = {
      {R"({"sentences":["hi"],"tokens_to_generate":0})",
       "{\"message\": \"tokens_to_generate must be an integer greater than 0\"}\n"},
      {R"({"sentences":"hi"})", "{\"message\": \"sentences must be a list, not one text\"}\n"},
      {R"({"sentences":[]})", "{\"message\": \"sentences is empty\"}\n"},
      {R"({})", "{\"message\": \"sentences is missing: a list of texts\"}\n"},
      {R"({"sentences":["hi"],"tokens":3})", "{\"message\": \"unknown field 'tokens'\"}\n"},
      {R"({"sentences":["hi"],"top_k":2.5})", "{\"message\": \"top_k must be a whole number\"}\n"},
      {R"({"sentences":[1]})", "{\"message\": \"sentences must be a list of texts\"}\n"},
      {R"([])", "{\"message\": \"the body must be a JSON object\"}\n"}};
  for (const auto& [body, answer] : cases) {
    const Reply reply = ReplyOf(api.Call("PUT", "/generate", body));
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.body, answer);
  }
  EXPECT_NE(ExchangeOf(api.Call("PUT", "/generate", R"({"sentences":["hi"]})")), nullptr);
}

TEST(NemoApi, GenerationEndsWithTheContextAndAPromptThatFillsItIsRefused) {
  ApiUnderTest api;
  api.context.max_sequence_tokens = 10;
  const auto opening =
      api.Call("PUT", "/generate", R"({"sentences":["a b"],"tokens_to_generate":1024})");
  ASSERT_NE(ExchangeOf(opening), nullptr);
  const GenerateRequest& request = ExchangeOf(opening)->requests()[0];
  EXPECT_EQ(request.tokens_to_generate, 10 - std::ssize(request.prompt_ids));
  const Reply reply = ReplyOf(api.Call(
      "PUT", "/generate", R"({"sentences":["x","one two three four five six seven eight nine"]})"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("sentence 1: its "), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("context of 10 tokens"), std::string::npos) << reply.body;
}

TEST(NemoApi, EachCallWithoutASeedDrawsAnew) {
  const ApiUnderTest api;
  const auto seed = [&](const char* body) {
    const Opening opening = api.Call("PUT", "/generate", body);
    return ExchangeOf(opening)->requests().back().sampling.seed;
  };
  EXPECT_NE(seed(R"({"sentences":["a"]})"), seed(R"({"sentences":["a"]})"));
  EXPECT_EQ(seed(R"({"sentences":["a"],"random_seed":5})"), 5u);
  const Opening two = api.Call("PUT", "/generate", R"({"sentences":["a","a"]})");
  const auto& requests = ExchangeOf(two)->requests();
  EXPECT_EQ(requests[0].sampling.seed, requests[1].sampling.seed);
  EXPECT_NE(requests[0].draw_index, requests[1].draw_index);
}

TEST(NemoApi, WholeRowsAreBounded) {
  ApiUnderTest api;
  api.context.max_sequence_tokens = 1 << 20;
  const Reply reply = ReplyOf(api.Call("PUT", "/generate",
                                       R"({"sentences":["a"],"tokens_to_generate":100000,)"
                                       R"("compute_logprob":true,"all_probs":true})"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("all_probs would take"), std::string::npos) << reply.body;
}

TEST(NemoApi, EndStringsAreBounded) {
  const ApiUnderTest api;
  for (const Value::Array& list :
       {Value::Array(257, Value("a")), Value::Array{std::string(16385, 'a')}}) {
    Value body;
    body.Set("sentences", Value::Array{"a"});
    body.Set("end_strings", list);
    const Reply reply = ReplyOf(api.Call("PUT", "/generate", ToJson(body)));
    EXPECT_EQ(reply.status, 400);
    EXPECT_NE(reply.body.find("are the most"), std::string::npos) << reply.body;
  }
}

TEST(NemoApi, TextBeyondAsciiIsEscaped) {
  const ApiUnderTest api;
  const Opening opening =
      api.Call("PUT", "/generate", "{\"sentences\":[\"\u00e9\u65e5\U0001f600\"]}");
  ASSERT_NE(ExchangeOf(opening), nullptr);
  const Reply reply = ExchangeOf(opening)->Answer({StubResult("\u00e9\u65e5\U0001f600")});
  EXPECT_NE(reply.body.find(R"(["\u00e9\u65e5\ud83d\ude00 STUB"])"), std::string::npos)
      << reply.body;
}

TEST(NemoApi, ContentTypesAreTakenAsFlaskTakesThem) {
  const ApiUnderTest api;
  const std::string body = R"({"sentences":["a"]})";
  for (const char* type : {"application/json", "application/json; charset=utf-8",
                           "APPLICATION/JSON", "application/vnd.api+json"}) {
    EXPECT_NE(ExchangeOf(api.Call("PUT", "/generate", body, type)), nullptr) << type;
  }
  for (const char* type : {"", "text/json", "application/x-www-form-urlencoded", ";json"}) {
    EXPECT_EQ(ReplyOf(api.Call("PUT", "/generate", body, type)).status, 415) << type;
  }
}

}  // namespace
}  // namespace nemo
