// The fields of an OpenAI request: read one by one, so that what nobody has asked for at the end is
// a field that we do not know. A field that is null counts as absent.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/value.h"
#include "libcore/serve/openai_error.h"

namespace nemo {

/// Remembers the first fault; after it the readers go on and return their defaults.
class OpenAiFields {
 public:
  /// Refers to `body`, which must be an object.
  explicit OpenAiFields(const Value& body) : body_(body) {}

  /// The field, nullptr when absent.
  const Value* Take(std::string_view key);
  bool Bool(std::string_view key, bool absent);
  /// A whole number (also 16.0) from min to max.
  std::optional<int64_t> Int(std::string_view key, int64_t min, int64_t max);
  double Number(std::string_view key, double min, double max, double absent);
  /// One text or a list of them; none may be empty, and they may not be many.
  std::vector<std::string> Texts(std::string_view key);
  /// Fields that say nothing about the answer.
  void Ignore(std::span<const std::string_view> keys);
  /// Fields that we cannot honour: a fault unless they ask for nothing (null, 0, "", [], {},
  /// false).
  void Refuse(std::span<const std::string_view> keys);

  void Fault(std::string_view key, std::string message, std::string code = "");
  /// A fault for each field that was never taken, then the first of all.
  const std::optional<OpenAiFault>& Finish();
  const std::optional<OpenAiFault>& fault() const { return fault_; }

 private:
  const Value& body_;
  std::set<std::string, std::less<>> known_;
  std::optional<OpenAiFault> fault_;
};

}  // namespace nemo
