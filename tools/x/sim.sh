# ./x sim [--seeds N]: simulated runs of the real desk, standings and issuer, with crashes and faults; then every check.

run_sim() {
  local seeds
  seeds=$(number_option sim --seeds 20000 "$@")
  need_packages build
  build_release firstcome_sim
  "$root/build/release/sim/firstcome_sim" --seeds "$seeds" </dev/null ||
    stop "a promise was broken or a fault never happened; the lines above name the seeds, and --seed N --trace shows one"
}
