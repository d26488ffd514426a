// How many bytes operator new has handed out and not yet got back, in the whole program: linking
// this replaces the global operators. What C libraries get from malloc is not counted.
#pragma once

#include <cstdint>

namespace nemo::fuzz {

/// Now.
int64_t LiveBytes();
/// The most there were since the last ResetPeak().
int64_t PeakBytes();
void ResetPeak();
/// What was handed out since the program began.
int64_t AllocatedBytes();

}  // namespace nemo::fuzz
