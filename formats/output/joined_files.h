// The files of one directory as one file: what a container is written through that is a folder of
// many files. Each is open only while it is read or written, so that there may be thousands.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

struct JoinedPart {
  std::string name;  ///< of a file in the directory
  int64_t size_bytes = 0;
};

/// The parts one behind the other; creates the directory, and a file when it is first written,
/// reserved or cut to its size. Sizes are given: Truncate and Preallocate take their sum only.
/// SyncAndClose makes files and names last. kIo.
Result<std::unique_ptr<WritableFile>> OpenJoinedForWrite(const std::string& directory,
                                                         std::vector<JoinedPart> parts);

/// The same for reading. kCorruption when a file turns out to be shorter than its part.
std::shared_ptr<RandomAccessFile> OpenJoined(const std::string& directory,
                                             std::vector<JoinedPart> parts);

}  // namespace nemo
