// Config: a YAML tree whose OmegaConf interpolations are resolved when a value is looked up, so
// that those in fields nobody asks for (paths, environment variables) do no harm. Facts:
// OmegaConf's documentation, "Variable interpolation" and "Resolvers"; the resolvers that NeMo and
// its launcher register (multiply, divide_ceil, divide_floor).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo {

class Config {
 public:
  /// Lookups begin at key path `base` of `root` (dots between keys, empty: the root itself);
  /// absolute interpolations begin at the root, or at `base` when the root has no such key.
  Config(Value root, std::string base) : root_(std::move(root)), base_(std::move(base)) {}

  /// The value at a key path below the base, its interpolations resolved; null when there is none.
  /// An interpolation alone keeps the type of what it names; amid text it becomes text.
  /// kCorruption names the key: not OmegaConf's syntax, a name that leads nowhere, a cycle, too
  /// much work. kUnsupported: a resolver that is not known here (oc.env among them: a checkpoint
  /// must not depend on the environment of who reads it).
  Result<Value> Get(std::string_view key_path) const;

  // Typed lookups. `fallback` stands for an absent or null value. kCorruption: another type.
  Result<int64_t> GetInt(std::string_view key_path, int64_t fallback) const;
  Result<double> GetDouble(std::string_view key_path, double fallback) const;
  Result<bool> GetBool(std::string_view key_path, bool fallback) const;
  Result<std::string> GetString(std::string_view key_path, std::string fallback) const;

 private:
  Value root_;
  std::string base_;
};

}  // namespace nemo
