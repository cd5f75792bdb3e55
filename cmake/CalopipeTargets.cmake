include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# calopipe_compile(<name> HEAVY|LIGHT|TEST|ALONE): sets how a target is compiled. Most of the build time is spent on reading
# headers and on optimising code that never takes long. So LIGHT code (the IR of Kubeflow, options, pages) and TESTs are
# optimised little, and under sanitizers not at all; HEAVY code does the computing. Targets of one kind share a precompiled
# header, except for ALONE, which must build without the libraries in that header.
function(calopipe_compile name kind)
  if(kind MATCHES "LIGHT|TEST")
    if(CALOPIPE_SANITIZE)
      target_compile_options(${name} PRIVATE -O0)
    elseif(CMAKE_BUILD_TYPE STREQUAL Release)
      target_compile_options(${name} PRIVATE -O1)
    endif()
  endif()
  if(kind MATCHES "ALONE|OWNER" OR CMAKE_CXX_COMPILER_ID MATCHES Clang)
    return()
  endif()
  string(TOLOWER calopipe_precompiled_${kind} owner)
  if(NOT TARGET ${owner})
    set(source ${PROJECT_BINARY_DIR}/${owner}.cc)
    file(CONFIGURE OUTPUT ${source} CONTENT "// This target exists for its precompiled header.\n")
    add_library(${owner} OBJECT EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${owner} PRIVATE fmt::fmt spdlog::spdlog nlohmann_json::nlohmann_json)
    set(headers <algorithm> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <optional> <set> <span> <string>
                <unordered_map> <variant> <vector> <fmt/format.h> <nlohmann/json.hpp>)
    if(kind STREQUAL TEST)
      target_link_libraries(${owner} PRIVATE GTest::gtest GTest::gmock)
      list(APPEND headers <gmock/gmock.h> <gtest/gtest.h>)
      # Compile it with the flags of programs, not of libraries.
      set_target_properties(${owner} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${owner} PRIVATE -fPIE)
    endif()
    target_precompile_headers(${owner} PRIVATE ${headers})
    calopipe_compile(${owner} "${kind} OWNER")
  endif()
  target_precompile_headers(${name} REUSE_FROM ${owner})
  # g++ 12 suppresses false warnings inside the standard library, but not if that is precompiled.
  target_compile_options(${name} PRIVATE -Wno-array-bounds -Wno-use-after-free -Wno-stringop-overflow
                                         -Wno-stringop-overread)
endfunction()

# calopipe_library(<name> SOURCES … [PUBLIC …] [PRIVATE …] [LIGHT|ALONE]): one library per folder of src/. The libraries of
# kfp are LIGHT by default. Headers are next to their sources; the paths of includes are relative to src/
# ("calo/io/shower_reader.h").
function(calopipe_library name)
  cmake_parse_arguments(ARG "LIGHT;ALONE" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  if(ARG_ALONE)
    calopipe_compile(${name} ALONE)
  elseif(ARG_LIGHT OR name MATCHES "^kfp_")
    calopipe_compile(${name} LIGHT)
  else()
    calopipe_compile(${name} HEAVY)
  endif()
endfunction()

# calopipe_test(<name> SOURCES … LINK … [ALONE]): one GoogleTest program per folder of test/, each test
# with its own name in ctest. Tests run in the root of the source tree.
function(calopipe_test name)
  cmake_parse_arguments(ARG "ALONE" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/test)
  # g++ would compare its own operator new with free().
  set_source_files_properties(${PROJECT_SOURCE_DIR}/test/support/counting_new.cc
                              PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main GTest::gmock)
  if(ARG_ALONE)
    calopipe_compile(${name} ALONE)
  else()
    calopipe_compile(${name} TEST)
  endif()
  target_compile_definitions(${name} PRIVATE
    CALOPIPE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" CALOPIPE_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 120 WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                       PROPERTIES LABELS ${name} TIMEOUT 300)
endfunction()

# calopipe_package(<name> NAMESPACE <name> COMPONENT <name>): installs the files for find_package(<name>), with the targets
# that were installed with EXPORT <name>Targets; <name>Config.cmake.in must be next to the CMakeLists.txt.
function(calopipe_package name)
  cmake_parse_arguments(ARG "" "NAMESPACE;COMPONENT" "" ${ARGN})
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/${name})
  install(EXPORT ${name}Targets NAMESPACE ${ARG_NAMESPACE}:: DESTINATION ${folder} COMPONENT ${ARG_COMPONENT})
  configure_package_config_file(${name}Config.cmake.in ${name}Config.cmake INSTALL_DESTINATION ${folder})
  write_basic_package_version_file(${name}ConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}Config.cmake ${CMAKE_CURRENT_BINARY_DIR}/${name}ConfigVersion.cmake
                ${PROJECT_SOURCE_DIR}/LICENSE
          DESTINATION ${folder} COMPONENT ${ARG_COMPONENT})
endfunction()
