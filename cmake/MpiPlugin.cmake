# libplumb_mpi.so: the one source with MPI's header, opened with dlopen by harness/processes/processes.cpp where a launcher
# (mpirun, srun) started several processes. AUTO builds it where Open MPI's headers are found (Debian: libopenmpi-dev).
# See DECISIONS.md.
set(PLUMB_MPI AUTO CACHE STRING "Build the plug-in for several processes: AUTO (where MPI is found), ON or OFF")
set_property(CACHE PLUMB_MPI PROPERTY STRINGS AUTO ON OFF)
string(TOUPPER "${PLUMB_MPI}" _mpi)
if(NOT _mpi MATCHES "^(AUTO|ON|OFF|TRUE|FALSE|1|0)$")
  message(FATAL_ERROR "PLUMB_MPI is '${PLUMB_MPI}'; it must be AUTO, ON or OFF")
endif()
if(_mpi MATCHES "^(OFF|FALSE|0)$")
  message(STATUS "MPI plug-in: off")
  return()
endif()

pkg_check_modules(PLUMB_OMPI QUIET IMPORTED_TARGET ompi-c)
if(NOT PLUMB_OMPI_FOUND)
  if(NOT _mpi STREQUAL AUTO)
    message(FATAL_ERROR "PLUMB_MPI is ON, but pkg-config finds no Open MPI (ompi-c): install the Debian package "
                        "libopenmpi-dev, or use AUTO")
  endif()
  message(STATUS "MPI plug-in: no Open MPI, not built")
  return()
endif()

add_library(plumb_mpi MODULE ${CMAKE_SOURCE_DIR}/harness/processes/mpi_plugin.cpp)
target_compile_features(plumb_mpi PRIVATE cxx_std_20)
target_include_directories(plumb_mpi PRIVATE ${CMAKE_SOURCE_DIR})
target_link_libraries(plumb_mpi PRIVATE plumb_warnings PkgConfig::PLUMB_OMPI)
set_target_properties(plumb_mpi PROPERTIES CXX_VISIBILITY_PRESET hidden
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
install(TARGETS plumb_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/plumb)
foreach(user plumb plumb_harness_test)
  if(TARGET ${user})
    add_dependencies(${user} plumb_mpi)
  endif()
endforeach()
message(STATUS "MPI plug-in: Open MPI ${PLUMB_OMPI_VERSION}")
