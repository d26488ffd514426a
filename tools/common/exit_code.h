// Exit codes of every tool.
#pragma once

#include "libcore/base/status.h"

namespace nemo {

inline constexpr int kExitDone = 0;
inline constexpr int kExitNo = 1;  ///< the check ran, and the answer is no
inline constexpr int kExitUsage = 2;
inline constexpr int kExitBadInput = 3;
inline constexpr int kExitEnvironment = 4;   ///< disk, memory, device or peer
inline constexpr int kExitSignalBase = 128;  ///< plus the signal that stopped the run: 130, 143

/// The exit code of a run that ended with `status`. A run that ended with an error after a stop was
/// asked for was stopped, whatever the error says.
int ExitCodeFor(const Status& status);

}  // namespace nemo
