# CTest cases about the project as a whole: the layer check itself, and what `cmake --install` lays down.
if(NOT PLUMB_TESTS)
  return()
endif()
add_test(NAME layers/check_fails_on_an_upward_include COMMAND ${CMAKE_COMMAND}
  -DCHECK=${CMAKE_SOURCE_DIR}/cmake/check_layers.cmake -DSCRATCH=${CMAKE_BINARY_DIR}/layers_scratch
  -P ${CMAKE_SOURCE_DIR}/cmake/check_layers_test.cmake)
set_tests_properties(layers/check_fails_on_an_upward_include PROPERTIES LABELS layers)
