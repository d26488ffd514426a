#include "libcore/serve/api.h"

#include <algorithm>
#include <iterator>

#include "libcore/base/format.h"
#include "libcore/serve/flask_answers.h"
#include "libcore/serve/nemo_api.h"
#include "libcore/serve/nemo_completions.h"
#include "libcore/serve/openai_chat.h"
#include "libcore/serve/openai_completions.h"
#include "libcore/serve/openai_error.h"
#include "libcore/serve/page.h"
#include "libcore/serve/tokenizer_api.h"

namespace nemo {
namespace {

struct Route {
  std::string_view method, path;
  Opening (*open)(const ApiContext& context, const ApiCall& call);
};

Opening NemoInternalError(const ApiContext& context, const ApiCall&) {
  return context.strict ? FlaskMessage(405, "PUT is the method of /generate")
                        : FlaskInternalError();
}

constexpr Route kNemoRoutes[] = {
    {"PUT", "/generate", OpenNemoGenerate},
    {"POST", "/generate", NemoInternalError},
};

Opening OpenPage(const ApiContext&, const ApiCall&) {
  return Reply{200, std::string(kPage), "text/html; charset=utf-8"};
}

constexpr Route kPageRoutes[] = {{"GET", "/", OpenPage}};

constexpr Route kNemoOnlyRoutes[] = {
    {"POST", "/v1/completions", OpenNemoCompletions},
    {"PUT", "/v1/completions", NemoInternalError},
};

/// A slash at the end is NeMo 2's spelling.
constexpr Route kOpenAiRoutes[] = {
    {"POST", "/v1/completions", OpenCompletions},
    {"POST", "/v1/completions/", OpenCompletions},
    {"POST", "/v1/chat/completions", OpenChat},
    {"POST", "/v1/chat/completions/", OpenChat},
    {"GET", "/v1/models", OpenModels},
    {"GET", "/v1/models/", OpenModels},
    {"GET", "/v1/health", OpenHealth},
    {"GET", "/tokenizer_info", OpenTokenizerInfo},
    {"POST", "/tokenize", OpenTokenize},
    {"POST", "/detokenize", OpenDetokenize},
};

constexpr std::string_view kModelPrefix = "/v1/models/";

template <typename Routes>
const Route* FindRoute(const Routes& routes, std::string_view method, std::string_view path) {
  const auto it = std::find_if(std::begin(routes), std::end(routes), [&](const Route& route) {
    return route.method == method && route.path == path;
  });
  return it == std::end(routes) ? nullptr : &*it;
}

/// Which API's form an answer has where there is no route.
bool IsOpenAiPath(std::string_view path) {
  return path.starts_with("/v1/") ||
         std::any_of(std::begin(kOpenAiRoutes), std::end(kOpenAiRoutes),
                     [&](const Route& route) { return route.path == path; });
}

Opening OpenAiCall(const ApiContext& context, const ApiCall& call, std::string_view method) {
  if (const Route* route = FindRoute(kOpenAiRoutes, method, call.path)) {
    return route->open(context, call);
  }
  if (method == "GET" && call.path.starts_with(kModelPrefix)) return OpenModel(context, call);
  const auto other = std::find_if(std::begin(kOpenAiRoutes), std::end(kOpenAiRoutes),
                                  [&](const Route& route) { return route.path == call.path; });
  if (other == std::end(kOpenAiRoutes)) {
    return OpenAiError(404, Format("Invalid URL ({} {})", call.method, call.path));
  }
  return OpenAiError(405,
                     Format("{} does not take {}; use {}", call.path, call.method, other->method));
}

}  // namespace

Opening OpenCall(const ApiContext& context, const ApiCall& call) {
  const std::string_view method = call.method == "HEAD" ? "GET" : call.method;
  if (const Route* route = FindRoute(kNemoRoutes, method, call.path)) {
    return route->open(context, call);
  }
  if (!context.nemo_only && IsOpenAiPath(call.path)) return OpenAiCall(context, call, method);
  const Route* route = context.nemo_only ? FindRoute(kNemoOnlyRoutes, method, call.path)
                                         : FindRoute(kPageRoutes, method, call.path);
  return route != nullptr ? route->open(context, call) : FlaskNoRoute(method, call.path);
}

Reply RefuseCall(const ApiContext& context, const ApiCall& call, int http_status,
                 const std::string& message) {
  return !context.nemo_only && IsOpenAiPath(call.path) ? OpenAiError(http_status, message)
                                                       : FlaskMessage(http_status, message);
}

}  // namespace nemo
