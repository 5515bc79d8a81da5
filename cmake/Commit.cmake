# plumb_commit(<target>): adds source_commit() of base/commit.h. Runs at each build; writes only what changed.
# As a script (cmake -DROOT= -DOUT= -P Commit.cmake) it writes OUT.
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_minimum_required(VERSION 3.25)
  set(commit "unknown")
  find_program(git git)
  if(git AND EXISTS ${ROOT}/.git)
    # Another user's checkout (a container's) is refused without safe.directory.
    execute_process(COMMAND ${git} -c safe.directory=* describe --always --abbrev=12 --exclude=* --dirty=-modified
      WORKING_DIRECTORY ${ROOT} OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE
      RESULT_VARIABLE result ERROR_QUIET)
    if(result EQUAL 0)
      set(commit ${found})
    endif()
  endif()
  file(CONFIGURE OUTPUT ${OUT} CONTENT
    "#include \"base/commit.h\"\n\nconst char* plumb::source_commit() { return \"@commit@\"; }\n" @ONLY)
  return()
endif()

function(plumb_commit target)
  set(out ${CMAKE_BINARY_DIR}/generated/commit.cpp)
  add_custom_target(plumb_commit_file BYPRODUCTS ${out}
    COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR} -DOUT=${out} -P ${CMAKE_SOURCE_DIR}/cmake/Commit.cmake
    COMMENT "commit")
  set_source_files_properties(${out} PROPERTIES GENERATED TRUE)
  target_sources(${target} PRIVATE ${out})
  add_dependencies(${target} plumb_commit_file)
endfunction()
