#include "libcore/serve/openai_fields.h"

#include <cmath>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo {
namespace {

constexpr size_t kMaxTexts = 32, kMaxTextBytes = 2048;  // each choice has its copy

/// A value as messages quote it.
std::string Quoted(const Value& value) {
  constexpr size_t kMaxBytes = 60;
  const bool is_short = !value.is_array() && !value.is_object() &&
                        (!value.is_string() || value.as_string().size() <= kMaxBytes);
  return is_short ? ToJson(value) : std::string(value.type_name());
}

bool AsksForNothing(const Value& value) {
  if (value.is_bool()) return !value.as_bool();
  if (value.is_number()) return value.as_double() == 0;
  if (value.is_string()) return value.as_string().empty();
  if (value.is_array()) return value.as_array().empty();
  return !value.is_object() || value.as_object().empty();
}

bool IsWhole(const Value& value) {
  constexpr double kExact = 9e15;  // doubles beyond are whole whatever was meant
  return value.is_int() || (value.is_double() && std::abs(value.as_double()) < kExact &&
                            value.as_double() == std::floor(value.as_double()));
}

}  // namespace

const Value* OpenAiFields::Take(std::string_view key) {
  known_.emplace(key);
  const Value* value = body_.Find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void OpenAiFields::Fault(std::string_view key, std::string message, std::string code) {
  if (!fault_) fault_ = OpenAiFault{std::move(message), std::string(key), std::move(code)};
}

bool OpenAiFields::Bool(std::string_view key, bool absent) {
  const Value* value = Take(key);
  if (value == nullptr) return absent;
  if (value->is_bool()) return value->as_bool();
  Fault(key, Format("{} must be true or false, not {}", key, Quoted(*value)));
  return absent;
}

std::optional<int64_t> OpenAiFields::Int(std::string_view key, int64_t min, int64_t max) {
  const Value* value = Take(key);
  if (value == nullptr) return std::nullopt;
  if (IsWhole(*value)) {
    const int64_t number =
        value->is_int() ? value->as_int() : static_cast<int64_t>(value->as_double());
    if (number >= min && number <= max) return number;
  }
  Fault(key,
        Format("{} must be a whole number from {} to {}, not {}", key, min, max, Quoted(*value)));
  return std::nullopt;
}

double OpenAiFields::Number(std::string_view key, double min, double max, double absent) {
  const Value* value = Take(key);
  if (value == nullptr) return absent;
  if (value->is_number() && value->as_double() >= min && value->as_double() <= max) {
    return value->as_double();
  }
  Fault(key, Format("{} must be a number from {} to {}, not {}", key, min, max, Quoted(*value)));
  return absent;
}

std::vector<std::string> OpenAiFields::Texts(std::string_view key) {
  const Value* value = Take(key);
  std::vector<std::string> texts;
  if (value == nullptr) return texts;
  const Value list = value->is_array() ? *value : Value(Value::Array{*value});
  size_t num_bytes = 0;
  bool good = list.as_array().size() <= kMaxTexts;
  for (const Value& text : good ? list.as_array() : Value::Array{}) {
    good = good && text.is_string() && !text.as_string().empty();
    if (!good) break;
    texts.push_back(text.as_string());
    num_bytes += text.as_string().size();
  }
  if (good && num_bytes <= kMaxTextBytes) return texts;
  Fault(key, Format("{} must be a text or a list of at most {}, none empty, {} bytes together", key,
                    kMaxTexts, kMaxTextBytes));
  return {};
}

void OpenAiFields::Ignore(std::span<const std::string_view> keys) {
  known_.insert(keys.begin(), keys.end());
}

void OpenAiFields::Refuse(std::span<const std::string_view> keys) {
  for (const std::string_view key : keys) {
    const Value* value = Take(key);
    if (value != nullptr && !AsksForNothing(*value)) {
      Fault(key, Format("{} is not supported by this server; leave it out", key),
            "unsupported_parameter");
    }
  }
}

const std::optional<OpenAiFault>& OpenAiFields::Finish() {
  for (const auto& [key, value] : body_.as_object()) {
    if (known_.count(key) == 0) {
      Fault(key, Format("Unrecognized request argument supplied: {}", key), "unknown_parameter");
    }
  }
  return fault_;
}

}  // namespace nemo
