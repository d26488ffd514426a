#include "libcore/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "libcore/base/format.h"

namespace nemo {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxDepth = 200;

/// Builds a Value from parse events, so that neither duplicate keys nor deep nesting get past us.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return Put(Value()); }
  bool boolean(bool v) override { return Put(Value(v)); }
  bool number_integer(number_integer_t v) override { return Put(Value(static_cast<int64_t>(v))); }
  bool number_unsigned(number_unsigned_t v) override {
    if (v > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Put(Value(static_cast<double>(v)));
    }
    return Put(Value(static_cast<int64_t>(v)));
  }
  bool number_float(number_float_t v, const string_t&) override { return Put(Value(v)); }
  bool string(string_t& v) override { return Put(Value(std::move(v))); }
  bool binary(binary_t&) override { return Fail("binary data"); }
  bool start_object(size_t) override { return Open(Value(Value::Object{})); }
  bool end_object() override { return Close(); }
  bool start_array(size_t) override { return Open(Value(Value::Array{})); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    if (!open_.back().keys.insert(name).second) return Fail(Format("duplicate key '{}'", name));
    open_.back().key = name;
    return true;
  }
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    std::string what = e.what();  // "[json.exception.parse_error.101] parse error at ...: reason"
    const size_t cut = what.rfind(": ");
    return Fail(
        Format("byte {}: {}", position, cut == std::string::npos ? what : what.substr(cut + 2)));
  }

  Value root;
  std::string problem;

 private:
  struct Level {
    Value value;
    std::string key;
    std::set<std::string> keys;
  };

  bool Fail(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }
  bool Put(Value value) {
    if (open_.empty()) {
      root = std::move(value);
    } else if (Level& level = open_.back(); level.value.is_array()) {
      level.value.as_array().push_back(std::move(value));
    } else {
      level.value.as_object().emplace_back(std::move(level.key), std::move(value));
    }
    return true;
  }
  bool Open(Value value) {
    if (open_.size() >= kMaxDepth) return Fail(Format("nested deeper than {} levels", kMaxDepth));
    open_.push_back({std::move(value), {}, {}});
    return true;
  }
  bool Close() {
    Value done = std::move(open_.back().value);
    open_.pop_back();
    return Put(std::move(done));
  }

  std::vector<Level> open_;
};

Json FromValue(const Value& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_int()) return value.as_int();
  if (value.is_double()) {
    return std::isfinite(value.as_double()) ? Json(value.as_double()) : Json(nullptr);
  }
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    Json array = Json::array();
    for (const Value& item : value.as_array()) array.push_back(FromValue(item));
    return array;
  }
  if (value.is_object()) {
    Json object = Json::object();
    // A Value's keys differ already; object[key] would compare each with all before it.
    auto& members = object.get_ref<Json::object_t&>();
    members.reserve(value.as_object().size());
    for (const auto& [key, item] : value.as_object()) {
      members.Json::object_t::Container::emplace_back(key, FromValue(item));
    }
    return object;
  }
  return nullptr;
}

}  // namespace

Result<Value> ParseJson(std::string_view text) {
  Builder builder;
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return Corruption("not valid JSON: " + builder.problem);
  }
  return std::move(builder.root);
}

std::string ToJson(const Value& value, int indent) {
  return FromValue(value).dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string ToAsciiJson(const Value& value) {
  return FromValue(value).dump(-1, ' ', true, Json::error_handler_t::replace);
}

void AppendJsonNumber(double number, std::string* out) {
  if (!std::isfinite(number)) {
    out->append("null");
    return;
  }
  const double size = std::abs(number);
  const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
  char digits[40];  // 17 of them, a sign, a point, and three zeros in front or an exponent
  const auto [end, error] =
      std::to_chars(digits, std::end(digits), number,
                    fixed ? std::chars_format::fixed : std::chars_format::scientific);
  NEMO_CHECK(error == std::errc());
  out->append(digits, end);
  if (fixed && std::find(digits, end, '.') == end) out->append(".0");
}

}  // namespace nemo
