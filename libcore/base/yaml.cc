#include "libcore/base/yaml.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include <yaml-cpp/yaml.h>

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;  // yaml-cpp makes up to 640 bytes of one
constexpr int kMaxDepth = 100;
constexpr int64_t kMaxNodes = 1'000'000;
/// Aliases repeat what stands once in the text, and a few of them in a row repeat it exponentially.
constexpr size_t kMaxGrowth = 64;               // bytes of values for each byte of text
constexpr size_t kFreeBytes = size_t{1} << 16;  // whatever the text's size

template <typename T>
bool ParseWhole(std::string_view text, T& out) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

/// A plain (unquoted) scalar by YAML 1.1's rules, as PyYAML resolves it.
Value PlainScalar(const std::string& text) {
  static const std::set<std::string, std::less<>> kNull = {"", "~", "null", "Null", "NULL"};
  static const std::set<std::string, std::less<>> kTrue = {"true", "True", "TRUE", "yes", "Yes",
                                                           "YES",  "on",   "On",   "ON"};
  static const std::set<std::string, std::less<>> kFalse = {"false", "False", "FALSE", "no", "No",
                                                            "NO",    "off",   "Off",   "OFF"};
  if (kNull.contains(text)) return Value();
  if (kTrue.contains(text)) return Value(true);
  if (kFalse.contains(text)) return Value(false);
  int64_t integer = 0;
  if (ParseWhole(text, integer)) return Value(integer);
  if (text == ".nan" || text == ".NaN") return Value(std::numeric_limits<double>::quiet_NaN());
  if (text == ".inf" || text == "+.inf") return Value(std::numeric_limits<double>::infinity());
  if (text == "-.inf") return Value(-std::numeric_limits<double>::infinity());
  // from_chars would take "inf" and "nan", which YAML reads as text. Beyond YAML 1.1, "1e-5" is a
  // number here as in YAML 1.2 and OmegaConf.
  double number = 0;
  if (text.find_first_of("0123456789") != std::string::npos && ParseWhole(text, number))
    return Value(number);
  return Value(text);
}

class Converter {
 public:
  explicit Converter(size_t text_bytes) : max_bytes_(kFreeBytes + kMaxGrowth * text_bytes) {}

  Result<Value> Convert(const YAML::Node& node, int depth) {
    if (depth > kMaxDepth) return Corruption(Format("nested deeper than {} levels", kMaxDepth));
    NEMO_RETURN_IF_ERROR(Charge(sizeof(Value) + (node.IsScalar() ? node.Scalar().size() : 0)));
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Value();
      case YAML::NodeType::Scalar:
        // yaml-cpp marks quoted scalars with the tag "!".
        return node.Tag() == "!" ? Value(node.Scalar()) : PlainScalar(node.Scalar());
      case YAML::NodeType::Sequence:
        return ConvertSequence(node, depth);
      case YAML::NodeType::Map:
        return ConvertMap(node, depth);
    }
    return Corruption("unknown kind of YAML node");
  }

 private:
  Status Charge(size_t bytes) {
    num_bytes_ += bytes;
    if (++num_nodes_ <= kMaxNodes && num_bytes_ <= max_bytes_) return OkStatus();
    return Corruption(Format("more than {} values, or {} times the text, once aliases are followed",
                             kMaxNodes, kMaxGrowth));
  }

  Result<Value> ConvertSequence(const YAML::Node& node, int depth) {
    Value::Array array;
    for (const YAML::Node& item : node) {
      NEMO_ASSIGN_OR_RETURN(Value value, Convert(item, depth + 1));
      array.push_back(std::move(value));
    }
    return Value(std::move(array));
  }

  Result<Value> ConvertMap(const YAML::Node& node, int depth) {
    Value::Object object;
    std::set<std::string> keys;
    for (const auto& member : node) {
      if (!member.first.IsScalar()) return Corruption("a mapping has a key that is not text");
      const std::string& key = member.first.Scalar();
      NEMO_RETURN_IF_ERROR(Charge(key.size()));
      if (!keys.insert(key).second) return Corruption(Format("duplicate key '{}'", key));
      Result<Value> value = Convert(member.second, depth + 1);
      if (!value) return value.error().At(key);
      object.emplace_back(key, std::move(value).value());
    }
    return Value(std::move(object));
  }

  size_t max_bytes_;
  int64_t num_nodes_ = 0;
  size_t num_bytes_ = 0;
};

}  // namespace

Result<Value> ParseYaml(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return Corruption(Format("YAML of {} bytes; the limit is {}", text.size(), kMaxBytes));
  }
  try {
    return Converter(text.size()).Convert(YAML::Load(std::string(text)), 0);
  } catch (const std::exception& e) {
    return Corruption(Format("not valid YAML: {}", e.what()));
  }
}

}  // namespace nemo
