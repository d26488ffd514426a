# Every package of the house, found once; each is linked PRIVATE at its door (docs/architecture.md).
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json 3.10 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(libdeflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
# Where the library was built with it, it chooses among SSE2, AVX2 and AVX-512 at run time.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES PkgConfig::xxhash)
check_cxx_source_compiles("
#include <xxhash.h>
#include <xxh_x86dispatch.h>
int main() { return static_cast<int>(XXH3_128bits_update(nullptr, nullptr, 0)); }" NEMO_XXHASH_DISPATCH)
unset(CMAKE_REQUIRED_LIBRARIES)
pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
# Its macros change the layout of its classes: a program that links without them crashes.
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(hdf5 REQUIRED IMPORTED_TARGET hdf5-serial)
find_package(MPI COMPONENTS C)
find_package(CLI11 REQUIRED)
# A comparator of nemo-bench, not needed for anything. Its CMake file would have OpenCL as well.
find_package(OpenMP COMPONENTS CXX)
find_path(NEMO_ONEDNN_INCLUDE dnnl.hpp)
find_library(NEMO_ONEDNN_LIBRARY dnnl)
mark_as_advanced(NEMO_ONEDNN_INCLUDE NEMO_ONEDNN_LIBRARY)

# With nvcc the CUDA wing is part of the default build; without it everything else builds.
set(NEMO_HAVE_CUDA OFF)
if(NOT NEMO_CUDA STREQUAL "OFF")
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
      set(CMAKE_CUDA_ARCHITECTURES 80 90a)
    endif()
    enable_language(CUDA)
    set(NEMO_HAVE_CUDA ON)
  elseif(NEMO_CUDA STREQUAL "ON")
    message(FATAL_ERROR "NEMO_CUDA=ON, and no nvcc was found: install the CUDA Toolkit 12.4 or newer, or set NEMO_CUDA=OFF")
  else()
    message(STATUS "No nvcc: building without the CUDA wing")
  endif()
endif()
