// NEMO_CHECK: for what can fail only because this program is wrong. Never on input.
#pragma once

namespace nemo {
/// Prints `file:line: check failed: condition` to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace nemo

#define NEMO_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::nemo::CheckFailed(__FILE__, __LINE__, #condition))
