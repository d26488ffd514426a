// Value: the one tree of plain data of the house. JSON and YAML both become it (json.h, yaml.h), so
// no other folder knows the libraries that parse them. Object keys keep their order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;

  Value() = default;
  Value(std::nullptr_t) {}                              // NOLINT
  Value(bool v) : data_(v) {}                           // NOLINT
  Value(int v) : data_(static_cast<int64_t>(v)) {}      // NOLINT
  Value(int64_t v) : data_(v) {}                        // NOLINT
  Value(double v) : data_(v) {}                         // NOLINT
  Value(const char* v) : data_(std::string(v)) {}       // NOLINT
  Value(std::string_view v) : data_(std::string(v)) {}  // NOLINT
  Value(std::string v) : data_(std::move(v)) {}         // NOLINT
  Value(Array v) : data_(std::move(v)) {}               // NOLINT
  Value(Object v) : data_(std::move(v)) {}              // NOLINT
  template <typename T>
  static Value ArrayOf(const T& values) {
    Array array;
    for (const auto& v : values) array.emplace_back(v);
    return Value(std::move(array));
  }

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_int() const { return std::holds_alternative<int64_t>(data_); }
  bool is_double() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }
  /// "null", "boolean", "integer", "number", "text", "list", "mapping": for messages.
  std::string_view type_name() const;

  // Unchecked access: a wrong type is our own error (NEMO_CHECK). Ask is_x() or use the Get family.
  bool as_bool() const;
  int64_t as_int() const;
  double as_double() const;  ///< integers widen
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;
  Array& as_array();
  Object& as_object();

  /// Member `key` of an object, or nullptr (also when this is no object).
  const Value* Find(std::string_view key) const;
  /// Sets member `key` (this becomes an object when null), keeping the place of an existing one.
  Value& Set(std::string_view key, Value value);

  // Typed members of hostile input. kNotFound: absent; kCorruption: another type or out of range.
  Result<int64_t> GetInt(std::string_view key) const;
  Result<double> GetDouble(std::string_view key) const;
  Result<bool> GetBool(std::string_view key) const;
  Result<std::string> GetString(std::string_view key) const;
  Result<const Array*> GetArray(std::string_view key) const;
  Result<const Object*> GetObject(std::string_view key) const;
  Result<std::vector<int64_t>> GetIntList(std::string_view key) const;

  bool operator==(const Value&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> data_;
};

}  // namespace nemo
