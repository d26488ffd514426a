// Service: from a request to its answer, with a loop whose model is a stand-in.
#include "libcore/serve/service.h"

#include <thread>

#include <gtest/gtest.h>

#include "kernels/comm/thread_comm.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/serve/serve_loop.h"
#include "tests/libcore/serve/api_calls.h"
#include "tests/libcore/serve/fake_runner.h"

namespace nemo {
namespace {

using std::chrono::milliseconds;
using testing::FakeRunner;

class ServiceTest : public ::testing::Test {
 protected:
  void Start(ServiceOptions options = {}, int64_t max_waiting = 100, bool runs = true) {
    options.limits = {.max_sequence_tokens = 4096, .vocab_size = 2048, .kv_pages = 1000};
    options.about.Set("model", "demo");
    options.log = [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      log_.push_back(*ParseJson(std::string(line)));
    };
    queue_ = std::make_unique<RequestQueue>(max_waiting);
    service_ = std::make_unique<Service>(api_.context, *queue_, stats_, std::move(options));
    if (!runs) return;
    loop_ = std::thread([this] {
      const Status status =
          ServeLoop(runner_, *world_, {8, milliseconds(20)}, queue_.get(), &stats_).Run();
      if (!status.ok()) service_->Fail(status.message());
    });
  }
  void TearDown() override {
    runner_.Allow();
    queue_->Fail({503, "the test ends"});
    if (loop_.joinable()) loop_.join();
  }

  HttpAnswer Ask(
      std::string_view method, std::string_view path, const std::string& body = "",
      std::function<bool()> has_left = [] { return false; }) {
    HttpHead head;
    head.method = method;
    head.path = path;
    head.content_type = "application/json";
    return service_->Handle(head, body, has_left);
  }
  HttpAnswer Complete(
      const std::string& fields = R"("max_tokens":3)",
      std::function<bool()> has_left = [] { return false; }) {
    return Ask("POST", "/v1/completions", Format(R"({{"prompt":[5],{}}})", fields),
               std::move(has_left));
  }
  static std::string HeaderOf(const HttpAnswer& answer, std::string_view name) {
    for (const auto& [key, value] : answer.headers) {
      if (key == name) return value;
    }
    return "";
  }
  static std::string ErrorOf(const HttpAnswer& answer) {
    const auto body = ParseJson(answer.reply.body);
    const Value* error = body ? body->Find("error") : nullptr;
    return error == nullptr ? "no error: " + answer.reply.body
                            : error->Find("message")->as_string();
  }
  Value Health() { return *ParseJson(Ask("GET", "/health").reply.body); }

  testing::ApiUnderTest api_;
  FakeRunner runner_;
  std::unique_ptr<Communicator> world_ = MakeSelf();
  ServeStats stats_;
  std::unique_ptr<RequestQueue> queue_;
  std::unique_ptr<Service> service_;
  std::thread loop_;
  std::mutex mutex_;
  std::vector<Value> log_;
};

TEST_F(ServiceTest, AnswersAndWritesThatDown) {
  Start();
  HttpAnswer answer = Complete();
  EXPECT_EQ(answer.reply.status, 200) << answer.reply.body;
  EXPECT_TRUE(HeaderOf(answer, "X-Request-Id").starts_with("req-"));
  answer.finish(true);
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_EQ(log_[0].Find("status")->as_int(), 200);
  EXPECT_EQ(log_[0].Find("path")->as_string(), "/v1/completions");
  EXPECT_EQ(log_[0].Find("prompt_tokens")->as_int(), 1);
  EXPECT_EQ(log_[0].Find("generated_tokens")->as_int(), 3);
  EXPECT_EQ(log_[0].Find("body"), nullptr) << "prompts are not told unless asked for";
  EXPECT_EQ(queue_->num_open(), 0);
}

TEST_F(ServiceTest, AStreamComesInPartsAndEnds) {
  Start();
  HttpAnswer answer = Complete(R"("max_tokens":3,"stream":true)");
  ASSERT_NE(answer.stream, nullptr) << answer.reply.body;
  EXPECT_EQ(answer.reply.content_type, "text/event-stream");
  std::string sent;
  while (answer.stream->Next(&sent)) {
  }
  EXPECT_TRUE(sent.ends_with("data: [DONE]\n\n")) << sent;
  answer.stream = nullptr;
  answer.finish(true);
  EXPECT_EQ(queue_->num_open(), 0);
}

TEST_F(ServiceTest, AFullQueueSaysComeAgainInTheFormOfTheApi) {
  Start({}, /*max_waiting=*/0);
  const HttpAnswer openai = Complete();
  EXPECT_EQ(openai.reply.status, 429);
  EXPECT_EQ(HeaderOf(openai, "Retry-After"), "1");
  EXPECT_NE(ErrorOf(openai).find("--max-queue"), std::string::npos) << ErrorOf(openai);
  const HttpAnswer flask = Ask("PUT", "/generate", R"({"sentences":["a"]})");
  EXPECT_EQ(flask.reply.status, 429);
  EXPECT_EQ(HeaderOf(flask, "Retry-After"), "1");
  EXPECT_TRUE(flask.reply.body.starts_with("{\"message\": \"")) << flask.reply.body;
}

TEST_F(ServiceTest, AnAnswerThatTakesTooLongIsA504) {
  ServiceOptions options;
  options.request_timeout = std::chrono::seconds(0);
  Start(std::move(options), 100, /*runs=*/false);
  const HttpAnswer answer = Complete();
  EXPECT_EQ(answer.reply.status, 504);
  EXPECT_NE(ErrorOf(answer).find("--request-timeout"), std::string::npos);
  EXPECT_EQ(queue_->num_open(), 0);
  EXPECT_EQ(Complete(R"("max_tokens":3,"stream":true)").reply.status, 504);
}

TEST_F(ServiceTest, WhoHangsUpLeavesTheQueue) {
  Start({}, 100, /*runs=*/false);
  HttpAnswer answer = Complete(R"("max_tokens":3)", [] { return true; });
  EXPECT_EQ(queue_->num_open(), 0);
  EXPECT_EQ(queue_->num_waiting(), 0);
  answer.finish(false);
  EXPECT_TRUE(log_[0].Find("hung_up")->as_bool());
  const std::string text = stats_.ToText(0, 0, true);
  EXPECT_NE(text.find("nemo_hang_ups_total 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("{route=\"/v1/completions\",code=\"0\"} 1\n"), std::string::npos) << text;
}

TEST_F(ServiceTest, AStreamThatIsDroppedGivesItsCallUp) {
  Start();
  runner_.Hold();
  std::thread client([&] {
    HttpAnswer answer = Complete(R"("max_tokens":1000,"stream":true)");
    answer.stream = nullptr;  // the client does not read any more
  });
  runner_.WaitForStep(1);
  runner_.Allow(2);
  client.join();
  EXPECT_EQ(queue_->num_open(), 0);
  runner_.Allow();
  EXPECT_EQ(Complete().reply.status, 200);
  EXPECT_EQ(runner_.cancelled(), std::vector<int64_t>{0});
}

TEST_F(ServiceTest, HealthIsGreenWhileRequestsAreTaken) {
  Start();
  service_->CountConnectionsBy([] { return 7; });
  EXPECT_EQ(Ask("GET", "/health").reply.status, 200);
  Value health = Health();
  EXPECT_EQ(health.Find("status")->as_string(), "ok");
  EXPECT_TRUE(health.Find("live")->as_bool() && health.Find("ready")->as_bool());
  EXPECT_EQ(health.Find("model")->as_string(), "demo");
  EXPECT_EQ(health.Find("connections")->as_int(), 7);
  service_->BeginDrain();
  EXPECT_EQ(Ask("GET", "/health").reply.status, 503);
  health = Health();
  EXPECT_EQ(health.Find("status")->as_string(), "draining");
  EXPECT_TRUE(health.Find("live")->as_bool());
  EXPECT_FALSE(health.Find("ready")->as_bool());
  EXPECT_NE(Ask("GET", "/metrics").reply.body.find("nemo_ready 0\n"), std::string::npos);
}

TEST_F(ServiceTest, ALostRankTurnsHealthRedAndFailsWhatIsOpen) {
  Start();
  runner_.Hold();
  HttpAnswer open;
  std::thread client([&] { open = Complete(R"("max_tokens":1000)"); });
  runner_.WaitForStep(1);
  runner_.Fail(Unavailable("rank 3 has died"));
  runner_.Allow();
  client.join();
  EXPECT_EQ(open.reply.status, 503);
  EXPECT_EQ(ErrorOf(open), "rank 3 has died");
  EXPECT_EQ(Ask("GET", "/health").reply.status, 503);
  const Value health = Health();
  EXPECT_EQ(health.Find("status")->as_string(), "failed");
  EXPECT_FALSE(health.Find("live")->as_bool());
  EXPECT_EQ(health.Find("reason")->as_string(), "rank 3 has died");
  EXPECT_EQ(Complete().reply.status, 503);
}

TEST_F(ServiceTest, ARequestThatIsTooLongIsRefusedBeforeItWaits) {
  Start({}, 100, /*runs=*/false);
  EXPECT_EQ(Complete(R"("max_tokens":4097)").reply.status, 400);
  EXPECT_EQ(queue_->num_open(), 0);
}

TEST_F(ServiceTest, RefusalsHaveTheFormOfTheApiThatWasAsked) {
  Start({}, 100, /*runs=*/false);
  const auto refused = [&](std::string_view path) {
    HttpHead head;
    head.method = "POST";
    head.path = path;
    return service_->Refuse(head, 413, "too large").reply.body;
  };
  EXPECT_TRUE(refused("/v1/completions").starts_with("{\"error\":"));
  EXPECT_TRUE(refused("/tokenize").starts_with("{\"error\":"));
  EXPECT_EQ(refused("/generate"), "{\"message\": \"too large\"}\n");
  EXPECT_EQ(refused(""), "{\"message\": \"too large\"}\n");
  // NeMo's server has a /v1/completions of its own, and Flask's errors there, too.
  api_.context.nemo_only = true;
  EXPECT_EQ(refused("/v1/completions"), "{\"message\": \"too large\"}\n");
}

TEST_F(ServiceTest, KeysAreAskedForOnEveryRoute) {
  const testing::TempDir dir;
  testing::WriteFileOrDie(dir / "keys", "secret%41\n");
  ServiceOptions options;
  options.keys = *ApiKeys::Read(dir / "keys");
  Start(std::move(options), 100, /*runs=*/false);
  for (const char* path : {"/", "/health", "/metrics", "/generate", "/v1/models", "/nothing"}) {
    HttpHead head;
    head.method = "GET";
    head.path = path;
    const auto answer = service_->Check(head);
    ASSERT_TRUE(answer) << path;
    EXPECT_EQ(answer->reply.status, 401);
    EXPECT_EQ(HeaderOf(*answer, "WWW-Authenticate"),
              std::string_view(path) == "/" ? "Basic realm=\"nemo-generate\"" : "Bearer");
    head.authorization = "Bearer secret%41";
    EXPECT_FALSE(service_->Check(head)) << path;
    head.authorization = "Bearer secretA";
    EXPECT_TRUE(service_->Check(head)) << path;
  }
}

}  // namespace
}  // namespace nemo
