// What NeMo's server says where it does not generate: the answers of Flask and flask_restful, byte
// by byte, so that clients cannot tell the difference.
#pragma once

#include <string_view>

#include "libcore/base/value.h"
#include "libcore/serve/exchange.h"

namespace nemo {

/// {"message": TEXT} and a newline.
Reply FlaskMessage(int status, std::string_view text);
/// An answer with `value` as Flask's jsonify prints it: no blanks, ASCII only, a newline.
Reply FlaskJson(int status, const Value& value);
/// No such route, or none for this method: 404 or 405 in HTML. NeMo's server has a route for static
/// files, GET /NAME, so any other method on a path that it does not know is a 405.
Reply FlaskNoRoute(std::string_view method, std::string_view path);

Reply FlaskInternalError();  ///< 500
Reply FlaskNotJson();        ///< 415: another content type than JSON
Reply FlaskNotUnderstood();  ///< 400: malformed JSON

/// As Flask decides it: application/json, or application/ANYTHING+json, whatever follows a ';'.
bool IsJsonType(std::string_view content_type);

}  // namespace nemo
