# ./x test [--quick]: all tests, of all builds, as one ctest suite.
#
# release runs everything once; asan and tsan run the quick tests again, with some of the slow ones at fewer rounds, and the
# fuzz targets; mutants runs the simulation against each mutant. Which entry belongs where is said by its labels
# (cmake/firstcome.cmake). Only the targets that are run are built. Those labelled "servers" find the real Redis, MariaDB and
# Kafka of `./x servers up --cluster`, which are started for them, and stopped unless they were up before.

run_test() {
  local quick=
  case "$*" in
    "") ;;
    --quick) quick=yes ;;
    *) stop_with_usage "test knows --quick only, but got '$*'" ;;
  esac
  need_packages build test
  source "$root/tools/x/servers.sh"
  if [ -n "$quick" ]; then
    build release tests
    run_suite release -L quick
  else
    need_packages servers
    local builds=(release asan tsan mutants) name
    build release tests bench
    for name in "${builds[@]:1}"; do build "$name" tests; done
    mkdir -p "$root/build/suite"
    printf "subdirs(\"$root/build/%s\")\n" "${builds[@]}" >"$root/build/suite/CTestTestfile.cmake"
    source "$root/tools/x/fault.sh"
    fault_tools
    trap stop_servers EXIT
    start_servers
    run_suite suite
  fi
}

start_servers() {
  started=()
  local name
  for name in "${servers_single[@]}" "${servers_cluster[@]}"; do
    server_runs "$name" || started+=("$name")
  done
  run_servers up --cluster
}

stop_servers() { servers_down "${started[@]}"; }

# run_suite FOLDER [CTEST OPTION...]: ctest's summary is the last thing that is printed but for the servers' end.
run_suite() {
  local folder=$1
  shift
  ctest --test-dir "$root/build/$folder" --output-on-failure --no-tests=error -j "$(nproc)" "$@" </dev/null
}
