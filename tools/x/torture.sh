# ./x torture [--kills N] [--seed S]: a real server under a real rush, killed by SIGKILL N times and restarted, while clients go on; then the proof.

run_torture() {
  need_packages build test
  build_program
  FIRSTCOME="$root/build/release/firstcome" python3 -B "$root/tests/torture/torture.py" "$@" </dev/null ||
    stop "the torture failed; what is wrong is said above, with the seed that repeats its plan"
}
