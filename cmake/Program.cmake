# The program: everything in one binary, CUDA only by dlopen. Installed, it finds libtorch where it was found here.
add_executable(plumb harness/cli/plumb_main.cpp)
target_link_libraries(plumb PRIVATE plumb_harness plumb_warnings)
# INSTALL_RPATH_USE_LINK_PATH leaves out folders below the source folder, and that is where ./run installs libtorch.
set_target_properties(plumb PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
  INSTALL_RPATH "${PLUMB_TORCH_LIB_DIRS}" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS plumb RUNTIME)
install(FILES LICENSE THIRD-PARTY.md README.md CHANGELOG.md TYPE DOC)
install(DIRECTORY fixtures/claims DESTINATION ${CMAKE_INSTALL_DATADIR}/plumb FILES_MATCHING PATTERN "*.json")
if(TARGET plumb_harness_test)
  add_dependencies(plumb_harness_test plumb)  # its tests run the program
endif()
