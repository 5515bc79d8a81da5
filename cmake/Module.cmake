# plumb_module(<folder> [USES <folders>] [TORCH]): one folder, one library, one test program, one benchmark program.
#
#   plumb_<folder>        every *.cpp below the folder but tests, benches, programs and test plug-ins
#   plumb_<folder>_test   every *_test.cpp, found by CTest, *_testing.cpp, what they share, and *_fuzz.cpp, whose corpus
#                         they replay
#   plumb_<folder>_bench  every *_bench.cpp
#   layers/<folder>       a CTest case that fails on an #include from a folder that is not in USES
#
# Sources are globbed, so no test can be forgotten. Tests and benches may use fixtures whatever the arrows say.
# Every suite is a CTest case with its folder as a label. One whose name says so has one more: *Long* (a campaign of
# ./test --long), *SmolLm2* (the real model; alone on the machine, because it uses every core), *Golden*, *Cuda*.
function(plumb_module folder)
  cmake_parse_arguments(ARG "TORCH" "" "USES" ${ARGN})
  set(root ${CMAKE_SOURCE_DIR}/${folder})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS ${root}/*.cpp)
  set(tests ${all})
  set(benches ${all})
  set(sources ${all})
  list(FILTER tests INCLUDE REGEX "_(test|testing|fuzz)\\.cpp$")
  list(FILTER benches INCLUDE REGEX "_bench\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "(_test|_testing|_bench|_main|_fuzz|_plugin)\\.cpp$")

  if(PLUMB_TESTS)
    list(JOIN ARG_USES "," uses)
    add_test(NAME layers/${folder} COMMAND ${CMAKE_COMMAND} -DROOT=${CMAKE_SOURCE_DIR}
      -DFOLDER=${folder} -DUSES=${uses} -P ${CMAKE_SOURCE_DIR}/cmake/check_layers.cmake)
    set_tests_properties(layers/${folder} PROPERTIES LABELS layers)
  endif()

  if(NOT sources)
    add_library(plumb_${folder} INTERFACE)  # a folder whose time has not come
    target_compile_features(plumb_${folder} INTERFACE cxx_std_20)
    target_include_directories(plumb_${folder} INTERFACE ${CMAKE_SOURCE_DIR})
    foreach(used IN LISTS ARG_USES)
      target_link_libraries(plumb_${folder} INTERFACE plumb_${used})
    endforeach()
    return()
  endif()
  add_library(plumb_${folder} STATIC ${sources})
  set_target_properties(plumb_${folder} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_features(plumb_${folder} PUBLIC cxx_std_20)
  target_include_directories(plumb_${folder} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(plumb_${folder} PRIVATE plumb_warnings)
  target_link_libraries(plumb_${folder} PUBLIC nlohmann_json::nlohmann_json Threads::Threads)
  foreach(used IN LISTS ARG_USES)
    target_link_libraries(plumb_${folder} PUBLIC plumb_${used})
  endforeach()
  if(ARG_TORCH)
    target_link_libraries(plumb_${folder} PUBLIC plumb_torch)
    plumb_reuse_precompiled(plumb_${folder} plumb_precompiled)
  endif()
  if(COMMAND plumb_extra_${folder})
    cmake_language(CALL plumb_extra_${folder})
  endif()
  plumb_unite(plumb_${folder})

  if(PLUMB_TESTS AND tests)
    add_executable(plumb_${folder}_test ${tests})
    target_link_libraries(plumb_${folder}_test PRIVATE plumb_${folder} plumb_warnings GTest::gmock_main)
    if(ARG_TORCH)
      target_link_libraries(plumb_${folder}_test PRIVATE plumb_fixtures)
      plumb_reuse_precompiled(plumb_${folder}_test plumb_precompiled_test)
    endif()
    target_compile_definitions(plumb_${folder}_test PRIVATE
      PLUMB_SOURCE_DIR="${CMAKE_SOURCE_DIR}" PLUMB_BINARY_DIR="${CMAKE_BINARY_DIR}")
    if(TARGET plumb_fake_device)
      add_dependencies(plumb_${folder}_test plumb_fake_device)
    endif()
    plumb_quick_to_compile(plumb_${folder}_test)
    plumb_unite(plumb_${folder}_test)
    plumb_discover(plumb_${folder}_test ${folder})
  endif()
  if(PLUMB_TESTS AND COMMAND plumb_extra_tests_${folder})
    cmake_language(CALL plumb_extra_tests_${folder})
  endif()
  if(PLUMB_BENCHES AND benches)
    add_executable(plumb_${folder}_bench ${benches})
    target_link_libraries(plumb_${folder}_bench PRIVATE plumb_${folder} plumb_warnings
      benchmark::benchmark benchmark::benchmark_main)
    if(ARG_TORCH)
      target_link_libraries(plumb_${folder}_bench PRIVATE plumb_fixtures)
    endif()
  endif()
endfunction()

# CTest cases of a GoogleTest program, one a suite, with the labels that their names ask for.
function(plumb_discover target folder)
  set(cases ${CMAKE_BINARY_DIR}/${target}_suites.cmake)
  add_custom_command(TARGET ${target} POST_BUILD BYPRODUCTS ${cases} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:${target}> -DFOLDER=${folder} -DOUT=${cases}
      -P ${CMAKE_SOURCE_DIR}/cmake/list_suites.cmake)
  file(WRITE ${CMAKE_BINARY_DIR}/${target}_tests.cmake
    "if(EXISTS [==[${cases}]==])\n  include([==[${cases}]==])\nelse()\n  add_test(${target}_NOT_BUILT ${target}_NOT_BUILT)\n"
    "  set_tests_properties(${target}_NOT_BUILT PROPERTIES LABELS ${folder})\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${CMAKE_BINARY_DIR}/${target}_tests.cmake)
endfunction()

# What single folders link beside their arrows.
function(plumb_extra_base)
  target_link_libraries(plumb_base PRIVATE OpenSSL::Crypto plumb_boost benchmark::benchmark)
  target_compile_definitions(plumb_base PRIVATE PLUMB_VERSION="${PROJECT_VERSION}"
    PLUMB_BUILD_TYPE="${CMAKE_BUILD_TYPE}")
  plumb_always_optimise(${CMAKE_SOURCE_DIR}/base/json_fields.cpp)
  include(Commit)
  plumb_commit(plumb_base)
endfunction()
function(plumb_extra_models)
  target_link_libraries(plumb_models PRIVATE PkgConfig::PCRE2 plumb_sentencepiece ZLIB::ZLIB ${CMAKE_DL_LIBS})
  plumb_always_optimise(${CMAKE_SOURCE_DIR}/models/formats/json_events.cpp ${CMAKE_SOURCE_DIR}/models/formats/json_tree.cpp)
  # Vectors wider than a set's registers are passed between inlined functions only, so their ABI does not matter.
  file(GLOB panels ${CMAKE_SOURCE_DIR}/models/kernels/panels_*.cpp
    ${CMAKE_SOURCE_DIR}/models/kernels/training_rows_*.cpp)
  set_source_files_properties(${panels} PROPERTIES COMPILE_OPTIONS -Wno-psabi)
endfunction()
# Plug-ins that are wrong in one way each, for the tests of models/device.h.
function(plumb_extra_tests_models)
  foreach(kind good old empty mute cuda)
    string(TOUPPER ${kind} upper)
    add_library(plumb_fake_${kind} MODULE ${CMAKE_SOURCE_DIR}/models/device_fake_plugin.cpp)
    target_compile_features(plumb_fake_${kind} PRIVATE cxx_std_20)
    target_compile_definitions(plumb_fake_${kind} PRIVATE PLUMB_FAKE_${upper})
    target_include_directories(plumb_fake_${kind} PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(plumb_fake_${kind} PRIVATE plumb_warnings)
    add_dependencies(plumb_models_test plumb_fake_${kind})
  endforeach()
  # A device of ATen's that runs on the CPU. Its libtorch is the one of the program that opens it.
  add_library(plumb_fake_device MODULE ${CMAKE_SOURCE_DIR}/models/fake_device/fake_device_plugin.cpp)
  target_compile_features(plumb_fake_device PRIVATE cxx_std_20)
  target_include_directories(plumb_fake_device PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(plumb_fake_device PRIVATE plumb_torch plumb_warnings)
  add_dependencies(plumb_models_test plumb_fake_device)
endfunction()
function(plumb_extra_fixtures)
  target_link_libraries(plumb_fixtures PRIVATE OpenSSL::SSL)
endfunction()
function(plumb_extra_tests_harness)
  foreach(disk no_flock failing_disk)  # preloaded by tests
    add_library(plumb_${disk} MODULE ${CMAKE_SOURCE_DIR}/harness/fetch/${disk}_plugin.cpp)
    target_link_libraries(plumb_${disk} PRIVATE plumb_warnings ${CMAKE_DL_LIBS})
    add_dependencies(plumb_harness_test plumb_${disk})
  endforeach()
endfunction()
function(plumb_extra_reports)
  target_link_libraries(plumb_reports PRIVATE pugixml::pugixml)
  include(Embed)
  foreach(schema results baseline gate)
    plumb_embed(plumb_reports reports::${schema}_schema ${CMAKE_SOURCE_DIR}/reports/schema/${schema}.schema.json)
    install(FILES ${CMAKE_SOURCE_DIR}/reports/schema/${schema}.schema.json DESTINATION share/plumb/schema)
  endforeach()
endfunction()
function(plumb_extra_metrics)
  target_link_libraries(plumb_metrics PRIVATE benchmark::benchmark)
  include(Embed)
  foreach(task mmlu mmlu_lm_eval boolq hellaswag arc_easy arc_challenge piqa winogrande smoke multiple_choice)
    plumb_embed(plumb_metrics metrics::${task}_task_json ${CMAKE_SOURCE_DIR}/fixtures/tasks/${task}.json)
  endforeach()
  plumb_embed(plumb_metrics metrics::smoke_questions_jsonl ${CMAKE_SOURCE_DIR}/fixtures/questions/smoke.jsonl)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/fixtures/tasks ${CMAKE_SOURCE_DIR}/fixtures/questions DESTINATION share/plumb)
endfunction()
function(plumb_extra_harness)
  target_link_libraries(plumb_harness PUBLIC CLI11::CLI11)
  target_link_libraries(plumb_harness PRIVATE CURL::libcurl PkgConfig::PCRE2 SQLite::SQLite3 ${CMAKE_DL_LIBS})
  include(Embed)
  foreach(claim collapse_fractions dense_losses shortgpt_curve shortgpt_mmlu published_starts block_removal_mmlu
      llama_2_70b)
    plumb_embed(plumb_harness harness::${claim}_json ${CMAKE_SOURCE_DIR}/fixtures/claims/${claim}.json)
  endforeach()
  plumb_embed(plumb_harness harness::default_experiment_json
    ${CMAKE_SOURCE_DIR}/fixtures/experiments/default.json)
  foreach(dataset c4 mmlu boolq hellaswag arc piqa winogrande)
    plumb_embed(plumb_harness harness::${dataset}_dataset_json ${CMAKE_SOURCE_DIR}/fixtures/datasets/${dataset}.json)
  endforeach()
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/fixtures/claims DESTINATION share/plumb)
endfunction()
