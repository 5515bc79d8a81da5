# After a GoogleTest program was linked: writes the file that CTest reads its cases from, one for each suite. A program takes
# a quarter of a second to start (libtorch), longer than most tests; a suite is what one source file tests, and is run alone
# by `ctest -R`. Labels are those of cmake/Module.cmake.
#
#   cmake -DPROGRAM=<path> -DFOLDER=<label> -DOUT=<file> -P list_suites.cmake
cmake_minimum_required(VERSION 3.25)
get_filename_component(binary_folder ${PROGRAM} DIRECTORY)
execute_process(COMMAND ${PROGRAM} --gtest_list_tests WORKING_DIRECTORY ${binary_folder} TIMEOUT 120
  RESULT_VARIABLE code OUTPUT_VARIABLE listed ERROR_VARIABLE errors)
if(NOT code EQUAL 0)
  file(REMOVE ${PROGRAM})  # so that it is linked, and asked, again
  message(FATAL_ERROR "'${PROGRAM} --gtest_list_tests' ended with ${code}:\n${errors}")
endif()
# A suite's line is "Name." or "Prefix/Name/0.  # TypeParam = ..."; those of its tests are indented.
string(REGEX MATCHALL "\n[A-Za-z0-9_/]+\\.[ \n]" lines "\n${listed}")
if(NOT lines)
  message(FATAL_ERROR "'${PROGRAM} --gtest_list_tests' names no suite:\n${listed}")
endif()
set(script "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE "[. \n]" "" suite "${line}")
  set(labels ${FOLDER})
  set(properties TIMEOUT 900)
  if(suite MATCHES "Long")
    list(APPEND labels long)
    set(properties TIMEOUT 3600 RUN_SERIAL ON)
  endif()
  if(suite MATCHES "SmolLm2")
    list(APPEND labels model)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  if(suite MATCHES "Golden")
    list(APPEND labels golden)
  endif()
  if(suite MATCHES "Cuda")
    list(APPEND labels gpu)
  endif()
  list(JOIN properties " " properties)
  # Skipped is what ends with the list of skipped tests: where tests failed, theirs follows, and none may have passed.
  string(APPEND script "add_test([==[${suite}]==] [==[${PROGRAM}]==] [==[--gtest_filter=${suite}.*]==])\n"
    "set_tests_properties([==[${suite}]==] PROPERTIES WORKING_DIRECTORY [==[${binary_folder}]==] ${properties}\n"
    "  SKIP_REGULAR_EXPRESSION [==[\\[  PASSED  \\] 0 tests\\.\n(\\[  SKIPPED \\][^\n]*\n)+$]==] LABELS [==[${labels}]==])\n")
endforeach()
file(WRITE ${OUT} "${script}")
