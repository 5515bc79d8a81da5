# libplumb_cuda.so: every *.cu of the tree, opened with dlopen by models/device.cpp. AUTO builds it where nvcc is found,
# so that machines without a GPU still compile and link every kernel. It links the CUDA runtime statically and nothing
# else: its kernels must load beside the pinned libtorch, whose CUDA half (libtorch_cuda and the 2 GB of libraries that
# this needs) is not installed. See DECISIONS.md.
string(TOUPPER "${PLUMB_CUDA}" _cuda)
if(NOT _cuda MATCHES "^(AUTO|ON|OFF|TRUE|FALSE|1|0)$")
  message(FATAL_ERROR "PLUMB_CUDA is '${PLUMB_CUDA}'; it must be AUTO, ON or OFF")
endif()
set(PLUMB_CUDA_BUILT OFF)
if(_cuda MATCHES "^(OFF|FALSE|0)$")
  message(STATUS "CUDA plug-in: off")
  return()
endif()

include(CheckLanguage)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(PLUMB_NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
  if(PLUMB_NVCC)
    set(CMAKE_CUDA_COMPILER ${PLUMB_NVCC})
  endif()
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  # Code for Turing, Ampere and Hopper, and PTX that newer devices compile when they load it.
  set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 90)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  check_language(CUDA)
endif()
if(NOT CMAKE_CUDA_COMPILER)
  if(NOT _cuda STREQUAL AUTO)
    message(FATAL_ERROR "PLUMB_CUDA is ON, but no nvcc was found: put it on PATH, set CUDACXX to it, or use AUTO")
  endif()
  message(STATUS "CUDA plug-in: no nvcc, not built")
  return()
endif()

enable_language(CUDA)
file(GLOB_RECURSE _kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/models/*.cu ${CMAKE_SOURCE_DIR}/healing/*.cu)
add_library(plumb_cuda MODULE ${_kernels})
# Not cuda_std_20: CMake 3.25 does not know that nvcc 13 has it.
target_include_directories(plumb_cuda PRIVATE ${CMAKE_SOURCE_DIR})
target_compile_options(plumb_cuda PRIVATE -std=c++20 --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra)
target_link_options(plumb_cuda PRIVATE -Wl,--no-undefined)
set_target_properties(plumb_cuda PROPERTIES
  CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
install(TARGETS plumb_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/plumb)
set(PLUMB_CUDA_BUILT ON)
message(STATUS "CUDA plug-in: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
