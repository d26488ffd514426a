#include "tools/common/version.h"

#include <vector>

#include "kernels/cpu/backend.h"
#include "kernels/registry.h"
#include "libcore/base/format.h"

namespace nemo {

const std::string_view kVersion = NEMO_VERSION;

std::string VersionText(const std::string& name) {
  constexpr std::string_view kCommit = NEMO_COMMIT;
  std::vector<std::string> backends;
  for (const BackendRow& row : Backends()) {
    backends.push_back(Format("{}{}", row.name, row.available() ? "" : " (not on this machine)"));
  }
  return Format("{} {}{}\nbackends: {}\ninstruction sets: {}\n", name, kVersion,
                kCommit.empty() ? "" : Format(" (commit {})", kCommit), fmt::join(backends, ", "),
                fmt::join(AvailableIsas(), ", "));
}

}  // namespace nemo
