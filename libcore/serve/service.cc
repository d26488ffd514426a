#include "libcore/serve/service.h"

#include <utility>

#include "libcore/base/json.h"
#include "libcore/serve/call_watch.h"

namespace nemo {
namespace {

constexpr int kTooMany = 429, kUnavailable = 503;
/// A batch changes within seconds; who comes again soon is taken soon.
constexpr const char* kRetrySeconds = "1";

ApiCall CallOf(const HttpHead& head, std::string_view body) {
  // HEAD is GET whose body stays here.
  return {.method = head.method == "HEAD" ? std::string_view("GET") : head.method,
          .path = head.path,
          .content_type = head.content_type,
          .body = body};
}

void NoteCall(const Call& call, RequestRecord* record) {
  record->num_requests = std::ssize(call.requests());
  record->prompt_tokens = 0;
  for (const GenerateRequest& request : call.requests()) {
    record->prompt_tokens += std::ssize(request.prompt_ids);
  }
  record->generated_tokens = call.num_tokens();
  record->queue_seconds = call.queue_seconds();
  record->first_token_seconds = call.first_token_seconds();
}

void NoteFailure(const CallFailure& failure, RequestRecord* record) {
  record->error = failure.message;
  record->has_left = failure.http_status == Call::kHasLeft;
}

}  // namespace

/// The news of a call as its API writes them.
class Service::Stream final : public AnswerStream {
 public:
  Stream(std::unique_ptr<Exchange> exchange, std::unique_ptr<CallWatch> watch, Record record,
         std::vector<CallNews> first)
      : exchange_(std::move(exchange)),
        watch_(std::move(watch)),
        record_(std::move(record)),
        first_(std::move(first)),
        num_left_(exchange_->requests().size()) {}

  bool Next(std::string* bytes) override {
    const std::vector<CallNews> news = first_.empty() ? watch_->Next() : std::exchange(first_, {});
    for (const CallNews& one : news) *bytes += Write(one);
    NoteCall(watch_->call(), record_.get());
    if (news.empty()) {
      const CallFailure& failure = *watch_->failure();
      NoteFailure(failure, record_.get());
      *bytes += exchange_->FailureInStream(failure.http_status, failure.message);
      return false;
    }
    if (num_left_ > 0) return true;
    *bytes += exchange_->End();
    return false;
  }

 private:
  std::string Write(const CallNews& news) {
    if (news.result) {
      --num_left_;
      return exchange_->OnFinished(news.index, *news.result);
    }
    return exchange_->OnToken(news.index, {.id = 0,
                                           .token_id = news.token_id,
                                           .text = news.text,
                                           .logprob = news.logprob,
                                           .top_logprobs = news.top_logprobs});
  }

  const std::unique_ptr<Exchange> exchange_;
  const std::unique_ptr<CallWatch> watch_;
  const Record record_;
  std::vector<CallNews> first_;
  size_t num_left_;
};

Service::Service(const ApiContext& context, RequestQueue& queue, ServeStats& stats,
                 ServiceOptions options)
    : context_(context), queue_(queue), stats_(stats), options_(std::move(options)) {}

void Service::Fail(const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    reason_ = reason;
  }
  has_failed_ = true;
  queue_.Fail({kUnavailable, reason});
}

void Service::CountConnectionsBy(std::function<int64_t()> count) {
  const std::lock_guard lock(mutex_);
  count_connections_ = std::move(count);
}

int64_t Service::num_connections() const {
  const std::lock_guard lock(mutex_);
  return count_connections_ ? count_connections_() : 0;
}

std::optional<HttpAnswer> Service::Check(const HttpHead& head) {
  if (options_.keys.Allows(head.authorization)) return std::nullopt;
  HttpAnswer answer =
      Refuse(head, 401, "this server wants a key: Authorization: Bearer KEY (--api-key-file)");
  // A browser asks for the page's key itself; it must not when a script of the page is refused.
  const bool is_page = head.method == "GET" && head.path == "/";
  answer.headers.emplace_back("WWW-Authenticate",
                              is_page ? "Basic realm=\"nemo-generate\"" : "Bearer");
  return answer;
}

HttpAnswer Service::Handle(const HttpHead& head, const std::string& body,
                           const std::function<bool()>& has_left) {
  const Record record = NewRecord(head);
  if (options_.logs_prompts) record->body = body;
  const ApiCall call = CallOf(head, body);
  if (call.method == "GET" && call.path == "/health") return Answered(Health(), record);
  if (call.method == "GET" && call.path == "/metrics") return Answered(Metrics(), record);
  Opening opening = OpenCall(context_, call);
  if (auto* reply = std::get_if<Reply>(&opening)) return Answered(std::move(*reply), record);
  return Run(std::get<std::unique_ptr<Exchange>>(std::move(opening)), record, has_left);
}

HttpAnswer Service::Refuse(const HttpHead& head, int http_status, const std::string& message) {
  const Record record = NewRecord(head);
  record->error = message;
  HttpAnswer answer =
      Answered(RefuseCall(context_, CallOf(head, ""), http_status, message), record);
  if (http_status == kUnavailable) answer.headers.emplace_back("Retry-After", kRetrySeconds);
  return answer;
}

HttpAnswer Service::Run(std::unique_ptr<Exchange> exchange, const Record& record,
                        const std::function<bool()>& has_left) {
  for (const GenerateRequest& request : exchange->requests()) {
    if (Status status = CheckRequest(request, options_.limits); !status.ok()) {
      return Failed(*exchange, {400, status.message()}, record);
    }
  }
  const auto call = std::make_shared<Call>(exchange->requests(), exchange->streams());
  switch (queue_.Submit(call)) {
    case RequestQueue::Entry::kFull: {
      HttpAnswer answer = Failed(
          *exchange, {kTooMany, "too many requests wait (--max-queue); come again soon"}, record);
      answer.headers.emplace_back("Retry-After", kRetrySeconds);
      return answer;
    }
    case RequestQueue::Entry::kClosed:
      return Failed(*exchange, {kUnavailable, "the server ends"}, record);
    case RequestQueue::Entry::kTaken:
      break;
  }
  auto watch = std::make_unique<CallWatch>(queue_, call, has_left, options_.request_timeout);
  if (exchange->streams()) return RunStream(std::move(exchange), std::move(watch), record);
  auto results = TakeResults(*watch);
  NoteCall(*call, record.get());
  if (!results) return Failed(*exchange, *watch->failure(), record);
  return Answered(exchange->Answer(*std::move(results)), record);
}

HttpAnswer Service::RunStream(std::unique_ptr<Exchange> exchange, std::unique_ptr<CallWatch> watch,
                              const Record& record) {
  // A status can still be told before the first byte.
  std::vector<CallNews> first = watch->Next();
  if (first.empty()) {
    NoteCall(watch->call(), record.get());
    return Failed(*exchange, *watch->failure(), record);
  }
  Reply reply;
  reply.content_type = "text/event-stream";
  HttpAnswer answer = Answered(std::move(reply), record);
  answer.headers.emplace_back("Cache-Control", "no-cache");
  answer.stream =
      std::make_shared<Stream>(std::move(exchange), std::move(watch), record, std::move(first));
  return answer;
}

HttpAnswer Service::Failed(const Exchange& exchange, const CallFailure& failure,
                           const Record& record) {
  NoteFailure(failure, record.get());
  return Answered(exchange.Failure(failure.http_status, failure.message), record);
}

Service::Record Service::NewRecord(const HttpHead& head) const {
  auto record = std::make_shared<RequestRecord>();
  record->id = RequestId(head.request_id);
  record->peer = head.peer;
  record->method = head.method;
  record->path = head.path;
  return record;
}

HttpAnswer Service::Answered(Reply reply, const Record& record) {
  record->status = reply.status;
  HttpAnswer answer;
  answer.reply = std::move(reply);
  answer.headers.emplace_back("X-Request-Id", record->id);
  answer.finish = [this, record](bool is_sent) { Finish(*record, is_sent); };
  return answer;
}

void Service::Finish(RequestRecord& record, bool is_sent) {
  record.has_left |= !is_sent;
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - record.begin;
  stats_.CountRequest(RouteOf(record.path), record.has_left ? 0 : record.status, time.count());
  if (record.has_left) stats_.CountHangUp();
  if (record.first_token_seconds) stats_.CountFirstToken(*record.first_token_seconds);
  if (options_.log) options_.log(ToJson(LogValue(record)));
}

Reply Service::Health() const {
  const GeneratorLoad load = stats_.load();
  Value value;
  value.Set("status", has_failed_ ? "failed" : is_draining_ ? "draining" : "ok");
  value.Set("live", !has_failed_);
  value.Set("ready", is_ready());
  {
    const std::lock_guard lock(mutex_);
    value.Set("reason", has_failed_ ? Value(reason_) : Value());
  }
  if (options_.about.is_object()) {
    for (const auto& [key, about] : options_.about.as_object()) value.Set(key, about);
  }
  value.Set("running", load.num_running);
  value.Set("queued", queue_.num_waiting());
  value.Set("connections", num_connections());
  return {is_ready() ? 200 : kUnavailable, ToJson(value) + "\n", "application/json"};
}

Reply Service::Metrics() const {
  return {200, stats_.ToText(queue_.num_waiting(), num_connections(), is_ready()),
          "text/plain; version=0.0.4; charset=utf-8"};
}

}  // namespace nemo
