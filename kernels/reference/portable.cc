#include "kernels/reference/op_tables.h"

namespace nemo::reference {

constinit const Operations kPortable = kOperations;

const Operations& FastestOperations() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kFused;
#endif
  return kPortable;
}

}  // namespace nemo::reference
