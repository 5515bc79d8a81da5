# Several sources in one unit for the compiler, which then does once what headers cost: templates that inline functions of
# ATen and nlohmann use are instantiated in every unit anew, precompiled or not, and take longer than most sources. ./run
# and ./test switch it on in a fresh build folder; to work on single files is quicker without.
option(PLUMB_UNITY "Compile several sources of a folder as one unit" OFF)
set(PLUMB_UNITY_SIZE 8 CACHE STRING "The most sources in a unit")
mark_as_advanced(PLUMB_UNITY_SIZE)

# Compiled alone, and why. What two sources define is kept apart below, and that is read anew at every configuration, which
# ./test begins with: after a "redefinition" in an old one, run `cmake build/release`. Where a unit fails for another reason
# (a name to which a header of another source gives a second meaning), write the name in full, give it a better one, or add
# the source here.
set(PLUMB_ALONE
  models/tokenizer/to_json.cpp    # its Json is another than that of models/formats/json_tree.h
  models/tokenizer/tokenizer.cpp  # a class with a member of an anonymous namespace's: GCC takes its file for a header
  harness/cli/program_test.cpp    # its variables are called json, as the type is in other sources
)

# plumb_unite(<target>): units are of one subfolder, so that a new source changes the units of its neighbours alone. Two
# sources that define one name outside of braces, as in their anonymous namespaces, come into different units. Alone stay
# those with options, macros or pragmas of their own, and the kernels.
function(plumb_unite target)
  if(NOT PLUMB_UNITY)
    return()
  endif()
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${source})
    string(FIND ${source} ${CMAKE_BINARY_DIR}/ generated)
    if(generated EQUAL 0 OR path IN_LIST PLUMB_ALONE OR path MATCHES "kernels/[^/]*[^t]\\.cpp$")
      continue()
    endif()
    file(READ ${source} text)
    if(text MATCHES "\n#[ ]*(define|pragma)")
      continue()
    endif()
    plumb_read_names()
    get_filename_component(folder ${path} DIRECTORY)
    string(REPLACE "/" "_" folder ${folder})
    set(number 0)
    set(fits FALSE)
    while(NOT fits)
      math(EXPR number "${number} + 1")
      set(unit ${folder}_${number})
      set(fits TRUE)
      if("${${unit}_size}" STREQUAL PLUMB_UNITY_SIZE)
        set(fits FALSE)
      endif()
      foreach(name IN LISTS names)
        if(DEFINED ${unit}.${name} AND NOT "${${unit}.${name}}" STREQUAL "${meaning.${name}}")
          set(fits FALSE)
        endif()
      endforeach()
    endwhile()
    foreach(name IN LISTS names)
      set(${unit}.${name} "${meaning.${name}}")
    endforeach()
    math(EXPR ${unit}_size "0${${unit}_size} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${unit})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
endfunction()

# The names that a source defines at the start of a line, each with what it means there in meaning.<name>: what `using`
# gives means the same wherever that line is the same, all else is the source's own.
macro(plumb_read_names)
  set(names "")
  # What `testing::` means depends on whether a header of the folder has a namespace of that name; and a directive brings
  # its names to every source after it.
  string(REGEX MATCHALL "\nusing namespace [a-z:_]+" scope "${text}")
  if(text MATCHES "#include \"(models|metrics|reports|harness)/[a-z0-9_/]*(testing|malformed)\\.h\"|namespace plumb::[a-z]+::testing")
    list(APPEND scope own)
  elseif(text MATCHES "[^:a-z_]testing::")
    list(APPEND scope shared)
  endif()
  if(scope)
    list(APPEND names scope)
    set(meaning.scope "${scope}")
  endif()
  string(REGEX MATCHALL "\nusing [A-Za-z0-9_:]+( = [^\n;[]+)?" lines "${text}")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "([A-Za-z0-9_]+)( =.*)?$" name "${line}")
    list(APPEND names ${CMAKE_MATCH_1})
    set(meaning.${CMAKE_MATCH_1} "${line}")
  endforeach()
  # A function's own type, which would hide another source's (-Wshadow).
  string(REGEX MATCHALL "\n +(using|struct|class|enum|enum class) [A-Za-z0-9_]+ [={:]" types "${text}")
  foreach(line IN LISTS types)
    string(REGEX MATCH "([A-Za-z0-9_]+) [={:]$" line "${line}")
    list(APPEND names ${CMAKE_MATCH_1})
    set(meaning.${CMAKE_MATCH_1} ${path})
  endforeach()
  # Up to the bracket or sign after the name, as in `constexpr int kMost`, `[[noreturn]] void refuse` and `struct Curve`.
  string(REGEX REPLACE "\n\\[\\[[a-z_]+\\]\\] " "\n" text "${text}")
  string(REGEX MATCHALL "\n[A-Za-z][A-Za-z0-9_:<>,&* ]*" heads "${text}")
  foreach(head IN LISTS heads)
    string(REGEX REPLACE " (final )?: .*| +$" "" head "${head}")
    # Neither a member's definition nor an operator's, a macro's use or the name of a namespace.
    if(head MATCHES "^\n(using|namespace|extern)( |$)|operator" OR NOT head MATCHES "[ \n*&]([A-Za-z_][A-Za-z0-9_]*)$")
      continue()
    endif()
    set(name ${CMAKE_MATCH_1})
    if(NOT name MATCHES "^[A-Z0-9_]+$")
      list(APPEND names ${name})
      set(meaning.${name} ${path})
    endif()
  endforeach()
endmacro()
