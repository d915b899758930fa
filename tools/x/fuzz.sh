# ./x fuzz [--seconds S]: each libFuzzer target for S seconds, in the asan build; the canary among them must fail.

run_fuzz() {
  local seconds
  seconds=$(number_option fuzz --seconds 60 "$@")
  need_packages build test
  fuzz_seconds=$seconds
  build asan fuzz/all
  ctest --test-dir "$root/build/asan" -L '^fuzz$' --output-on-failure --no-tests=error -j "$(nproc)" </dev/null ||
    stop "a fuzz target found something: the input is the file that is named above; add it to fuzz/corpus with the mend"
}
