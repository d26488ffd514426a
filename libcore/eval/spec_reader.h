// SpecReader: takes the keys of one mapping of a task's YAML, and tells the first thing that is
// wrong with it, unknown keys included.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo::eval {

/// Refers to the value. Every getter notes the key as known; what it cannot give it notes as an
/// error and gives the default.
class SpecReader {
 public:
  explicit SpecReader(const Value& spec);
  /// Any scalar, as text.
  std::string Text(std::string_view key, std::string_view otherwise = "");
  int64_t Integer(std::string_view key, int64_t otherwise, int64_t least = 0);
  bool Flag(std::string_view key);
  /// One text or a list of them.
  std::vector<std::string> Texts(std::string_view key);
  /// nullptr where the key is absent.
  const Value* Any(std::string_view key);
  const Value* List(std::string_view key);
  const Value* Mapping(std::string_view key);

  /// The first error; kInvalidArgument.
  Status Done() const;
  void Note(Status error);

 private:
  const Value& spec_;
  std::vector<std::string> known_;
  Status error_;
};

}  // namespace nemo::eval
