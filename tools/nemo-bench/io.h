// nemo-bench io: what the disk gives to the converter's way of reading and writing, against the
// plain calls of the system in the same run, and what of it arrives in a device's memory.
#pragma once

#include <cstdint>
#include <string>

#include "tools/common/tool.h"
#include "tools/nemo-bench/report/output.h"

namespace nemo {

struct IoOptions {
  std::string folder;
  int64_t size_bytes = int64_t{1} << 30;
  int64_t block_bytes = int64_t{2} << 20;
  int64_t jobs = 8;
  int64_t runs = 5;
  std::string backend;  ///< whose memory the bytes are loaded into; empty: nobody's
  int64_t device = 0;
  OutputOptions output;
};

Tool IoTool(IoOptions* options);

}  // namespace nemo
