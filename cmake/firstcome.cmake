# Compiler settings for every target, and the three functions with which folders declare themselves.

add_library(firstcome_options INTERFACE)
target_compile_options(firstcome_options INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wunused -Woverloaded-virtual
  -Wextra-semi -fno-omit-frame-pointer)
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

# firstcome_library(NAME SOURCES a.cc ... DEPENDS model ... [PRIVATE vendor ...])
#   One folder, one target. DEPENDS is the whole list of our targets that the folder may include;
#   `./x check` compares it with the #include lines. PRIVATE are vendors' libraries, for its .cc files only.
function(firstcome_library NAME)
  cmake_parse_arguments(A "" "" "SOURCES;DEPENDS;PRIVATE" ${ARGN})
  add_library(${NAME} STATIC ${A_SOURCES})
  target_link_libraries(${NAME} PUBLIC firstcome_options ${A_DEPENDS} PRIVATE ${A_PRIVATE})
endfunction()

# firstcome_test(NAME SOURCES x_test.cc ... DEPENDS ... [LABELS quick|slow ...] [TIMEOUT s] [ARGS ...])
#   A GoogleTest program, one ctest entry. "quick" is what `./x test --quick` runs.
function(firstcome_test NAME)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;DEPENDS;LABELS;ARGS" ${ARGN})
  if(FIRSTCOME_FUZZ)
    return()
  endif()
  add_executable(${NAME} ${A_SOURCES})
  target_link_libraries(${NAME} PRIVATE firstcome_options ${A_DEPENDS} GTest::gtest_main)
  add_test(NAME ${NAME} COMMAND ${NAME} ${A_ARGS})
  if(NOT A_LABELS)
    set(A_LABELS quick)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 60)
  endif()
  set_tests_properties(${NAME} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT})
endfunction()

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(fmt REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(GTest REQUIRED)
