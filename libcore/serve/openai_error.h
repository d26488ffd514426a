// Errors of the OpenAI API: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/value.h"
#include "libcore/serve/exchange.h"

namespace nemo {

/// What is wrong with a request: said to the client with status 400 unless told otherwise.
struct OpenAiFault {
  std::string message;
  std::string param;  ///< the field; empty: null
  std::string code;   ///< empty: null
  int status = 400;
};

/// The "error" object; its type follows from the status.
Value OpenAiErrorValue(const OpenAiFault& fault);
Reply OpenAiError(const OpenAiFault& fault);
/// 401, 413, 429, 5xx, ...: with the code that OpenAI's clients know.
Reply OpenAiError(int status, const std::string& message);
/// A body as these routes print it: UTF-8.
Reply OpenAiJson(const Value& value);

}  // namespace nemo
