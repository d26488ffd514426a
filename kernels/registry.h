// The table of backends. A new one is a row in registry.cc.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "kernels/options.h"
#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"

namespace nemo {

struct BackendRow {
  std::string_view name;
  std::string_view description;
  /// Options that a backend does not have a use for are ignored.
  Result<std::unique_ptr<Backend>> (*create)(const BackendOptions& options);
  /// False: this build has the backend, and this machine cannot run it.
  bool (*available)();
};

/// All backends of this build, the default first.
std::span<const BackendRow> Backends();

/// The backend of that name. kInvalidArgument: no such backend (the message lists the table), or
/// the options ask for what it does not have.
Result<std::unique_ptr<Backend>> CreateBackend(std::string_view name,
                                               const BackendOptions& options);

}  // namespace nemo
