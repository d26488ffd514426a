#include "libcore/eval/substitute.h"

#include <string>
#include <string_view>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/eval/template.h"

namespace nemo::eval {
namespace {

constexpr int64_t kValueBytes = 64;  // beside texts

Result<const Value*> RowValue(const Value& row, std::string_view key) {
  const Value* value = row.Find(key);
  if (value == nullptr) return InvalidArgument(Format("${{{}}}: the row has no such key", key));
  return value;
}

int64_t SizeOf(const Value& value) {
  int64_t size = kValueBytes;
  if (value.is_string()) return size + std::ssize(value.as_string());
  if (value.is_array()) {
    for (const Value& element : value.as_array()) size += SizeOf(element);
  }
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) size += std::ssize(key) + SizeOf(member);
  }
  return size;
}

Result<Value> SubstituteText(const std::string& text, const Value& row, SuiteRoom& room) {
  std::string out;
  std::string_view rest = text;
  for (size_t open; (open = rest.find("${")) != rest.npos;) {
    const size_t close = rest.find('}', open);
    if (close == rest.npos) break;
    NEMO_ASSIGN_OR_RETURN(const Value* value,
                          RowValue(row, rest.substr(open + 2, close - open - 2)));
    if (open == 0 && close + 1 == text.size() && rest.size() == text.size()) {
      NEMO_RETURN_IF_ERROR(room.Take(SizeOf(*value)));
      return *value;
    }
    const std::string insert = TextOf(*value);
    NEMO_RETURN_IF_ERROR(room.Take(std::ssize(insert)));
    out.append(rest.substr(0, open)).append(insert);
    rest.remove_prefix(close + 1);
  }
  return Value(out.append(rest));
}

}  // namespace

Status SuiteRoom::Take(int64_t size_bytes) {
  left_bytes_ -= size_bytes;
  if (left_bytes_ >= 0) return OkStatus();
  return InvalidArgument(
      Format("the tasks of one file become more than {}", FormatBytes(kMaxBytes)));
}

Result<Value> Substitute(const Value& tree, const Value& row, SuiteRoom& room) {
  NEMO_RETURN_IF_ERROR(room.Take(kValueBytes));
  if (tree.is_string()) {
    NEMO_RETURN_IF_ERROR(room.Take(std::ssize(tree.as_string())));
    return SubstituteText(tree.as_string(), row, room);
  }
  if (tree.is_array()) {
    Value::Array out;
    for (const Value& value : tree.as_array()) {
      NEMO_ASSIGN_OR_RETURN(Value one, Substitute(value, row, room));
      out.push_back(std::move(one));
    }
    return Value(std::move(out));
  }
  if (!tree.is_object()) return tree;
  Value::Object out;
  for (const auto& [key, value] : tree.as_object()) {
    NEMO_ASSIGN_OR_RETURN(Value one, Substitute(value, row, room));
    NEMO_RETURN_IF_ERROR(room.Take(std::ssize(key)));
    out.emplace_back(key, std::move(one));
  }
  return Value(std::move(out));
}

}  // namespace nemo::eval
