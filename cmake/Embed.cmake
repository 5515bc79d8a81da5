# plumb_embed(<target> <function> <file>): std::string_view plumb::<function>() in <target>, the file's bytes as they
# are. <function> may have namespaces in front: plumb_embed(t reports::results_schema x.json) defines
# plumb::reports::results_schema(). A change of the file rebuilds it.
function(plumb_embed target function file)
  file(READ ${file} PLUMB_EMBEDDED_TEXT)
  if(PLUMB_EMBEDDED_TEXT MATCHES "\\)plumb_file\"")
    message(FATAL_ERROR "${file} holds the end of the raw string that should hold it")
  endif()
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  set(PLUMB_EMBEDDED_FUNCTION ${function})
  if(function MATCHES "^(.*)::([^:]+)$")
    set(PLUMB_EMBEDDED_SPACE ::${CMAKE_MATCH_1})
    set(PLUMB_EMBEDDED_FUNCTION ${CMAKE_MATCH_2})
  endif()
  get_filename_component(name ${file} NAME)
  set(source ${CMAKE_BINARY_DIR}/embedded/${target}/${name}.cpp)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/embedded.cpp.in ${source} @ONLY)
  set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)  # it has one string
  target_sources(${target} PRIVATE ${source})
endfunction()
