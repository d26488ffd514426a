#include "tools/common/exit_code.h"

#include "libcore/base/progress.h"

namespace nemo {

int ExitCodeFor(const Status& status) {
  if (status.ok()) return kExitDone;
  if (StopRequested()) return kExitSignalBase + StopSignal();
  switch (status.code()) {
    case StatusCode::kOk:
      break;
    case StatusCode::kInvalidArgument:
      return kExitUsage;
    case StatusCode::kNotFound:
    case StatusCode::kCorruption:
    case StatusCode::kUnsupported:
      return kExitBadInput;
    case StatusCode::kIo:
    case StatusCode::kUnavailable:
      return kExitEnvironment;
  }
  return kExitDone;
}

}  // namespace nemo
