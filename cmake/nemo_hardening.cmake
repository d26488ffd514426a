# What makes a bug of memory hard to use, in every executable: bounds that the C library checks (_FORTIFY_SOURCE), canaries,
# stacks that cannot jump over their guard page, jumps only to marked places, addresses that differ from run to run (PIE),
# and tables of the linker that are read-only once the program runs. tests/house/hardening_test.sh looks for each of them.
option(NEMO_HARDENING "Harden what is built (SECURITY.md)" ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)  # position-independent code alone does not make the linker say -pie

set(NEMO_HARDENED OFF)
# Sanitizers check more than these do, and their runtime has forms of its own of what _FORTIFY_SOURCE replaces.
if(NEMO_HARDENING AND NOT NEMO_SANITIZE)
  set(NEMO_HARDENED ON)
  include(CheckCXXCompilerFlag)
  foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
    string(MAKE_C_IDENTIFIER "NEMO_HAS${flag}" known)
    check_cxx_compiler_flag(${flag} ${known})
    if(${known})
      target_compile_options(nemo_options INTERFACE $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:${flag}>>)
    endif()
  endforeach()
  # Level 3 knows sizes that are known only at run time; it needs GCC 12 and an optimized build.
  set(level 2)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
    set(level 3)
  endif()
  target_compile_options(nemo_options INTERFACE
    $<BUILD_INTERFACE:$<$<AND:$<COMPILE_LANGUAGE:CXX>,$<NOT:$<CONFIG:Debug>>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${level}>>)
  target_link_options(nemo_options INTERFACE
    $<BUILD_INTERFACE:-Wl,-z,relro> $<BUILD_INTERFACE:-Wl,-z,now> $<BUILD_INTERFACE:-Wl,-z,noexecstack>)
endif()
