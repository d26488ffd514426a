#include "formats/nemo/omegaconf.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "formats/nemo/interpolation.h"
#include "formats/nemo/resolvers.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/yaml.h"

namespace nemo {
namespace {

constexpr int kMaxDepth = 64;      // of interpolations inside one another
constexpr int kMaxSteps = 10'000;  // interpolations per lookup: names that double at each step
constexpr size_t kMaxText = size_t{64} << 10;

const Value* Descend(const Value& from, std::string_view key) {
  if (!from.is_array()) return from.Find(key);
  size_t index = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  const bool valid = error == std::errc() && end == key.data() + key.size();
  return valid && index < from.as_array().size() ? &from.as_array()[index] : nullptr;
}

std::string TextOf(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_null()) return "None";  // as Python prints it
  if (value.is_bool()) return value.as_bool() ? "True" : "False";
  return ToJson(value);
}

/// One lookup with its budget.
class Resolver {
 public:
  Resolver(const Value& root, const KeyPath& base) : root_(root), base_(base) {}

  /// The resolved value at `path`; nullopt when a key is absent. Interpolations met on the way are
  /// followed.
  Result<std::optional<Value>> Lookup(const KeyPath& path, int depth);

 private:
  /// Resolves a text that stands at `at`.
  Result<Value> ResolveText(const std::string& text, const KeyPath& at, int depth);
  /// The value of "${inside}" in a text that stands at `at`.
  Result<Value> Interpolate(std::string_view inside, const KeyPath& at, int depth);
  Result<Value> FollowName(std::string_view name, const KeyPath& at, int depth);
  Result<Value> CallResolver(std::string_view name, std::string_view arguments, const KeyPath& at,
                             int depth);

  const Value& root_;
  const KeyPath& base_;
  int steps_ = 0;
};

Result<std::optional<Value>> Resolver::Lookup(const KeyPath& path, int depth) {
  const Value* value = &root_;
  Value resolved;  // keeps what an interpolation on the way gave
  KeyPath at;
  for (size_t i = 0; i <= path.size(); ++i) {
    if (value->is_string()) {
      NEMO_ASSIGN_OR_RETURN(Value text, ResolveText(value->as_string(), at, depth));
      resolved = std::move(text);
      value = &resolved;
    }
    if (i == path.size()) break;
    at.push_back(path[i]);
    value = Descend(*value, path[i]);
    if (value == nullptr) return std::optional<Value>();
  }
  return std::optional<Value>(*value);
}

Result<Value> Resolver::ResolveText(const std::string& text, const KeyPath& at, int depth) {
  if (text.find("${") == std::string::npos) return Value(text);
  if (depth > kMaxDepth) {
    return Corruption(Format("'{}': interpolations that lead back to themselves, or {} deep",
                             text.substr(0, 80), kMaxDepth));
  }
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "\\${") == 0) {  // an escaped "${" is text
      out += "${";
      i += 3;
    } else if (text.compare(i, 4, "\\\\${") == 0) {  // an escaped backslash before a real one
      out += '\\';
      i += 2;
    } else if (text.compare(i, 2, "${") == 0) {
      const size_t end = ClosingBrace(text, i + 2);
      if (end == std::string::npos) {
        return Corruption(Format("'{}': '${{' without its '}}'", text.substr(0, 80)));
      }
      NEMO_ASSIGN_OR_RETURN(
          Value value, Interpolate(std::string_view(text).substr(i + 2, end - i - 2), at, depth));
      if (i == 0 && end + 1 == text.size()) return value;
      out += TextOf(value);
      i = end + 1;
    } else {
      out += text[i++];
    }
    if (out.size() > kMaxText) return Corruption("interpolations that make very long text");
  }
  return Value(std::move(out));
}

Result<Value> Resolver::Interpolate(std::string_view inside, const KeyPath& at, int depth) {
  if (++steps_ > kMaxSteps) return Corruption(Format("more than {} interpolations", kMaxSteps));
  inside = Trimmed(inside);
  const size_t colon = inside.find(':');
  if (colon != std::string_view::npos &&
      inside.substr(0, colon).find("${") == std::string_view::npos) {
    return CallResolver(Trimmed(inside.substr(0, colon)), inside.substr(colon + 1), at, depth);
  }
  NEMO_ASSIGN_OR_RETURN(const Value name, ResolveText(std::string(inside), at, depth + 1));
  return FollowName(TextOf(name), at, depth);
}

Result<Value> Resolver::FollowName(std::string_view name, const KeyPath& at, int depth) {
  size_t dots = 0;
  while (dots < name.size() && name[dots] == '.') ++dots;
  if (dots > at.size()) return Corruption(Format("'${{{}}}' leads above the top", name));
  // One dot is the mapping that holds the text, each further dot one level up.
  KeyPath path(at.begin(), at.end() - static_cast<std::ptrdiff_t>(dots));
  if (dots == 0) path.clear();
  for (std::string& key : SplitPath(name.substr(dots))) path.push_back(std::move(key));

  NEMO_ASSIGN_OR_RETURN(std::optional<Value> value, Lookup(path, depth + 1));
  if (!value && dots == 0) {
    KeyPath below = base_;
    below.insert(below.end(), path.begin(), path.end());
    NEMO_ASSIGN_OR_RETURN(value, Lookup(below, depth + 1));
  }
  if (!value && dots == 0 && path.size() > 1 && path.front() == "model") {
    // A .nemo holds the `model` part of the training's config; names in it may still begin at the
    // whole.
    NEMO_ASSIGN_OR_RETURN(value, Lookup(KeyPath(path.begin() + 1, path.end()), depth + 1));
  }
  if (!value) return Corruption(Format("'${{{}}}' names a key that is not there", name));
  return std::move(*value);
}

Result<Value> Resolver::CallResolver(std::string_view name, std::string_view arguments,
                                     const KeyPath& at, int depth) {
  std::vector<Value> values;
  for (const std::string_view part : SplitArguments(arguments)) {
    const bool quoted = part.size() >= 2 && (part.front() == '\'' || part.front() == '"') &&
                        part.back() == part.front();
    const std::string text(quoted ? part.substr(1, part.size() - 2) : part);
    NEMO_ASSIGN_OR_RETURN(Value value, ResolveText(text, at, depth + 1));
    const bool plain = !quoted && text.find("${") == std::string::npos;
    if (plain) {
      if (Result<Value> scalar = ParseYaml(text)) value = std::move(scalar).value();
    }
    values.push_back(std::move(value));
  }
  if (name == "oc.select") {
    if (values.empty() || values.size() > 2 || !values[0].is_string()) {
      return Corruption("oc.select takes a key and a default");
    }
    NEMO_ASSIGN_OR_RETURN(std::optional<Value> value,
                          Lookup(SplitPath(values[0].as_string()), depth + 1));
    return value ? std::move(*value) : values.size() == 2 ? values[1] : Value();
  }
  return CallArithmetic(name, values);
}

Status WrongType(std::string_view key, const Value& value, std::string_view wanted) {
  const std::string shown = value.is_string() ? Format("'{}'", value.as_string().substr(0, 80))
                            : value.is_array() || value.is_object() ? std::string(value.type_name())
                                                                    : ToJson(value);
  return Corruption(Format("{} is {}, expected {}", key, shown, wanted));
}

}  // namespace

Result<Value> Config::Get(std::string_view key_path) const {
  const KeyPath base = SplitPath(base_);
  KeyPath path = base;
  for (std::string& key : SplitPath(key_path)) path.push_back(std::move(key));
  Result<std::optional<Value>> value = Resolver(root_, base).Lookup(path, 0);
  if (!value) return value.error().At(key_path);
  return value->has_value() ? std::move(**value) : Value();
}

Result<int64_t> Config::GetInt(std::string_view key_path, int64_t fallback) const {
  NEMO_ASSIGN_OR_RETURN(const Value value, Get(key_path));
  if (value.is_null()) return fallback;
  if (value.is_int()) return value.as_int();
  // A product with a fraction in it (multiply: 2.5) may still be whole.
  if (value.is_double() && std::abs(value.as_double()) < 1e15 &&
      value.as_double() == std::floor(value.as_double())) {
    return static_cast<int64_t>(value.as_double());
  }
  return WrongType(key_path, value, "an integer");
}

Result<double> Config::GetDouble(std::string_view key_path, double fallback) const {
  NEMO_ASSIGN_OR_RETURN(const Value value, Get(key_path));
  if (value.is_null()) return fallback;
  if (value.is_number()) return value.as_double();
  return WrongType(key_path, value, "a number");
}

Result<bool> Config::GetBool(std::string_view key_path, bool fallback) const {
  NEMO_ASSIGN_OR_RETURN(const Value value, Get(key_path));
  if (value.is_null()) return fallback;
  if (value.is_bool()) return value.as_bool();
  return WrongType(key_path, value, "true or false");
}

Result<std::string> Config::GetString(std::string_view key_path, std::string fallback) const {
  NEMO_ASSIGN_OR_RETURN(const Value value, Get(key_path));
  if (value.is_null()) return fallback;
  if (value.is_string()) return value.as_string();
  return WrongType(key_path, value, "text");
}

}  // namespace nemo
