#include "formats/nemo/omegaconf.h"

#include <charconv>
#include <cmath>
#include <deque>

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
constexpr size_t kMaxMade = size_t{512} << 10;  // all texts and numbers of one lookup

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

/// One lookup with its budget. Values are handed on by address: an interpolation may name a big
/// mapping, and many interpolations the same one.
class Resolver {
 public:
  Resolver(const Value& root, const KeyPath& base) : root_(root), base_(base) {}

  /// The resolved value at `path`; nullptr when a key is absent. Interpolations met on the way are
  /// followed. Lives as long as the root and the resolver.
  Result<const Value*> Lookup(const KeyPath& path, int depth);

 private:
  /// Resolves `text`, which stands at `at`.
  Result<const Value*> ResolveText(const Value& text, const KeyPath& at, int depth);
  /// The value of "${inside}" in a text that stands at `at`.
  Result<const Value*> Interpolate(std::string_view inside, const KeyPath& at, int depth);
  Result<const Value*> FollowName(std::string_view name, const KeyPath& at, int depth);
  Result<const Value*> CallResolver(std::string_view name, std::string_view arguments,
                                    const KeyPath& at, int depth);
  Result<const Value*> ResolveArgument(std::string_view part, const KeyPath& at, int depth);
  /// Keeps what is not in the root.
  Result<const Value*> Keep(Value value);

  const Value& root_;
  const KeyPath& base_;
  std::deque<Value> made_;  // never moves what it holds
  size_t made_bytes_ = 0;
  int steps_ = 0;
};

Result<const Value*> Resolver::Keep(Value value) {
  made_bytes_ += sizeof(Value) + (value.is_string() ? value.as_string().size() : 0);
  if (made_bytes_ > kMaxMade) return Corruption("interpolations that make very long text");
  return &made_.emplace_back(std::move(value));
}

Result<const Value*> Resolver::Lookup(const KeyPath& path, int depth) {
  const Value* value = &root_;
  KeyPath at;
  for (size_t i = 0;; ++i) {
    if (value->is_string()) {
      NEMO_ASSIGN_OR_RETURN(value, ResolveText(*value, at, depth));
    }
    if (i == path.size()) return value;
    at.push_back(path[i]);
    value = Descend(*value, path[i]);
    if (value == nullptr) return value;
  }
}

Result<const Value*> Resolver::ResolveText(const Value& whole, const KeyPath& at, int depth) {
  const std::string& text = whole.as_string();
  if (text.find("${") == std::string::npos) return &whole;
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
          const Value* value,
          Interpolate(std::string_view(text).substr(i + 2, end - i - 2), at, depth));
      if (i == 0 && end + 1 == text.size()) return value;
      out += TextOf(*value);
      i = end + 1;
    } else {
      out += text[i++];
    }
    if (out.size() > kMaxText) return Corruption("interpolations that make very long text");
  }
  return Keep(Value(std::move(out)));
}

Result<const Value*> Resolver::Interpolate(std::string_view inside, const KeyPath& at, int depth) {
  if (++steps_ > kMaxSteps) return Corruption(Format("more than {} interpolations", kMaxSteps));
  inside = Trimmed(inside);
  const size_t colon = inside.find(':');
  if (colon != std::string_view::npos &&
      inside.substr(0, colon).find("${") == std::string_view::npos) {
    return CallResolver(Trimmed(inside.substr(0, colon)), inside.substr(colon + 1), at, depth);
  }
  const Value written(inside);
  NEMO_ASSIGN_OR_RETURN(const Value* name, ResolveText(written, at, depth + 1));
  if (name->is_array() || name->is_object()) {
    return Corruption(
        Format("'${{{}}}': a {} is no name", inside.substr(0, 80), name->type_name()));
  }
  return FollowName(TextOf(*name), at, depth);
}

Result<const Value*> Resolver::FollowName(std::string_view name, const KeyPath& at, int depth) {
  size_t dots = 0;
  while (dots < name.size() && name[dots] == '.') ++dots;
  if (dots > at.size()) {
    return Corruption(Format("'${{{}}}' leads above the top", name.substr(0, 80)));
  }
  // One dot is the mapping that holds the text, each further dot one level up.
  KeyPath path(at.begin(), at.end() - static_cast<std::ptrdiff_t>(dots));
  if (dots == 0) path.clear();
  for (std::string& key : SplitPath(name.substr(dots))) path.push_back(std::move(key));

  NEMO_ASSIGN_OR_RETURN(const Value* value, Lookup(path, depth + 1));
  if (value == nullptr && dots == 0) {
    KeyPath below = base_;
    below.insert(below.end(), path.begin(), path.end());
    NEMO_ASSIGN_OR_RETURN(value, Lookup(below, depth + 1));
  }
  if (value == nullptr && dots == 0 && path.size() > 1 && path.front() == "model") {
    // A .nemo holds the `model` part of the training's config; names in it may still begin at the
    // whole.
    NEMO_ASSIGN_OR_RETURN(value, Lookup(KeyPath(path.begin() + 1, path.end()), depth + 1));
  }
  if (value != nullptr) return value;
  return Corruption(Format("'${{{}}}' names a key that is not there", name.substr(0, 200)));
}

Result<const Value*> Resolver::ResolveArgument(std::string_view part, const KeyPath& at,
                                               int depth) {
  const bool quoted = part.size() >= 2 && (part.front() == '\'' || part.front() == '"') &&
                      part.back() == part.front();
  const std::string text(quoted ? part.substr(1, part.size() - 2) : part);
  if (!quoted && text.find("${") == std::string::npos) {
    Result<Value> scalar = ParseYaml(text);
    const bool plain = scalar && !scalar->is_array() && !scalar->is_object();
    return Keep(plain ? std::move(scalar).value() : Value(text));
  }
  NEMO_ASSIGN_OR_RETURN(const Value* kept, Keep(Value(text)));
  return ResolveText(*kept, at, depth + 1);
}

Result<const Value*> Resolver::CallResolver(std::string_view name, std::string_view arguments,
                                            const KeyPath& at, int depth) {
  std::vector<const Value*> values;
  for (const std::string_view part : SplitArguments(arguments)) {
    NEMO_ASSIGN_OR_RETURN(const Value* value, ResolveArgument(part, at, depth));
    values.push_back(value);
  }
  if (name == "oc.select") {
    if (values.empty() || values.size() > 2 || !values[0]->is_string()) {
      return Corruption("oc.select takes a key and a default");
    }
    NEMO_ASSIGN_OR_RETURN(const Value* value, Lookup(SplitPath(values[0]->as_string()), depth + 1));
    if (value != nullptr) return value;
    return values.size() == 2 ? Result<const Value*>(values[1]) : Keep(Value());
  }
  NEMO_ASSIGN_OR_RETURN(Value result, CallArithmetic(name, values));
  return Keep(std::move(result));
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
  Resolver resolver(root_, base);
  const Result<const Value*> value = resolver.Lookup(path, 0);
  if (!value) return value.error().At(key_path);
  return *value == nullptr ? Value() : **value;
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
