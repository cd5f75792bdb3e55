include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Under sanitizers, what does not compute is not optimised either: it compiles four times as fast, and that is where
# the time goes.
function(calopipe_optimise name)
  if(CALOPIPE_SANITIZE AND name MATCHES "^kfp")
    target_compile_options(${name} PRIVATE -O0)
  endif()
endfunction()

# calopipe_library(<name> SOURCES … [PUBLIC …] [PRIVATE …]): one library per folder of src/.
# Headers stand beside their sources; includes are spelled from src/ ("calo/io/shower_reader.h").
function(calopipe_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  calopipe_optimise(${name})
endfunction()

# calopipe_test(<name> SOURCES … LINK …): one GoogleTest program per folder of test/, each test
# known to ctest by its own name. Tests run in the source tree's root.
function(calopipe_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/test)
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main GTest::gmock)
  calopipe_optimise(${name})
  target_compile_definitions(${name} PRIVATE
    CALOPIPE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" CALOPIPE_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
                       PROPERTIES LABELS ${name} TIMEOUT 300)
endfunction()

# calopipe_package(<name> NAMESPACE <name> COMPONENT <name>): what find_package(<name>) reads, of the targets that were
# installed with EXPORT <name>Targets; <name>Config.cmake.in stands beside the CMakeLists.txt.
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
