# The wheel's find_package(Torch) demands a CUDA toolkit even for a CPU build, so the target is defined here: the
# headers, libtorch_cpu and libc10. Its bundled OpenMP runtime is the one that is used.
if(PLUMB_TORCH_DIR)
  set(_torch ${PLUMB_TORCH_DIR})
else()
  file(GLOB _torch ${CMAKE_SOURCE_DIR}/.plumb/python/lib/python3*/site-packages/torch)
endif()
if(NOT EXISTS "${_torch}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "no libtorch in '${_torch}': run ./run or ./test, which install the pinned one, "
                      "or set PLUMB_TORCH_DIR to a libtorch 2.x folder with include/ and lib/")
endif()
message(STATUS "libtorch: ${_torch}")
set(PLUMB_TORCH_ROOT ${_torch})
set(PLUMB_TORCH_LIB_DIRS ${_torch}/lib)

add_library(plumb_torch INTERFACE)
target_include_directories(plumb_torch SYSTEM INTERFACE
  ${_torch}/include ${_torch}/include/torch/csrc/api/include)
target_link_libraries(plumb_torch INTERFACE ${_torch}/lib/libtorch_cpu.so ${_torch}/lib/libc10.so)
# at::parallel_for is a header template over OpenMP. Linking names torch's own runtime first.
find_package(OpenMP REQUIRED COMPONENTS CXX)
target_compile_options(plumb_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
file(GLOB _gomp ${_torch}/lib/libgomp*.so* ${_torch}.libs/libgomp*.so*)
if(_gomp)
  list(GET _gomp 0 _gomp)
  cmake_path(GET _gomp PARENT_PATH _gomp_dir)
  list(APPEND PLUMB_TORCH_LIB_DIRS ${_gomp_dir})
  list(REMOVE_DUPLICATES PLUMB_TORCH_LIB_DIRS)
  target_link_libraries(plumb_torch INTERFACE ${_gomp})
else()
  target_link_libraries(plumb_torch INTERFACE OpenMP::OpenMP_CXX)
endif()
