# Proves that check_layers.cmake fails where it must: on made trees with one #include each.
#   cmake -DCHECK=<check_layers.cmake> -DSCRATCH=<folder> -P check_layers_test.cmake
cmake_minimum_required(VERSION 3.25)

# expect(<pass|fail> <file> <include line>): checks `metrics`, which may use base and models.
function(expect outcome file line)
  file(REMOVE_RECURSE ${SCRATCH})
  file(WRITE ${SCRATCH}/metrics/clean.h "#include \"base/error.h\"\n#include \"metrics/clean.h\"\n#include <vector>\n")
  file(WRITE ${SCRATCH}/metrics/${file} "${line}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${SCRATCH} -DFOLDER=metrics -DUSES=base,models -P ${CHECK}
    RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(outcome STREQUAL pass AND NOT code EQUAL 0)
    message(FATAL_ERROR "the check failed on '${line}' in ${file}, which is allowed:\n${output}")
  endif()
  if(outcome STREQUAL fail)
    string(FIND "${output}" "metrics/${file}: " named)
    if(code EQUAL 0 OR named EQUAL -1)
      message(FATAL_ERROR "the check let '${line}' in ${file} pass, or did not name it (exit ${code}):\n${output}")
    endif()
  endif()
endfunction()

expect(pass deep/a.cpp "#include \"models/decoder.h\"")
expect(fail deep/a.cpp "#include \"pruning/plan.h\"")
expect(fail a.h "  #  include \"harness/cli/command.h\"")
expect(fail a.cu "#include <reports/report.h>")
expect(pass a_test.cpp "#include \"fixtures/synthetic/tiny_decoder.h\"")
expect(pass a.cpp "// #include \"pruning/plan.h\"")
file(REMOVE_RECURSE ${SCRATCH})
