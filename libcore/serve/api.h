// The APIs of the server and their routes: from an HTTP request to an Exchange (exchange.h) or to
// the answer that ends it. The server carries bytes, runs requests and keeps /health and /metrics
// for itself; every other path is opened here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libcore/serve/exchange.h"
#include "libcore/text/tokenizer.h"

namespace nemo {

/// What every API knows of the model it speaks for. Refers to the tokenizer.
struct ApiContext {
  const Tokenizer& tokenizer;
  std::string model_name;           ///< as /v1/models and answers name it
  int64_t max_sequence_tokens = 0;  ///< of prompt and generation together
  int64_t created_seconds = 0;      ///< Unix time, for /v1/models
  /// PUT /generate answers a bad field with 400 and {"message"}, not with 200 and the text alone;
  /// unknown fields and other models' names are refused.
  bool strict = false;
  /// Only what NeMo's server has, and as that has it: no page, no models, its own completions.
  bool nemo_only = false;
};

/// An HTTP request as its API sees it.
struct ApiCall {
  std::string_view method;        ///< "PUT"
  std::string_view path;          ///< without the query
  std::string_view content_type;  ///< empty when there was none
  std::string_view body;
};

/// Finds the API of the call and opens it: a wrong path, method or body is a Reply in the form of
/// that API. Thread-safe. The result refers to `context`, to nothing of `call`.
Opening OpenCall(const ApiContext& context, const ApiCall& call);

/// Why the server does not let a call through (401, 413, 429, 503, ...), in the form of its API.
/// Looks at method and path only.
Reply RefuseCall(const ApiContext& context, const ApiCall& call, int http_status,
                 const std::string& message);

}  // namespace nemo
