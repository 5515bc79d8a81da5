# What nearly every source includes is compiled once: libtorch's tensors, nlohmann's JSON and the standard library for the
# libraries, and the same with GoogleTest for the tests. It halves the time of a build. A source still includes what it
# uses: with PLUMB_PRECOMPILED=OFF every source is compiled from its own lines alone.
option(PLUMB_PRECOMPILED "Precompile the headers that most sources include" ON)

set(_standard <algorithm> <array> <atomic> <bit> <charconv> <chrono> <cmath> <cstdint> <cstdlib> <cstring> <deque>
  <filesystem> <fstream> <functional> <limits> <map> <memory> <mutex> <numeric> <optional> <set> <span> <sstream> <string>
  <string_view> <thread> <unordered_map> <utility> <vector>)
set(_heavy <ATen/Functions.h> <ATen/TensorOperators.h> <ATen/Parallel.h> <c10/core/InferenceMode.h> <nlohmann/json.hpp>)

# plumb_precompile(<target> <what else the headers link> <headers>): holds a precompiled header and no code.
function(plumb_precompile target links)
  set(source ${CMAKE_BINARY_DIR}/${target}.cpp)
  file(WRITE ${source}.new "// Only the precompiled header of this target counts.\n")
  file(COPY_FILE ${source}.new ${source} ONLY_IF_DIFFERENT)
  add_library(${target} OBJECT ${source})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PRIVATE
    plumb_warnings plumb_torch nlohmann_json::nlohmann_json Threads::Threads ${links})
  target_precompile_headers(${target} PRIVATE ${_standard} ${_heavy} ${ARGN})
  plumb_compile_with_precompiled(${target})
endfunction()

# ccache needs -fpch-preprocess to see which precompiled header a source was compiled with.
function(plumb_compile_with_precompiled target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  endif()
  # GCC 12 takes a long std::string that is built in place for one of 32 bytes; without a precompiled header it knows that
  # the line is the standard library's, and says nothing.
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE
      -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
endfunction()

# plumb_reuse_precompiled(<target> <from>): both must be compiled with the same options.
function(plumb_reuse_precompiled target from)
  if(NOT TARGET ${from})
    return()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${from})
  plumb_compile_with_precompiled(${target})
endfunction()

# The code of tests runs once: a third of its compile time is saved where it is not optimised to the last, and another third
# under the sanitizers where undefined behaviour is looked for in what is tested alone.
function(plumb_quick_to_compile target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>
    $<$<CONFIG:RelWithDebInfo>:-O0> $<$<CONFIG:RelWithDebInfo>:-fno-sanitize=undefined>)
endfunction()

# plumb_always_optimise(<source>...): for what reads large foreign files, where -O1 leaves a parser's calls of one line as
# calls, each of which the sanitizers follow. Without the precompiled header, which is of other options.
function(plumb_always_optimise)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS $<$<CONFIG:RelWithDebInfo>:-O2>
    SKIP_PRECOMPILE_HEADERS ON)
endfunction()

if(PLUMB_PRECOMPILED)
  plumb_precompile(plumb_precompiled "")
  set_target_properties(plumb_precompiled PROPERTIES POSITION_INDEPENDENT_CODE ON)  # as the libraries
  if(PLUMB_TESTS)
    plumb_precompile(plumb_precompiled_test GTest::gmock <gtest/gtest.h> <gmock/gmock.h>)
    plumb_quick_to_compile(plumb_precompiled_test)
  endif()
endif()
