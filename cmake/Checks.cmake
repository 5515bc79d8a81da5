# CTest cases about the project as a whole: the layer check itself, what `cmake --install` lays down, and ARM.
if(NOT PLUMB_TESTS)
  return()
endif()
add_test(NAME layers/check_fails_on_an_upward_include COMMAND ${CMAKE_COMMAND}
  -DCHECK=${CMAKE_SOURCE_DIR}/cmake/check_layers.cmake -DSCRATCH=${CMAKE_BINARY_DIR}/layers_scratch
  -P ${CMAKE_SOURCE_DIR}/cmake/check_layers_test.cmake)
set_tests_properties(layers/check_fails_on_an_upward_include PROPERTIES LABELS layers)
add_test(NAME install/prefix_holds_a_program_that_runs COMMAND ${CMAKE_COMMAND}
  -DBUILD=${CMAKE_BINARY_DIR} -DSCRATCH=${CMAKE_BINARY_DIR}/install_scratch -DVERSION=${PROJECT_VERSION}
  -DBIN=${CMAKE_INSTALL_BINDIR} -DDOC=${CMAKE_INSTALL_DOCDIR} -DDATA=${CMAKE_INSTALL_DATADIR}
  -DCUDA=${PLUMB_CUDA_BUILT} -DPARQUET=${PLUMB_PARQUET_BUILT} -DLIB=${CMAKE_INSTALL_LIBDIR}
  -P ${CMAKE_SOURCE_DIR}/cmake/install_test.cmake)
set_tests_properties(install/prefix_holds_a_program_that_runs PROPERTIES LABELS install)
add_test(NAME aarch64/sources_compile COMMAND ${CMAKE_SOURCE_DIR}/cmake/aarch64/check)
set_tests_properties(aarch64/sources_compile PROPERTIES LABELS long SKIP_RETURN_CODE 77 TIMEOUT 3600)
