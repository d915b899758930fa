# ./x bench [--quick] [--rounds N] [ROW...]: the table of docs/performance.md, beside nginx and the floor. bench/run.py -h lists the rows.

run_bench() {
  need_packages build peers
  build_release bench
  exec python3 -B "$root/bench/run.py" "$@" </dev/null
}
