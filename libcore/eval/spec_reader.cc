#include "libcore/eval/spec_reader.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/eval/template.h"

namespace nemo::eval {

SpecReader::SpecReader(const Value& spec) : spec_(spec) {
  if (!spec.is_object()) {
    Note(InvalidArgument(Format("a {} where a mapping was expected", spec.type_name())));
  }
}

void SpecReader::Note(Status error) {
  if (error_.ok()) error_ = std::move(error);
}

const Value* SpecReader::Any(std::string_view key) {
  known_.emplace_back(key);
  const Value* value = spec_.Find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const Value* SpecReader::List(std::string_view key) {
  const Value* value = Any(key);
  if (value == nullptr || value->is_array()) return value;
  Note(InvalidArgument(Format("{}: a {} where a list was expected", key, value->type_name())));
  return nullptr;
}

const Value* SpecReader::Mapping(std::string_view key) {
  const Value* value = Any(key);
  if (value == nullptr || value->is_object()) return value;
  Note(InvalidArgument(Format("{}: a {} where a mapping was expected", key, value->type_name())));
  return nullptr;
}

std::string SpecReader::Text(std::string_view key, std::string_view otherwise) {
  const Value* value = Any(key);
  if (value == nullptr) return std::string(otherwise);
  if (!value->is_array() && !value->is_object()) return TextOf(*value);
  Note(InvalidArgument(Format("{}: a {} where a text was expected", key, value->type_name())));
  return std::string(otherwise);
}

int64_t SpecReader::Integer(std::string_view key, int64_t otherwise, int64_t least) {
  const Value* value = Any(key);
  if (value == nullptr) return otherwise;
  if (value->is_int() && value->as_int() >= least) return value->as_int();
  Note(InvalidArgument(Format("{}: a whole number from {} was expected", key, least)));
  return otherwise;
}

bool SpecReader::Flag(std::string_view key) {
  const Value* value = Any(key);
  if (value == nullptr) return false;
  if (value->is_bool()) return value->as_bool();
  Note(InvalidArgument(Format("{}: true or false was expected", key)));
  return false;
}

std::vector<std::string> SpecReader::Texts(std::string_view key) {
  std::vector<std::string> texts;
  const Value* value = Any(key);
  if (value == nullptr) return texts;
  if (!value->is_array()) return {Text(key)};
  for (const Value& element : value->as_array()) {
    if (element.is_array() || element.is_object()) {
      Note(InvalidArgument(Format("{}: a list of texts was expected", key)));
      return {};
    }
    texts.push_back(TextOf(element));
  }
  return texts;
}

Status SpecReader::Done() const {
  if (!error_.ok()) return error_;
  for (const auto& [key, value] : spec_.as_object()) {
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      return InvalidArgument(
          Format("there is no key '{}' here; there are {}", key, FormatList(known_)));
    }
  }
  return OkStatus();
}

}  // namespace nemo::eval
