#include "libcore/serve/api.h"

#include <algorithm>
#include <iterator>

#include "libcore/serve/flask_answers.h"
#include "libcore/serve/nemo_api.h"
#include "libcore/serve/nemo_completions.h"

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

constexpr Route kNemoOnlyRoutes[] = {
    {"POST", "/v1/completions", OpenNemoCompletions},
    {"PUT", "/v1/completions", NemoInternalError},
};

template <typename Routes>
const Route* FindRoute(const Routes& routes, std::string_view method, std::string_view path) {
  const auto it = std::find_if(std::begin(routes), std::end(routes), [&](const Route& route) {
    return route.method == method && route.path == path;
  });
  return it == std::end(routes) ? nullptr : &*it;
}

}  // namespace

Opening OpenCall(const ApiContext& context, const ApiCall& call) {
  const std::string_view method = call.method == "HEAD" ? "GET" : call.method;
  const Route* route = FindRoute(kNemoRoutes, method, call.path);
  if (route == nullptr && context.nemo_only) route = FindRoute(kNemoOnlyRoutes, method, call.path);
  return route != nullptr ? route->open(context, call) : FlaskNoRoute(method, call.path);
}

Reply RefuseCall(const ApiCall&, int http_status, const std::string& message) {
  return FlaskMessage(http_status, message);
}

}  // namespace nemo
