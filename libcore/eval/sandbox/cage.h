// The child's side: from a fresh copy of the caller to Python behind all the walls.
//
// The caller may have threads, whose locks the copy finds as they happened to be. So whatever needs
// memory is made before, in a CagePlan, and the child makes only system calls.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "libcore/eval/sandbox/file_view.h"
#include "libcore/eval/sandbox/sandbox.h"
#include "libcore/eval/sandbox/seccomp_filter.h"

namespace nemo {

/// The identity inside a user namespace: nobody's.
inline constexpr uid_t kInnerId = 65534;

struct CagePlan {
  SandboxLayers layers;
  SandboxLimits limits;
  std::vector<std::string> trees;
  FileView view;                  ///< with layers.namespaces
  SeccompFilter seccomp;          ///< with layers.seccomp
  bool was_root = false;          ///< then the process becomes `outer_id`, which no one else has
  uid_t outer_id = 0;             ///< of the host
  std::vector<const char*> argv;  ///< ends with nullptr, as exec wants it
  std::string nonce;
  // Descriptors: the nonce and the program; /dev/null; where verdicts go; both ends of a pipe that
  // says one byte when the ids of the user namespace are set, and ends with the parent.
  int program_fd = -1, null_fd = -1, verdict_fd = -1, parent_fd = -1, parents_own_fd = -1;
};

/// What went wrong before exec, as the child reports it behind the nonce.
struct CageFailure {
  char mark;  ///< kCageFailureMark
  char step;  ///< CageStep
  int32_t error;
};
inline constexpr char kCageFailureMark = '!';
enum class CageStep : char {
  kParent,
  kOpenFiles,
  kIdentity,
  kFileView,
  kDescriptors,
  kLimits,
  kPrivileges,
  kLandlock,
  kSeccomp,
  kExec,
};
/// "entering the private root", ...
const char* CageStepName(CageStep step);

/// Never returns: Python runs, or the failure is reported and the process ends.
[[noreturn]] void EnterCage(CagePlan& plan);

}  // namespace nemo
