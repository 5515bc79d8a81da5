# The program: everything in one binary, CUDA only by dlopen.
add_executable(plumb harness/cli/plumb_main.cpp)
target_link_libraries(plumb PRIVATE plumb_harness plumb_warnings)
set_target_properties(plumb PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
install(TARGETS plumb RUNTIME)
