// A library of products for the emulator, in place of cuBLASLt.
#pragma once

#include <vector>

namespace nemo::simt {

/// What OpenCublasLt finds from now on: nothing, or a library whose candidate i takes
/// `milliseconds` [i] for a run; less than 0: it does not run.
void SetGemmLibrary(std::vector<double> milliseconds);
/// The candidates that were run, in order; forgotten by SetGemmLibrary.
std::vector<int> GemmRuns();

}  // namespace nemo::simt
