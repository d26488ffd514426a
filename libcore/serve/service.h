// Service: from an HTTP request to its answer. Routes of the APIs go through api.h; /health and
// /metrics are its own. It knows no socket (http_server.h) and no model (serve_loop.h).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/base/value.h"
#include "libcore/runtime/request.h"
#include "libcore/serve/api.h"
#include "libcore/serve/api_keys.h"
#include "libcore/serve/http_handler.h"
#include "libcore/serve/request_queue.h"
#include "libcore/serve/request_record.h"
#include "libcore/serve/serve_stats.h"

namespace nemo {

struct ServiceOptions {
  RequestLimits limits;
  ApiKeys keys;
  std::chrono::seconds request_timeout{600};  ///< from a request's arrival to its last token
  bool logs_prompts = false;
  Value about;  ///< an object that /health repeats: model, layout
  /// Takes a line of the log, without its newline; called by any thread.
  std::function<void(std::string_view)> log;
};

/// Thread-safe. Refers to its arguments.
class Service final : public HttpHandler {
 public:
  Service(const ApiContext& context, RequestQueue& queue, ServeStats& stats,
          ServiceOptions options);

  /// /health tells that the server ends.
  void BeginDrain() { is_draining_ = true; }
  /// /health is red, everything open and to come fails.
  void Fail(const std::string& reason);
  /// For /metrics.
  void CountConnectionsBy(std::function<int64_t()> count);

  std::optional<HttpAnswer> Check(const HttpHead& head) override;
  HttpAnswer Handle(const HttpHead& head, const std::string& body,
                    const std::function<bool()>& has_left) override;
  HttpAnswer Refuse(const HttpHead& head, int http_status, const std::string& message) override;

 private:
  class Stream;
  using Record = std::shared_ptr<RequestRecord>;

  Record NewRecord(const HttpHead& head) const;
  /// Completes an answer: the record's headers, and what is to be done when it is sent.
  HttpAnswer Answered(Reply reply, const Record& record);
  HttpAnswer Run(std::unique_ptr<Exchange> exchange, const Record& record,
                 const std::function<bool()>& has_left);
  HttpAnswer RunStream(std::unique_ptr<Exchange> exchange, std::unique_ptr<class CallWatch> watch,
                       const Record& record);
  HttpAnswer Failed(const Exchange& exchange, const CallFailure& failure, const Record& record);
  void Finish(RequestRecord& record, bool is_sent);
  bool is_ready() const { return !is_draining_ && !has_failed_; }
  Reply Health() const;
  Reply Metrics() const;
  int64_t num_connections() const;

  const ApiContext& context_;
  RequestQueue& queue_;
  ServeStats& stats_;
  const ServiceOptions options_;
  std::atomic<bool> is_draining_ = false, has_failed_ = false;
  mutable std::mutex mutex_;
  std::string reason_;
  std::function<int64_t()> count_connections_;
};

}  // namespace nemo
