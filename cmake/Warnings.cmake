# Warnings for our own sources; dependencies are imported (SYSTEM) targets and stay out of it. CI turns them to errors.
add_library(plumb_warnings INTERFACE)
target_compile_options(plumb_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wconversion -Wpedantic>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:$ENV{CI}>>:-Werror>)
