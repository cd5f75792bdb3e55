# calopipe_find_torch(<folder>): sets TORCH_INCLUDE_DIRS and TORCH_LIBRARIES for the LibTorch in this folder, or Debian's if
# it is empty. The CMake files of LibTorch for CUDA ask for a CUDA toolkit, which calopipe does not need: it compiles no code
# for GPUs, so that headers and libraries are found here without them.
macro(calopipe_find_torch folder)
  if("${folder}" STREQUAL "")
    find_package(Torch REQUIRED)
    set(TORCH_HAS_OWN_FMT OFF)
  else()
    calopipe_find_unpacked_torch(${folder})
  endif()
endmacro()

function(calopipe_find_unpacked_torch folder)
  get_filename_component(torch_dir ${folder} ABSOLUTE BASE_DIR ${PROJECT_SOURCE_DIR})
  set(includes ${torch_dir}/include ${torch_dir}/include/torch/csrc/api/include)
  set(libraries ${torch_dir}/lib/libc10.so ${torch_dir}/lib/libtorch_cpu.so)
  foreach(file IN ITEMS ${torch_dir}/include/torch/csrc/api/include/torch/torch.h ${libraries})
    if(NOT EXISTS ${file})
      message(FATAL_ERROR "LibTorch: ${file} is missing: give the folder \"torch\" of a wheel, or an unpacked libtorch archive")
    endif()
  endforeach()
  # Before 2.7 the wheels have the string type of g++ 4, with which nothing here could be linked.
  file(STRINGS ${torch_dir}/lib/libc10.so new_strings REGEX "__cxx11" LIMIT_COUNT 1)
  if(NOT new_strings)
    message(FATAL_ERROR "LibTorch: ${torch_dir} is built with the C++ ABI of before g++ 5; take a wheel of torch 2.7 or "
                        "later, or the archive \"cxx11 ABI\"")
  endif()
  if(EXISTS ${torch_dir}/lib/libtorch_cuda.so)
    # Nothing calls it by name: being loaded is what makes the GPU known. libtorch.so is empty and needs it; named directly,
    # its undefined symbols would pull in our static libraries.
    list(APPEND libraries -Wl,--no-as-needed ${torch_dir}/lib/libtorch.so -Wl,--as-needed)
  endif()
  # The libraries of CUDA that these need are found by them when they are loaded, and need not be here now.
  list(APPEND libraries -Wl,--allow-shlib-undefined)
  set(TORCH_INCLUDE_DIRS ${includes} PARENT_SCOPE)
  set(TORCH_LIBRARIES ${libraries} PARENT_SCOPE)
  set(TORCH_HAS_OWN_FMT ON PARENT_SCOPE)
endfunction()

set(CALOPIPE_TORCH_DIR "" CACHE PATH
    "LibTorch instead of Debian's: the folder torch of a wheel of PyPI (2.7 or later), or an unpacked libtorch archive")
calopipe_find_torch("${CALOPIPE_TORCH_DIR}")
