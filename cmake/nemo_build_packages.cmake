# What only the build asks for, beside the packages of the libraries (nemo_packages.cmake).
# Where the library was built with it, it chooses among SSE2, AVX2 and AVX-512 at run time.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::xxhash)
check_cxx_source_compiles("
#include <xxhash.h>
#include <xxh_x86dispatch.h>
int main() { return static_cast<int>(XXH3_128bits_update(nullptr, nullptr, 0)); }" NEMO_XXHASH_DISPATCH)
unset(CMAKE_REQUIRED_LIBRARIES)
find_package(CLI11 REQUIRED)
# A comparator of nemo-bench, not needed for anything. Its CMake file would have OpenCL as well.
find_package(OpenMP COMPONENTS CXX)
find_path(NEMO_ONEDNN_INCLUDE dnnl.hpp)
find_library(NEMO_ONEDNN_LIBRARY dnnl)
mark_as_advanced(NEMO_ONEDNN_INCLUDE NEMO_ONEDNN_LIBRARY)
