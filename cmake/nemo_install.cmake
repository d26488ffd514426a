# What `cmake --install` and CPack put where: the component `tools` with everything a user runs, the
# component `dev` with headers, static libraries and a CMake package (docs/packaging.md).
include(GNUInstallDirs)
set(NEMO_LIBRARY_DIR ${CMAKE_INSTALL_LIBDIR}/nemotron-toolkit)
set(NEMO_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/NemotronToolkit)
set(NEMO_DATA_DIR ${CMAKE_INSTALL_DATADIR}/nemotron-toolkit)

# nemo_install_tool(NAME): the executable, and what it prints of itself: its man page, and the
# completion of each shell where that shell looks for it.
function(nemo_install_tool name)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  if(CMAKE_CROSSCOMPILING OR NEMO_SANITIZE)
    return()
  endif()
  set(texts "")
  # words to the tool | file | folder
  foreach(row
      "manual;man|${name}.1|${CMAKE_INSTALL_MANDIR}/man1"
      "completion;bash|${name}|${CMAKE_INSTALL_DATADIR}/bash-completion/completions"
      "completion;zsh|_${name}|${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions"
      "completion;fish|${name}.fish|${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
    string(REPLACE "|" "@" row "${row}")
    string(REGEX MATCH "^(.*)@(.*)@(.*)$" row "${row}")
    set(words ${CMAKE_MATCH_1})
    set(folder ${CMAKE_MATCH_3})
    set(text ${PROJECT_BINARY_DIR}/${folder}/${CMAKE_MATCH_2})
    file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})
    add_custom_command(OUTPUT ${text} COMMAND ${name} ${words} > ${text} DEPENDS ${name} VERBATIM)
    install(FILES ${text} DESTINATION ${folder} COMPONENT tools)
    list(APPEND texts ${text})
  endforeach()
  add_custom_target(${name}-texts ALL DEPENDS ${texts})
  add_dependencies(tools ${name}-texts)
endfunction()

# Models, layouts, tasks, batch scripts: data that documents name by path.
function(nemo_install_data)
  install(DIRECTORY configs DESTINATION ${NEMO_DATA_DIR} COMPONENT tools)
  install(DIRECTORY tools/slurm DESTINATION ${NEMO_DATA_DIR} COMPONENT tools USE_SOURCE_PERMISSIONS)
  install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tools)
  install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT tools)
endfunction()

# find_package(NemotronToolkit): targets nemo::core, nemo::formats, nemo::kernels and their parts.
function(nemo_install_libraries)
  include(CMakePackageConfigHelpers)
  get_property(libraries GLOBAL PROPERTY NEMO_LIBRARIES)
  set(installed nemo_options nemo_core)
  foreach(library IN LISTS libraries)
    get_target_property(folder ${library} SOURCE_DIR)
    if(folder MATCHES "^${PROJECT_SOURCE_DIR}/(libcore|formats|kernels)")
      list(APPEND installed ${library})
    endif()
  endforeach()
  install(TARGETS ${installed} EXPORT NemotronToolkit
    ARCHIVE DESTINATION ${NEMO_LIBRARY_DIR} COMPONENT dev)
  install(EXPORT NemotronToolkit NAMESPACE nemo:: DESTINATION ${NEMO_PACKAGE_DIR} COMPONENT dev
    FILE NemotronToolkitTargets.cmake)
  install(DIRECTORY libcore formats kernels DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/nemotron-toolkit
    COMPONENT dev FILES_MATCHING PATTERN "*.h")
  configure_package_config_file(cmake/NemotronToolkitConfig.cmake.in
    ${PROJECT_BINARY_DIR}/NemotronToolkitConfig.cmake INSTALL_DESTINATION ${NEMO_PACKAGE_DIR})
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/NemotronToolkitConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/NemotronToolkitConfig.cmake
    ${PROJECT_BINARY_DIR}/NemotronToolkitConfigVersion.cmake cmake/nemo_packages.cmake
    DESTINATION ${NEMO_PACKAGE_DIR} COMPONENT dev)
endfunction()

# Two Debian packages, nemotron-toolkit and nemotron-toolkit-dev; the first depends on what its
# executables are linked with (dpkg-shlibdeps).
macro(nemo_configure_cpack)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME nemotron-toolkit)
  set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
  set(CPACK_PACKAGE_CONTACT "Nemotron toolkit maintainers <maintainers@nemotron-toolkit.invalid>")
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Checkpoints and inference for Nemotron-4 and its siblings")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_COMPONENTS_ALL tools dev)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME nemotron-toolkit)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
  set(CPACK_COMPONENT_TOOLS_DESCRIPTION
    "Converts, reshards, proves, inspects, runs, serves and evaluates Megatron GPT checkpoints.")
  set(CPACK_DEBIAN_DEV_PACKAGE_NAME nemotron-toolkit-dev)
  set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
  set(CPACK_COMPONENT_DEV_DESCRIPTION
    "Headers, static libraries and the CMake package NemotronToolkit.")
  # What NemotronToolkitConfig.cmake looks for.
  set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "pkg-config, libfmt-dev, nlohmann-json3-dev, libyaml-cpp-dev, \
zlib1g-dev, libdeflate-dev, libxxhash-dev, libzstd-dev, libsentencepiece-dev, libpcre2-dev, \
libcpp-httplib-dev, libhdf5-dev, libopenmpi-dev")
  include(CPack)
endmacro()
