# ./x demo [--distributed]: a campaign of 100 coupons, 10,000 users who rush at once over real HTTP, and the proof that exactly
# the first 100 got one. Loopback only, on free ports, in a temporary folder; nothing is left behind. With --distributed: two
# apis and two issuers, on the Redis, Kafka and MariaDB of `./x servers up`, in a topic and a database of their own; the topic
# stays, since firstcome deletes none.

run_demo() {
  case "$*" in
    "" | --distributed) ;;
    *) stop_with_usage "demo knows --distributed only, but got '$*'" ;;
  esac
  need_packages build
  build_program
  folder=$(mktemp -d "${TMPDIR:-/tmp}/firstcome-demo.XXXXXX")
  processes=()
  trap end_demo EXIT
  firstcome=$root/build/release/firstcome
  if [ $# -eq 0 ]; then demo_embedded; else demo_distributed; fi
}

demo_embedded() {
  start_process server "" serve --data "$folder/data" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0
  show campaign create demo --quota 100 --admin-url "${url_of[server-admin]}"
  show rush demo --users 10000 --repeat 0.2 --history "$folder/history" --url "${url_of[server]}"
  show status demo --url "${url_of[server]}"
  show_some 5 coupons demo --admin-url "${url_of[server-admin]}"
  show verify --data "$folder/data" --history "$folder/history"
  stop_processes
  say
  say "10,000 users rushed for 100 coupons. Exactly 100 got one, one each, in the order in which they asked: verify has"
  say "folded the journal twice, and compared it with the store and with what every client was told. Next: README.md."
}

demo_distributed() {
  source "$root/tools/x/servers.sh"
  local name
  for name in redis mariadb kafka; do
    server_runs "$name" || stop "$name does not run: ./x servers up"
  done
  database=firstcome_demo_$$
  local journal=kafka://$TEST_KAFKA/firstcome-demo-$$-$(date +%s) store=mysql://root@$TEST_MARIADB/$database
  local shared=(--journal "$journal" --gate "redis://$TEST_REDIS" --gate-prefix "firstcome-demo-$$")
  mariadb_query "create database $database"
  show topic create --journal "$journal"
  show store migrate --store "$store"
  start_process api-1 "" serve --role api "${shared[@]}" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0
  start_process api-2 "" serve --role api "${shared[@]}" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0
  start_process issuer-1 issuer serve --role issuer --journal "$journal" --store "$store" --admin-listen 127.0.0.1:0
  start_process issuer-2 issuer serve --role issuer --journal "$journal" --store "$store" --admin-listen 127.0.0.1:0
  show campaign create demo --quota 100 --admin-url "${url_of[api-1-admin]}"
  show rush demo --users 10000 --repeat 0.2 --history "$folder/history" --url "${url_of[api-1]}" --url "${url_of[api-2]}"
  show status demo --url "${url_of[api-2]}"
  show_some 5 coupons demo --admin-url "${url_of[issuer-1-admin]}"
  show verify --journal "$journal" --store "$store" --history "$folder/history" \
    --process "${url_of[api-1-admin]}" --process "${url_of[api-2-admin]}"
  stop_processes
  say
  say "10,000 users rushed for 100 coupons at two apis. Exactly 100 got one, one each, in the order in which they asked: verify"
  say "has folded the journal twice, and compared it with the store, both apis and what every client was told."
}

mariadb_query() {
  mariadb --no-defaults -h "${TEST_MARIADB%:*}" -P "${TEST_MARIADB#*:}" -u root -e "$1" ||
    stop "the MariaDB of ./x servers did not take: $1"
}

# show ARGS...: the command as one would type it, then what it prints; stops if it fails.
show() {
  printf '\n$ firstcome %s\n' "$*" | sed "s|$folder|DIR|g"
  "$firstcome" "$@" </dev/null || stop "firstcome $1 failed with exit code $?; the servers said: $(tail -n 5 "$folder"/*.log)"
}

# show_some LINES ARGS...: as show, but the first lines only.
show_some() {
  local lines=$1 printed
  shift
  printed=$(show "$@")
  head -n $((lines + 2)) <<<"$printed"
  say "..."
}

# start_process NAME ROLE ARGS...: a server; its addresses are in url_of[NAME] and url_of[NAME-admin] then. An issuer has no
# listener for users.
declare -A url_of pid_of
start_process() {
  local name=$1 role=$2 log=$folder/$1.log
  shift 2
  printf '\n$ firstcome %s\n' "$*" | sed "s|$folder|DIR|g"
  : >"$log"
  "$firstcome" "$@" >"$log" 2>&1 </dev/null &
  pid_of[$name]=$!
  processes+=("$name")
  local deadline=$((SECONDS + 15)) wanted=2 urls=()
  if [ "$role" = issuer ]; then wanted=1; fi
  while [ "$SECONDS" -lt "$deadline" ] && kill -0 "${pid_of[$name]}" 2>/dev/null; do
    mapfile -t urls < <(grep -E '^  (users ask|operators)' "$log" | grep -oE 'http://127\.0\.0\.1:[0-9]+')
    if [ ${#urls[@]} -ge "$wanted" ]; then
      url_of[$name]=${urls[0]} url_of[$name-admin]=${urls[-1]}
      if "$firstcome" health --url "${urls[0]}" >/dev/null 2>&1; then
        sed "s|$folder|DIR|g" "$log"
        return
      fi
    fi
    sleep 0.05
  done
  cat "$log" >&2
  stop "the server was not ready within 15 s; what it said is above"
}

stop_processes() {
  local name code
  for name in "${processes[@]}"; do
    printf '\n$ kill -TERM %s   # %s\n' "${pid_of[$name]}" "$name"
    code=0
    kill -TERM "${pid_of[$name]}"
    wait "${pid_of[$name]}" || code=$?
    tail -n 2 "$folder/$name.log"
    say "it answered what was in flight and ended with exit code $code"
    [ "$code" -eq 0 ] || stop "it should have been 0; that is a bug"
  done
  processes=()
}

end_demo() {
  local name
  for name in "${processes[@]}"; do kill -KILL "${pid_of[$name]}" 2>/dev/null || true; done
  if [ -n "${database:-}" ]; then mariadb_query "drop database $database"; fi
  rm -rf "${folder:-}"
}
