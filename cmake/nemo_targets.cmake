# nemo_library, nemo_tool, nemo_test: a folder's CMakeLists.txt is a line or two of links.
# Sources are globbed, so a new file needs no build edit.

add_library(nemo_options INTERFACE)
set_target_properties(nemo_options PROPERTIES EXPORT_NAME options)
target_include_directories(nemo_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/nemotron-toolkit>)
target_compile_features(nemo_options INTERFACE cxx_std_20)
target_compile_options(nemo_options INTERFACE
  # Warnings are ours, not those of who installs us.
  $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wno-missing-field-initializers>>
  $<BUILD_INTERFACE:$<$<AND:$<BOOL:${NEMO_WERROR}>,$<COMPILE_LANGUAGE:CXX>>:-Werror>>
  # Names of files are those of the repository, wherever it lies: two builds give the same bytes.
  $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=>>
  # The canonical arithmetic says where a product and a sum are fused; the compiler must not choose.
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
if(NEMO_SANITIZE)
  # GCC 12 sees uninitialized uses in its own instrumentation.
  target_compile_options(nemo_options INTERFACE -fsanitize=${NEMO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(nemo_options INTERFACE -fsanitize=${NEMO_SANITIZE})
endif()
if(NEMO_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "NEMO_FUZZ=ON needs clang, which brings libFuzzer: use the preset fuzz")
  endif()
  # Coverage that steers the fuzzer, in everything; main() comes with each target (tests/fuzz).
  target_compile_options(nemo_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# nemo_library(NAME [LINK public...] [PRIVATE packages...]): target nemo_NAME, alias nemo::NAME.
function(nemo_library name)
  cmake_parse_arguments(ARG "" "" "LINK;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_library(nemo_${name} STATIC ${sources})
  add_library(nemo::${name} ALIAS nemo_${name})
  target_link_libraries(nemo_${name} PUBLIC nemo_options ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
  nemo_use_precompiled(nemo_${name} library)
  set_target_properties(nemo_${name} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY NEMO_LIBRARIES nemo_${name})
endfunction()

add_custom_target(tools)

# nemo_tool(NAME [LINK ...]): executable NAME from the folder's sources, part of target `tools`.
function(nemo_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE nemo_options ${ARG_LINK})
  nemo_use_precompiled(${name} tool)
  add_dependencies(tools ${name})
  nemo_install_tool(${name})
endfunction()

# nemo_test(NAME [LINK ...] [LABELS ...] [TIMEOUT s] [COST s] [SHARDS n]): one test program from the folder's *_test.cc.
# Label `fast` unless another is given. COST: about how long it takes; ctest -j starts the longest first. SHARDS: run
# as NAME_1 to NAME_n, which have every n-th case each and can run at the same time.
function(nemo_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;COST;SHARDS" "LINK;LABELS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  add_executable(${name} ${sources})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE nemo_options nemo_test_options nemo::testing ${ARG_LINK} GTest::gtest_main)
  nemo_use_precompiled(${name} test)
  if(NOT ARG_LABELS)
    set(ARG_LABELS fast)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  if(NOT ARG_COST)
    set(ARG_COST 1)
  endif()
  if(NEMO_SANITIZE)  # instrumented code takes its time
    math(EXPR ARG_TIMEOUT "6 * ${ARG_TIMEOUT}")
  endif()
  if(NOT ARG_SHARDS)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} COST ${ARG_COST})
    return()
  endif()
  foreach(shard RANGE 1 ${ARG_SHARDS})
    math(EXPR index "${shard} - 1")
    add_test(NAME ${name}_${shard} COMMAND ${name})
    set_tests_properties(${name}_${shard} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} COST ${ARG_COST}
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()
