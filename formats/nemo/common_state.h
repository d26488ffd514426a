// common.pt: the part of a distributed checkpoint that is not sharded, a pickle in a torch zip
// file. No weights are in it and nothing here needs it; it is looked at only for code that Python
// would run on loading it.
#pragma once

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

/// kCorruption when `<folder>common.pt` refers to functions that run commands or code (os.system,
/// subprocess, eval ...): whoever made such a file did not save a checkpoint. That we never execute
/// a pickle does not rest on this list. A file that is absent or cannot be understood is fine.
Status CheckCommonState(const FileTree& tree, std::string_view folder);

}  // namespace nemo
