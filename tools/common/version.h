// What a build is: for --version, for man pages.
#pragma once

#include <string>
#include <string_view>

namespace nemo {

extern const std::string_view kVersion;  ///< "0.1.0"

/// "nemo-convert 0.1.0 (commit 0123456)", then the backends of the build and the instruction sets
/// that this machine has, a line each.
std::string VersionText(const std::string& name);

}  // namespace nemo
