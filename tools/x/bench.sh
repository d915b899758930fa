# ./x bench [--quick] [--rounds N] [ROW...]: the table of docs/performance.md, beside nginx and the floor. ./x bench distributed
# [--quick] [--rounds N] [ROW...]: that of the distributed form, on the servers of `./x servers up`, which must be idle
# otherwise; SERVERS_FOLDER: where their folders are. -h lists the rows.

run_bench() {
  need_packages build peers
  if [ "${1:-}" = distributed ]; then
    need_packages servers
    source "$root/tools/x/servers.sh"
    export SERVERS_FOLDER=${SERVERS_FOLDER:-$servers_folder}
  fi
  build_release bench
  exec python3 -B "$root/bench/run.py" "$@" </dev/null
}
