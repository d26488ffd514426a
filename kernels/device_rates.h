// What an accelerator can do at best, as a backend's own probe has measured it.
#pragma once

#include <string>

namespace nemo {

struct DeviceRates {
  double read_bytes_per_second = 0;
  double copy_bytes_per_second = 0;  ///< read and written bytes together
  double flops_per_second = 0;
  std::string compute;  ///< what flops_per_second was measured with
};

}  // namespace nemo
