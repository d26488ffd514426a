// What a user may choose about a backend when it is created.
#pragma once

#include <cstdint>
#include <string>

namespace nemo {

struct BackendOptions {
  int num_threads =
      0;  ///< CPU threads of this rank, the calling one included; 0: all cores it may use
  std::string isa =
      "auto";      ///< CPU instruction set: auto, avx512, avx512f, avx2, scalar; amx: not bit-equal
  int device = 0;  ///< index of the accelerator
  /// On an accelerator: the sums of the contract (libcore/runtime/backend.h), whatever it costs.
  /// Host backends have them anyway.
  bool deterministic = false;
  /// On an accelerator: how long a sum over ranks may wait for a peer.
  int64_t peer_deadline_ms = 600'000;
};

}  // namespace nemo
