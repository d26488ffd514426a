// The bytes of an answer, where cpp-httplib does not write them: to a client whose request could
// not be read.
#pragma once

#include <string>

#include "libcore/serve/http_handler.h"

namespace nemo {

/// Status line, headers, body; it says that the connection ends. The answer has no stream.
std::string LastAnswerBytes(const HttpAnswer& answer);

}  // namespace nemo
