# Installs the build into a scratch prefix and runs what is there: the program must find its libraries without the build
# folder, and the licences, claims, tasks and schema must lie beside it.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${SCRATCH})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH} RESULT_VARIABLE code
  OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "cmake --install failed:\n${output}")
endif()
set(needed ${BIN}/plumb ${DOC}/LICENSE ${DOC}/THIRD-PARTY.md ${DATA}/plumb/schema/results.schema.json ${DATA}/plumb/schema/baseline.schema.json
  ${DATA}/plumb/schema/gate.schema.json
  ${DATA}/plumb/tasks/mmlu.json ${DATA}/plumb/questions/smoke.jsonl)
if(CUDA)
  list(APPEND needed ${LIB}/plumb/libplumb_cuda.so)
endif()
if(PARQUET)
  list(APPEND needed ${LIB}/plumb/libplumb_parquet.so)
endif()
foreach(file IN LISTS needed)
  if(NOT EXISTS ${SCRATCH}/${file})
    message(FATAL_ERROR "'${file}' was not installed; what was:\n${output}")
  endif()
endforeach()
execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ${SCRATCH}/${BIN}/plumb --version
  WORKING_DIRECTORY / RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
string(FIND "${output}" "plumb ${VERSION}" found)
if(NOT code EQUAL 0 OR found EQUAL -1)
  message(FATAL_ERROR "the installed `plumb --version` exited with ${code}, 'plumb ${VERSION}' was needed:\n${output}")
endif()
file(REMOVE_RECURSE ${SCRATCH})
