# ./x sim [--seeds N | --tiny]: simulated runs of the real desk, standings and issuer, with crashes and faults; then every check.
# --tiny: all schedules of a tiny world with up to two faults instead; docs/testing.md says how long that takes.

run_sim() {
  local seeds
  if [ "$*" = --tiny ]; then
    need_packages build
    build_release firstcome_sim
    "$root/build/release/sim/firstcome_sim" --tiny </dev/null || stop "the lines above tell the shortest way to what is broken"
    return
  fi
  seeds=$(number_option sim --seeds 20000 "$@")
  need_packages build
  build_release firstcome_sim
  "$root/build/release/sim/firstcome_sim" --seeds "$seeds" </dev/null ||
    stop "a promise was broken or a fault never happened; the lines above name the seeds, and --seed N --trace shows one"
}
