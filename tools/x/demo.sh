# ./x demo: a campaign of 100 coupons, 10,000 users who rush at once over real HTTP, and the proof that exactly the first
# 100 got one. Loopback only, on free ports, in a temporary folder; nothing is left behind.

run_demo() {
  takes_nothing demo "$@"
  need_packages build
  build_program
  folder=$(mktemp -d "${TMPDIR:-/tmp}/firstcome-demo.XXXXXX")
  server=
  trap end_demo EXIT
  firstcome=$root/build/release/firstcome

  start_server
  show campaign create demo --quota 100 --admin-url "$admin_url"
  show rush demo --users 10000 --repeat 0.2 --history "$folder/history" --url "$url"
  show status demo --url "$url"
  show_some 5 coupons demo --admin-url "$admin_url"
  show verify --data "$folder/data" --history "$folder/history"
  stop_server
  say
  say "10,000 users rushed for 100 coupons. Exactly 100 got one, one each, in the order in which they asked: verify has"
  say "folded the journal twice, and compared it with the store and with what every client was told. Next: README.md."
}

# show ARGS...: the command as one would type it, then what it prints; stops if it fails.
show() {
  printf '\n$ firstcome %s\n' "$*" | sed "s|$folder|DIR|g"
  "$firstcome" "$@" </dev/null || stop "firstcome $1 failed with exit code $?; the server said: $(tail -n 5 "$folder/server.log")"
}

# show_some LINES ARGS...: as show, but the first lines only.
show_some() {
  local lines=$1 printed
  shift
  printed=$(show "$@")
  head -n $((lines + 2)) <<<"$printed"
  say "..."
}

start_server() {
  printf '\n$ firstcome serve --data DIR/data\n'
  : >"$folder/server.log"
  "$firstcome" serve --data "$folder/data" --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 >"$folder/server.log" 2>&1 &
  server=$!
  local deadline=$((SECONDS + 15)) urls=()
  while [ "$SECONDS" -lt "$deadline" ] && kill -0 "$server" 2>/dev/null; do
    mapfile -t urls < <(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$folder/server.log" | awk '!seen[$0]++')
    if [ ${#urls[@]} -ge 2 ]; then
      url=${urls[0]} admin_url=${urls[1]}
      if "$firstcome" health --url "$url" >/dev/null 2>&1; then
        sed "s|$folder|DIR|g" "$folder/server.log"
        return
      fi
    fi
    sleep 0.05
  done
  cat "$folder/server.log" >&2
  stop "the server was not ready within 15 s; what it said is above"
}

stop_server() {
  printf '\n$ kill -TERM %s\n' "$server"
  local code=0
  kill -TERM "$server"
  wait "$server" || code=$?
  server=
  tail -n 2 "$folder/server.log"
  say "the server answered what was in flight and ended with exit code $code"
  [ "$code" -eq 0 ] || stop "it should have been 0; that is a bug"
}

end_demo() {
  if [ -n "${server:-}" ]; then kill -KILL "$server" 2>/dev/null || true; fi
  rm -rf "${folder:-}"
}
