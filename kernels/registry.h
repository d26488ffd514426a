// The table of backends. A new one is a row in registry.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kernels/device_rates.h"
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
  /// Has the profile fp32: Backend::fp32_ops() is not null.
  bool fp32;
  /// What its device can do at best; null: the host's own probes do.
  Result<DeviceRates> (*probe)(Backend& backend) = nullptr;
  /// The same product by the vendor's library, for comparison (kUnsupported: it has none), and the
  /// library's name, empty where it is not installed.
  Status (*library_linear)(Backend& backend, const LinearArgs& args) = nullptr;
  std::string (*library_name)(Backend& backend) = nullptr;
};

/// All backends of this build, the default first.
std::span<const BackendRow> Backends();

/// The row of a backend that CreateBackend made.
const BackendRow& RowOf(const Backend& backend);

/// The backend of that name. kInvalidArgument: no such backend (the message lists the table), or
/// the options ask for what it does not have.
Result<std::unique_ptr<Backend>> CreateBackend(std::string_view name,
                                               const BackendOptions& options);

}  // namespace nemo
