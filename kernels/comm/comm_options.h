// What all communicators are told when they are made.
#pragma once

#include <cstdint>

namespace nemo {

struct CommOptions {
  /// How long one operation may wait for its peers before the world is aborted.
  int64_t deadline_ms = 600'000;
  /// How long it may wait after a signal asked this process to stop. A launcher that lost one rank
  /// tells the others to stop, and the one they wait for may be the one that is gone; ranks that
  /// stop in good order answer within two seconds. More where work goes on after the signal.
  int64_t stop_patience_ms = 2'000;
};

/// For ranks that wait for the slowest as long as it takes: its share may need hours. One that dies
/// is found out all the same.
inline constexpr CommOptions kPatient = {.deadline_ms = int64_t{30} * 24 * 3600 * 1000};

}  // namespace nemo
