#include "libcore/base/value.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// Member `key`, or the error that a typed getter returns.
Result<const Value*> Require(const Value& object, std::string_view key) {
  if (!object.is_object()) {
    return Corruption(Format("expected a mapping with '{}', found {}", key, object.type_name()));
  }
  const Value* member = object.Find(key);
  if (member == nullptr) return NotFound(Format("'{}' is missing", key));
  return member;
}

Status WrongType(std::string_view key, const Value& value, std::string_view wanted) {
  return Corruption(
      Format("'{}' is {}, expected {}", key,
             value.is_string() ? Format("'{}'", value.as_string()) : std::string(value.type_name()),
             wanted));
}

}  // namespace

std::string_view Value::type_name() const {
  static constexpr std::string_view kNames[] = {"null", "boolean", "integer", "number",
                                                "text", "list",    "mapping"};
  return kNames[data_.index()];
}

bool Value::as_bool() const {
  NEMO_CHECK(is_bool());
  return std::get<bool>(data_);
}
int64_t Value::as_int() const {
  NEMO_CHECK(is_int());
  return std::get<int64_t>(data_);
}
double Value::as_double() const {
  NEMO_CHECK(is_number());
  return is_int() ? static_cast<double>(std::get<int64_t>(data_)) : std::get<double>(data_);
}
const std::string& Value::as_string() const {
  NEMO_CHECK(is_string());
  return std::get<std::string>(data_);
}
const Value::Array& Value::as_array() const {
  NEMO_CHECK(is_array());
  return std::get<Array>(data_);
}
const Value::Object& Value::as_object() const {
  NEMO_CHECK(is_object());
  return std::get<Object>(data_);
}
Value::Array& Value::as_array() {
  NEMO_CHECK(is_array());
  return std::get<Array>(data_);
}
Value::Object& Value::as_object() {
  NEMO_CHECK(is_object());
  return std::get<Object>(data_);
}

const Value* Value::Find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const Object& object = std::get<Object>(data_);
  const auto it = std::find_if(object.begin(), object.end(),
                               [&](const auto& member) { return member.first == key; });
  return it == object.end() ? nullptr : &it->second;
}

Value& Value::Set(std::string_view key, Value value) {
  if (is_null()) data_ = Object{};
  NEMO_CHECK(is_object());
  Object& object = std::get<Object>(data_);
  for (auto& [name, old] : object) {
    if (name == key) return old = std::move(value);
  }
  return object.emplace_back(std::string(key), std::move(value)).second;
}

Result<int64_t> Value::GetInt(std::string_view key) const {
  NEMO_ASSIGN_OR_RETURN(const Value* member, Require(*this, key));
  if (!member->is_int()) return WrongType(key, *member, "an integer");
  return member->as_int();
}

Result<double> Value::GetDouble(std::string_view key) const {
  NEMO_ASSIGN_OR_RETURN(const Value* member, Require(*this, key));
  if (!member->is_number()) return WrongType(key, *member, "a number");
  return member->as_double();
}

Result<bool> Value::GetBool(std::string_view key) const {
  NEMO_ASSIGN_OR_RETURN(const Value* member, Require(*this, key));
  if (!member->is_bool()) return WrongType(key, *member, "true or false");
  return member->as_bool();
}

Result<std::string> Value::GetString(std::string_view key) const {
  NEMO_ASSIGN_OR_RETURN(const Value* member, Require(*this, key));
  if (!member->is_string()) return WrongType(key, *member, "text");
  return member->as_string();
}

Result<const Value::Array*> Value::GetArray(std::string_view key) const {
  NEMO_ASSIGN_OR_RETURN(const Value* member, Require(*this, key));
  if (!member->is_array()) return WrongType(key, *member, "a list");
  return &member->as_array();
}

Result<const Value::Object*> Value::GetObject(std::string_view key) const {
  NEMO_ASSIGN_OR_RETURN(const Value* member, Require(*this, key));
  if (!member->is_object()) return WrongType(key, *member, "a mapping");
  return &member->as_object();
}

Result<std::vector<int64_t>> Value::GetIntList(std::string_view key) const {
  NEMO_ASSIGN_OR_RETURN(const Array* array, GetArray(key));
  std::vector<int64_t> out;
  out.reserve(array->size());
  for (const Value& item : *array) {
    if (!item.is_int()) return WrongType(key, item, "a list of integers");
    out.push_back(item.as_int());
  }
  return out;
}

}  // namespace nemo
