# Compiler settings for every target, and the three functions with which folders declare themselves.

add_library(firstcome_options INTERFACE)
target_compile_options(firstcome_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wunused -Woverloaded-virtual
  -Wextra-semi -Wno-missing-designated-field-initializers -fno-omit-frame-pointer)
target_compile_definitions(firstcome_options INTERFACE _FILE_OFFSET_BITS=64)
target_include_directories(firstcome_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_link_options(firstcome_options INTERFACE -fuse-ld=lld)
if(FIRSTCOME_SANITIZE)
  target_compile_options(firstcome_options INTERFACE -fsanitize=${FIRSTCOME_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(firstcome_options INTERFACE -fsanitize=${FIRSTCOME_SANITIZE})
endif()
if(FIRSTCOME_FUZZ)
  target_compile_options(firstcome_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(FIRSTCOME_MUTANTS)
  target_compile_definitions(firstcome_options INTERFACE FIRSTCOME_MUTANTS)
endif()

# The builds of the sanitizers and of the mutants compile again what release compiles, and would take twice as long as it. So
# there, and in the tests of all builds, what most files include is parsed once (in release no file of src/ sees what it does
# not include itself), and what is not run much, the tests and the COLD libraries, is not optimized, which costs more than
# running it.
set(FIRSTCOME_PRECOMPILE OFF)
if(FIRSTCOME_SANITIZE OR FIRSTCOME_MUTANTS)
  set(FIRSTCOME_PRECOMPILE ON)
endif()
set(firstcome_standard_headers
  <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <deque> <expected> <functional> <iostream> <map>
  <memory> <mutex> <optional> <random> <set> <span> <sstream> <string> <string_view> <thread> <unordered_map> <utility>
  <variant> <vector>)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cc CONTENT "")

# firstcome_precompiled(NAME OPTIMIZE -O... HEADERS ... [DEPENDS ...]): what firstcome_precompile() takes.
function(firstcome_precompiled NAME)
  cmake_parse_arguments(A "" "OPTIMIZE" "HEADERS;DEPENDS" ${ARGN})
  add_library(${NAME} OBJECT ${CMAKE_BINARY_DIR}/precompiled.cc)
  target_compile_options(${NAME} PRIVATE ${A_OPTIMIZE} "SHELL:-Xclang -fno-pch-timestamp")  # ccache asks for the latter
  target_link_libraries(${NAME} PRIVATE firstcome_options ${A_DEPENDS})
  target_precompile_headers(${NAME} PRIVATE ${A_HEADERS})
endfunction()

# Where this build has FROM.
function(firstcome_precompile TARGET FROM OPTIMIZE)
  if(TARGET ${FROM})
    target_precompile_headers(${TARGET} REUSE_FROM ${FROM})
    target_compile_options(${TARGET} PRIVATE ${OPTIMIZE} "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

# firstcome_library(NAME SOURCES a.cc ... DEPENDS model ... [PRIVATE vendor ...] [COLD])
#   One folder, one target. DEPENDS is the whole list of our targets that the folder may include;
#   `./x check` compares it with the #include lines. PRIVATE are vendors' libraries, for its .cc files only.
function(firstcome_library NAME)
  cmake_parse_arguments(A "COLD" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(${NAME} STATIC ${A_SOURCES})
  target_link_libraries(${NAME} PUBLIC firstcome_options ${A_DEPENDS} PRIVATE ${A_PRIVATE})
  if(A_COLD)
    firstcome_precompile(${NAME} precompiled_cold -O0)
  else()
    firstcome_precompile(${NAME} precompiled -O1)
  endif()
endfunction()

# What a test entry is called, and whether this build runs it. The names carry the build ("tsan.desk_test"), since `./x test`
# runs the entries of all builds as one suite. By its labels an entry is run by
#   release, debug   every one but those labelled "mutants"
#   asan, tsan       "quick" and "sanitized", unless labelled "unsanitized" (or "asan"/"tsan", to be run by that one only)
#   mutants          "mutants" only
set(FIRSTCOME_BUILD "" CACHE STRING "Put before the names of this build's tests, e.g. tsan.")
add_custom_target(tests)
function(firstcome_runs_here LABELS RESULT)
  set(runs TRUE)
  if(NOT FIRSTCOME_TESTS)
    set(runs FALSE)
  elseif(FIRSTCOME_MUTANTS)
    if(NOT mutants IN_LIST LABELS)
      set(runs FALSE)
    endif()
  elseif(mutants IN_LIST LABELS)
    set(runs FALSE)
  elseif(FIRSTCOME_SANITIZE)
    if(unsanitized IN_LIST LABELS OR NOT LABELS MATCHES "quick|sanitized|asan|tsan")
      set(runs FALSE)
    elseif(FIRSTCOME_SANITIZE STREQUAL "thread" AND asan IN_LIST LABELS)
      set(runs FALSE)
    elseif(NOT FIRSTCOME_SANITIZE STREQUAL "thread" AND tsan IN_LIST LABELS)
      set(runs FALSE)
    endif()
  endif()
  set(${RESULT} ${runs} PARENT_SCOPE)
endfunction()

# firstcome_port(NAME DEPENDS model ...)
#   A port: headers only. Its adapters are targets of their own beside it (journal_sqlite), so that who uses the port
#   links no vendor.
function(firstcome_port NAME)
  cmake_parse_arguments(A "" "" "DEPENDS" ${ARGN})
  add_library(${NAME} INTERFACE)
  target_link_libraries(${NAME} INTERFACE firstcome_options ${A_DEPENDS})
endfunction()

# firstcome_test(NAME SOURCES x_test.cc ... DEPENDS ... [LABELS quick|slow|servers ...] [TIMEOUT s] [ALONE] [ARGS ...])
#   A GoogleTest program, one ctest entry. "quick" is what `./x test --quick` runs; "servers" needs `./x servers up --cluster`
#   and the variables that it prints.
function(firstcome_test NAME)
  cmake_parse_arguments(A "ALONE" "TIMEOUT" "SOURCES;DEPENDS;LABELS;ARGS" ${ARGN})
  set(alone)
  if(A_ALONE)
    set(alone ALONE)
  endif()
  if(NOT A_LABELS)
    set(A_LABELS quick)
  endif()
  firstcome_runs_here("${A_LABELS}" runs)
  if(NOT runs)
    return()
  endif()
  add_executable(${NAME} ${A_SOURCES})
  target_link_libraries(${NAME} PRIVATE firstcome_options ${A_DEPENDS} GTest::gtest_main)
  firstcome_precompile(${NAME} precompiled_for_tests -O0)
  firstcome_test_entry(${NAME} COMMAND ${NAME} ${A_ARGS} NEEDS ${NAME} LABELS ${A_LABELS} TIMEOUT ${A_TIMEOUT} ${alone})
endfunction()

# Under a sanitizer everything takes 5 to 20 times as long: more time, and fewer cases of each property.
function(firstcome_sanitized_entry ENTRY TIMEOUT)
  set(symbolizer external_symbolizer_path=/usr/lib/llvm-19/bin/llvm-symbolizer)
  math(EXPR timeout "4 * ${TIMEOUT}")
  set_tests_properties(${ENTRY} PROPERTIES TIMEOUT ${timeout} ENVIRONMENT
    "RC_PARAMS=max_success=100;ASAN_OPTIONS=${symbolizer};TSAN_OPTIONS=${symbolizer}:second_deadlock_stack=1;UBSAN_OPTIONS=${symbolizer}:print_stacktrace=1")
endfunction()

# firstcome_test_entry(NAME COMMAND ... [NEEDS targets to build first ...] [LABELS ...] [TIMEOUT s] [ALONE])
#   One ctest entry for any command, e.g. a Python test or a run of the simulation. ALONE: not beside another entry.
function(firstcome_test_entry NAME)
  cmake_parse_arguments(A "ALONE" "TIMEOUT" "COMMAND;NEEDS;LABELS" ${ARGN})
  if(NOT A_LABELS)
    set(A_LABELS quick)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 60)
  endif()
  firstcome_runs_here("${A_LABELS}" runs)
  if(NOT runs)
    return()
  endif()
  add_test(NAME ${FIRSTCOME_BUILD}${NAME} COMMAND ${A_COMMAND})
  set_tests_properties(${FIRSTCOME_BUILD}${NAME} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT})
  if(FIRSTCOME_SANITIZE)
    firstcome_sanitized_entry(${FIRSTCOME_BUILD}${NAME} ${A_TIMEOUT})
  endif()
  if(A_ALONE)
    set_tests_properties(${FIRSTCOME_BUILD}${NAME} PROPERTIES RUN_SERIAL TRUE)
  endif()
  if(A_NEEDS)
    add_dependencies(tests ${A_NEEDS})
  endif()
endfunction()

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(SQLite3 REQUIRED)
if(FIRSTCOME_TESTS)
  find_package(GTest REQUIRED)
endif()
if(FIRSTCOME_PRECOMPILE)
  firstcome_precompiled(precompiled OPTIMIZE -O1 HEADERS ${firstcome_standard_headers})
  firstcome_precompiled(precompiled_cold OPTIMIZE -O0 HEADERS ${firstcome_standard_headers})
endif()
if(FIRSTCOME_TESTS)
  firstcome_precompiled(precompiled_for_tests OPTIMIZE -O0 HEADERS ${firstcome_standard_headers} <gtest/gtest.h>
    DEPENDS GTest::gtest)
endif()
