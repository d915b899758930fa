# ./x bench [--rounds N] [--quick] [ROW...]: how fast it is, beside nginx and beside the floor, as a table (bench/run.py).
#
# Everything on loopback and free ports, data in a temporary folder under build/, each server ended by its pid.

run_bench() {
  need_packages build test servers
  build release bench
  exec python3 bench/run.py "$@"
}
