#include "libcore/serve/openai_error.h"

#include "libcore/base/json.h"

namespace nemo {
namespace {

std::string_view TypeOf(int status) {
  if (status >= 500) return "server_error";
  if (status == 429) return "rate_limit_error";
  return status == 401 ? "authentication_error" : "invalid_request_error";
}

std::string_view CodeOf(int status) {
  switch (status) {
    case 401:
      return "invalid_api_key";
    case 404:
      return "not_found";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_exceeded";
    case 503:
      return "service_unavailable";
    default:
      return "";
  }
}

Value TextOrNull(const std::string& text) { return text.empty() ? Value() : Value(text); }

}  // namespace

Value OpenAiErrorValue(const OpenAiFault& fault) {
  Value error;
  error.Set("message", fault.message);
  error.Set("type", TypeOf(fault.status));
  error.Set("param", TextOrNull(fault.param));
  error.Set("code", TextOrNull(fault.code));
  Value body;
  body.Set("error", std::move(error));
  return body;
}

Reply OpenAiError(const OpenAiFault& fault) {
  return {fault.status, ToJson(OpenAiErrorValue(fault)) + "\n"};
}

Reply OpenAiError(int status, const std::string& message) {
  return OpenAiError(OpenAiFault{message, "", std::string(CodeOf(status)), status});
}

Reply OpenAiJson(const Value& value) { return {200, ToJson(value) + "\n"}; }

}  // namespace nemo
