#include "libcore/serve/flask_answers.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo {
namespace {

Reply Html(int status, std::string_view name, std::string_view text) {
  return {status,
          Format("<!doctype html>\n<html lang=en>\n<title>{0} {1}</title>\n<h1>{1}</h1>\n"
                 "<p>{2}</p>\n",
                 status, name, text),
          "text/html; charset=utf-8"};
}

}  // namespace

Reply FlaskMessage(int status, std::string_view text) {
  return {status, Format("{{\"message\": {}}}\n", ToAsciiJson(Value(text)))};
}

Reply FlaskJson(int status, const Value& value) { return {status, ToAsciiJson(value) + "\n"}; }

Reply FlaskNoRoute(std::string_view method, std::string_view path) {
  if (path == "/" || method == "GET" || method == "HEAD") {
    return Html(404, "Not Found",
                "The requested URL was not found on the server. If you entered the URL manually "
                "please check your spelling and try again.");
  }
  return Html(405, "Method Not Allowed", "The method is not allowed for the requested URL.");
}

Reply FlaskInternalError() { return FlaskMessage(500, "Internal Server Error"); }

Reply FlaskNotJson() {
  return FlaskMessage(415,
                      "Did not attempt to load JSON data because the request Content-Type was not "
                      "'application/json'.");
}

Reply FlaskNotUnderstood() {
  return FlaskMessage(
      400, "The browser (or proxy) sent a request that this server could not understand.");
}

bool IsJsonType(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  std::erase_if(type, [](unsigned char c) { return std::isspace(c) != 0; });
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type == "application/json" ||
         (type.starts_with("application/") && type.ends_with("+json"));
}

}  // namespace nemo
