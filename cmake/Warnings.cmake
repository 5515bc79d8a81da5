# Warnings for our own sources; dependencies are imported (SYSTEM) targets and stay out of it. PLUMB_WERROR turns them
# to errors: ./run and ./test set it on Debian 12, and CI does through its environment.
set(_werror OFF)
if("$ENV{CI}")
  set(_werror ON)
endif()
option(PLUMB_WERROR "Treat warnings as errors" ${_werror})
add_library(plumb_warnings INTERFACE)
target_compile_options(plumb_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wconversion -Wpedantic>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${PLUMB_WERROR}>>:-Werror>)
