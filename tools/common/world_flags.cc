#include "tools/common/world_flags.h"

#include "libcore/base/format.h"

namespace nemo {

Flag PeerTimeoutFlag(CommOptions* options) {
  constexpr int64_t kMaxSeconds = int64_t{30} * 24 * 3600;
  return {
      .name = "peer-timeout",
      .value = "SECONDS",
      .help = Format("how long a rank waits for another before all of them give up (default {})",
                     options->deadline_ms / 1000),
      .set = [options](const std::string& text) -> Status {
        NEMO_ASSIGN_OR_RETURN(const int64_t seconds, ParseInt(text, 1, kMaxSeconds));
        options->deadline_ms = seconds * 1000;
        return OkStatus();
      }};
}

}  // namespace nemo
