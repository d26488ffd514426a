// ApiKeys: who may use the server.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

/// Read-only once made.
class ApiKeys {
 public:
  /// Everybody may.
  ApiKeys() = default;
  /// A key a line; blank lines and those that begin with # do not count. kInvalidArgument: there is
  /// none, or one that no header can carry. kIo, kNotFound.
  static Result<ApiKeys> Read(const std::string& path);

  /// `authorization` is the header: "Bearer KEY", or "Basic" with any user and the key for a
  /// password, which is how browsers ask for one. Its time does not tell how much of a key was
  /// right.
  bool Allows(std::string_view authorization) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace nemo
