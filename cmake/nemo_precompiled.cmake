# Headers read once: half of the compiler's time for a file of a hundred lines went into reading what nearly every
# file includes. Once for each kind of target, since their flags differ: `library`, `tool` and `test`.
#
# Sources include what they use as if this were not here. Builds through ccache prove it: ccache does not
# look a file up that had a precompiled header unless it is configured to, so that they have none.
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES "ccache")
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # What a precompiled header makes GCC 12 inline, it takes for an overflow in std::string's operator+ (its bug 105651).
  foreach(warning array-bounds restrict stringop-overflow stringop-overread)
    target_compile_options(nemo_options INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-Wno-${warning}>>)
  endforeach()
endif()

# nemo_precompiled(KIND [LINK ...] [HEADERS <...>...]): the headers for targets of this kind.
function(nemo_precompiled kind)
  cmake_parse_arguments(ARG "" "" "LINK;HEADERS" ${ARGN})
  set(target nemo_precompiled_${kind})
  set(source ${PROJECT_BINARY_DIR}/precompiled/${kind}.cc)
  file(CONFIGURE OUTPUT ${source} CONTENT "int main() {}\n")
  if(kind STREQUAL "library")
    add_library(${target} OBJECT ${source})
  else()
    add_executable(${target} EXCLUDE_FROM_ALL ${source})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/precompiled)
  endif()
  target_link_libraries(${target} PRIVATE nemo_options fmt::fmt ${ARG_LINK})
  target_precompile_headers(${target} PRIVATE
    <algorithm> <array> <atomic> <bit> <charconv> <chrono> <cmath> <cstddef> <cstdint> <cstdlib> <cstring>
    <filesystem> <functional> <limits> <map> <memory> <mutex> <numeric> <optional> <set> <span> <string>
    <string_view> <thread> <unordered_map> <utility> <variant> <vector> <fmt/format.h> ${ARG_HEADERS})
endfunction()

# nemo_use_precompiled(TARGET KIND): gives them to a target. A source with options of its own says
# SKIP_PRECOMPILE_HEADERS where they change what headers mean.
function(nemo_use_precompiled target kind)
  target_precompile_headers(${target} REUSE_FROM nemo_precompiled_${kind})
endfunction()

nemo_precompiled(library)
nemo_precompiled(tool)
