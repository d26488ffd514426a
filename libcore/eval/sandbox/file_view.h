// A root of its own for a process in new mount and user namespaces: the Python trees read-only at
// their usual places, an empty /tmp of bounded size, /dev/null, and nothing else; no /proc.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "libcore/base/status.h"

namespace nemo {

/// What the root will hold, as relative paths; made before the process, which must not allocate.
struct FileView {
  struct Bound {
    std::string path;      ///< absolute, outside
    std::string relative;  ///< the same place in the new root
    bool is_folder = false;
    bool is_device = false;
    mutable int fd = -1;  ///< the process' own handle
  };
  struct Link {
    std::string relative, target;
  };
  std::vector<std::string> folders;  ///< to make, outermost first
  std::vector<Link> links;
  std::vector<Bound> bound;
  std::string scratch_options;  ///< of the mount of /tmp
};

FileView MakeFileView(const std::vector<std::string>& trees, int64_t scratch_bytes);

/// Takes handles of what will be bound, with the rights that the process has before it becomes
/// somebody else. 0, or an errno. Only system calls.
int OpenBound(const FileView& view);
/// Makes the root and enters it, in /tmp. Needs the capabilities of a new user namespace, and its
/// inner user. 0, or an errno. Only system calls.
int EnterFileView(const FileView& view);

}  // namespace nemo
