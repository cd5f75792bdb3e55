option(CALOPIPE_ONLY_KFP "Build only the SDK for Kubeflow Pipelines (src/core, src/kfp): no LibTorch, HDF5, npm" OFF)
option(CALOPIPE_ONLY_INFER "Build only the inference library (src/core, src/calo/infer) and its tests" OFF)
option(CALOPIPE_TESTS "Build the tests" ON)
option(CALOPIPE_FUZZ "Build the fuzzers of the readers (clang only)" OFF)
option(CALOPIPE_BENCHMARKS "Build the benchmarks" OFF)
option(CALOPIPE_WERROR "Treat warnings as errors (the default if the environment has CI=true)" "$ENV{CI}")
option(CALOPIPE_UNITY "Compile several sources at once: fastest from nothing, slower after a change" OFF)
set(CALOPIPE_SANITIZE "" CACHE STRING "Sanitizers, in the form for -fsanitize: address,undefined or thread")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Precompiled headers contain the time and the macros of their compilation.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE_PROGRAM})
endif()

# Sources with their own flags (-fno-math-errno) cannot use the precompiled header of their library.
set(CMAKE_PCH_WARN_INVALID OFF)
# ccache must see which precompiled header a file uses.
add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
# Designated initialisers of option structs omit defaults, and g++ 12 warns of overlapping copies in std::string that do not
# exist (GCC bug 105651).
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wno-missing-field-initializers
                    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
                    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
if(CALOPIPE_WERROR)
  add_compile_options(-Werror)
endif()
if(CALOPIPE_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 12)
  # A name of one source's anonymous namespace may stand in a function of the next, and g++ takes a source that is
  # included for a header.
  add_compile_options(-Wno-shadow $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
endif()
if(CALOPIPE_SANITIZE)
  add_compile_options(-fsanitize=${CALOPIPE_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CALOPIPE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # g++ 12 wrongly reports uninitialised variables in instrumented code (std::regex, std::function). Checks of every pointer
    # double its compilation: a null pointer ends in an error anyway, and the fuzzers (clang) check alignment.
    add_compile_options(-Wno-maybe-uninitialized -fno-sanitize=null,alignment)
    # Programs at a fixed address, so that the tables of the checks, tens of MB, need no relocation at each start.
    add_link_options($<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-no-pie>)
  endif()
endif()
