# LibTorch: Debian's package, or another if CALOPIPE_TORCH_DIR names it. The CMake files of LibTorch for CUDA ask for a CUDA
# toolkit, which calopipe does not need: it compiles no code for GPUs, so that headers and libraries are found here without
# them.
set(CALOPIPE_TORCH_DIR "" CACHE PATH
    "LibTorch instead of Debian's: the folder torch of a wheel of PyPI (2.7 or later), or an unpacked libtorch archive")
if(NOT CALOPIPE_TORCH_DIR)
  find_package(Torch REQUIRED)
  return()
endif()

get_filename_component(torch_dir ${CALOPIPE_TORCH_DIR} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
set(TORCH_INCLUDE_DIRS ${torch_dir}/include ${torch_dir}/include/torch/csrc/api/include)
if(NOT EXISTS ${torch_dir}/include/torch/csrc/api/include/torch/torch.h)
  message(FATAL_ERROR "CALOPIPE_TORCH_DIR: ${torch_dir} has no include/torch/csrc/api/include/torch/torch.h: give the folder \"torch\" "
                      "of a wheel, or an unpacked libtorch archive")
endif()
set(TORCH_LIBRARIES)
foreach(name IN ITEMS c10 torch_cpu)
  find_library(CALOPIPE_TORCH_${name} ${name} PATHS ${torch_dir}/lib NO_DEFAULT_PATH REQUIRED)
  list(APPEND TORCH_LIBRARIES ${CALOPIPE_TORCH_${name}})
endforeach()
# Before 2.7 the wheels have the string type of g++ 4, with which nothing here could be linked.
file(STRINGS ${CALOPIPE_TORCH_c10} new_strings REGEX "__cxx11" LIMIT_COUNT 1)
if(NOT new_strings)
  message(FATAL_ERROR "CALOPIPE_TORCH_DIR: this LibTorch is built with the C++ ABI of before g++ 5; take a wheel of torch 2.7 or later, "
                      "or the archive \"cxx11 ABI\"")
endif()
if(EXISTS ${torch_dir}/lib/libtorch_cuda.so)
  # Nothing calls it by name: being loaded is what makes the GPU known. libtorch.so is empty and needs it; named directly, its
  # undefined symbols would pull in our static libraries.
  find_library(CALOPIPE_TORCH_all torch PATHS ${torch_dir}/lib NO_DEFAULT_PATH REQUIRED)
  list(APPEND TORCH_LIBRARIES -Wl,--no-as-needed ${CALOPIPE_TORCH_all} -Wl,--as-needed)
endif()
# The libraries of CUDA that these need are found by them when they are loaded, and need not be here now.
list(APPEND TORCH_LIBRARIES -Wl,--allow-shlib-undefined)
