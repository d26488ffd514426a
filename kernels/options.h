// What a user may choose about a backend when it is created.
#pragma once

#include <string>

namespace nemo {

struct BackendOptions {
  int num_threads =
      0;  ///< CPU threads of this rank, the calling one included; 0: all cores it may use
  std::string isa =
      "auto";      ///< CPU instruction set: auto, avx512, avx512f, avx2, scalar; amx: not bit-equal
  int device = 0;  ///< index of the accelerator
};

}  // namespace nemo
