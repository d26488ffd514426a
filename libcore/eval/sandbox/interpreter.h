// The Python that runs generated code, and the part of the disk that it needs.
#pragma once

#include <string>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

struct Interpreter {
  std::string executable;  ///< absolute, without symbolic links
  std::string version;     ///< "3.11.2"
  /// Folders and files that Python reads: its library, its packages, the shared libraries. Absolute
  /// and without symbolic links; none lies in another.
  std::vector<std::string> trees;
};

/// Asks `command` (a path, or a name of PATH) what it is by running it, outside any cage: it is the
/// caller's own program. kNotFound: it does not run, or is older than Python 3.8.
Result<Interpreter> DescribeInterpreter(const std::string& command);

}  // namespace nemo
