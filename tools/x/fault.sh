# ./x fault [--runs N] [--some N] [--cell NAME] [--seed S] [--list]: the fault matrix. Two apis and two issuers on real servers
# of their own, a rush, one fault in the middle of it; then everybody must have a final answer, and verify be exact.

run_fault() {
  need_packages build test
  build release firstcome kafka_operator clock_ahead cut_off
  fault_tools
  local made=$root/build/release
  FIRSTCOME=$made/firstcome KAFKA_OPERATOR=$made/tests/integration/kafka_operator \
    CLOCK_AHEAD=$made/tests/matrix/clock_ahead.so CUT_OFF=$made/tests/matrix/cut_off.so \
    python3 -B "$root/tests/matrix/matrix.py" "$@" </dev/null ||
    stop "the matrix failed: the cells are above, with what broke; ./x fault --cell NAME runs one"
}

# What the matrix needs besides the servers: a proxy that breaks links.
fault_tools() {
  need_packages servers fault
  source "$root/tools/x/servers.sh"
  servers_kafka_jars
  export TOXIPROXY=$root/build/servers/toxiproxy/server
  [ -x "$TOXIPROXY" ] ||
    step toxiproxy "building toxiproxy" "look at what Go says" \
      env GOBIN="${TOXIPROXY%/*}" GOPATH="$root/build/go" GOFLAGS=-modcacherw go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.7.0
}
