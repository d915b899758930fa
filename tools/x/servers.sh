# ./x servers up [--cluster] | down | status: the real servers that tests, benchmarks and demos use. From packages, on
# loopback, on ports and in folders of their own (build/servers), as the present user; nothing of the system is touched.
# Their addresses are in the variables below, under which tests find them.

export TEST_REDIS=127.0.0.1:17379 TEST_MARIADB=127.0.0.1:17306 TEST_KAFKA=127.0.0.1:17092
export TEST_REDIS_REPLICA=127.0.0.1:17380 TEST_REDIS_SENTINEL=127.0.0.1:17381
export TEST_REDIS_TLS=127.0.0.1:17382 TEST_REDIS_CA=$root/build/servers/tls/ca.pem
export TEST_REDIS_CLUSTER=127.0.0.1:17391,127.0.0.1:17392,127.0.0.1:17393
export TEST_KAFKA_CLUSTER=127.0.0.1:17094,127.0.0.1:17095,127.0.0.1:17096

servers_folder=$root/build/servers
export TEST_KAFKA_JARS=$servers_folder/kafka-jars
servers_single=(redis mariadb kafka)
servers_cluster=(redis-primary redis-replica redis-sentinel redis-cluster-1 redis-cluster-2 redis-cluster-3 kafka-1 kafka-2 kafka-3)

run_servers() {
  local names=("${servers_single[@]}")
  case "$*" in
    up) servers_up "${names[@]}" ;;
    "up --cluster")
      servers_up "${names[@]}" "${servers_cluster[@]}"
      servers_join_cluster
      ;;
    down) servers_down "${servers_cluster[@]}" "${names[@]}" ;;
    status) servers_status "${names[@]}" "${servers_cluster[@]}" ;;
    *) stop_with_usage "servers knows up, up --cluster, down and status, but got '$*'" ;;
  esac
}

# servers_up NAME...: starts those that do not run, at once, then waits for each.
servers_up() {
  need_packages servers
  servers_kafka_jars
  local name began=$SECONDS
  for name in "$@"; do
    server_runs "$name" && continue
    mkdir -p "$servers_folder/$name"
    server_start "$name"
  done
  for name in "$@"; do server_await "$name"; done
  say "servers are up after $((SECONDS - began)) s: $*"
}

servers_down() {
  local name pid running=()
  for name in "$@"; do
    server_runs "$name" || continue
    pid=$(cat "$servers_folder/$name/pid")
    kill -TERM "$pid" && running+=("$name")
  done
  for name in "${running[@]}"; do
    local deadline=$((SECONDS + 10))
    while server_runs "$name"; do
      if [ "$SECONDS" -ge "$deadline" ]; then kill -KILL "$(cat "$servers_folder/$name/pid")" 2>/dev/null || true; fi
      sleep 0.05
    done
    rm -f "$servers_folder/$name/pid"
  done
  say "servers are down: ${running[*]:-none was up}"
}

servers_status() {
  local name
  for name in "$@"; do
    if server_runs "$name"; then
      printf '%-16s up    %-18s pid %s\n' "$name" "127.0.0.1:$(server_port "$name")" "$(cat "$servers_folder/$name/pid")"
    else
      printf '%-16s down\n' "$name"
    fi
  done
}

server_port() {
  case "$1" in
    redis) echo 17379 ;; redis-primary) echo 17383 ;; redis-replica) echo 17380 ;; redis-sentinel) echo 17381 ;;
    redis-cluster-*) echo $((17390 + ${1##*-})) ;;
    mariadb) echo 17306 ;;
    kafka) echo 17092 ;; kafka-*) echo $((17093 + ${1##*-})) ;;
  esac
}

# A pid file may outlive its process, and the number may be another's by now: the folder stands in our servers' commands.
server_runs() {
  local pid
  pid=$(cat "$servers_folder/$1/pid" 2>/dev/null) || return 1
  [ -r "/proc/$pid/cmdline" ] && grep -qF "$servers_folder/$1/" "/proc/$pid/cmdline"
}

# server_spawn NAME COMMAND...: in the background, in a session of its own, so that a Ctrl-C here does not reach it.
server_spawn() {
  local name=$1
  shift
  setsid nohup "$@" >>"$servers_folder/$name/log" 2>&1 </dev/null &
  echo $! >"$servers_folder/$name/pid"
  disown
}

server_start() {
  local name=$1 folder=$servers_folder/$1 port
  port=$(server_port "$name")
  case "$name" in
    redis | redis-primary | redis-replica | redis-cluster-*) redis_start "$name" "$port" ;;
    redis-sentinel) sentinel_start "$port" ;;
    mariadb) mariadb_start "$port" ;;
    kafka | kafka-*) kafka_start "$name" "$port" ;;
  esac
}

# server_await NAME: it answers, or it is said what is wrong.
server_await() {
  local name=$1 deadline=$((SECONDS + 30)) port
  port=$(server_port "$name")
  until server_answers "$name" "$port"; do
    if ! server_runs "$name" || [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 15 "$servers_folder/$name/log" >&2
      stop "$name did not come up on port $port: its last lines are above, all of them in build/servers/$name/log"
    fi
    sleep 0.1
  done
}

server_answers() {
  case "$1" in
    redis*) [ "$(redis-cli -p "$2" ping 2>/dev/null)" = PONG ] ;;
    mariadb) mariadb-admin --no-defaults -h 127.0.0.1 -P "$2" -u root ping >/dev/null 2>&1 ;;
    kafka*) kcat -b "127.0.0.1:$2" -L -m 2 >/dev/null 2>&1 ;;
  esac
}

redis_start() {
  local name=$1 port=$2 folder=$servers_folder/$1
  {
    printf 'bind 127.0.0.1\nport %s\ndir %s/\nsave ""\nappendonly no\nset-proc-title no\nenable-debug-command local\n' "$port" "$folder"
    case "$name" in
      redis)
        redis_certificates
        printf 'tls-port 17382\ntls-ca-cert-file %s\ntls-cert-file %s\ntls-key-file %s\ntls-auth-clients no\n' \
          "$servers_folder/tls/ca.pem" "$servers_folder/tls/server.pem" "$servers_folder/tls/server.key"
        ;;
      redis-replica) printf 'replicaof 127.0.0.1 %s\n' "$(server_port redis-primary)" ;;
      redis-cluster-*) printf 'cluster-enabled yes\ncluster-config-file %s/nodes.conf\ncluster-node-timeout 2000\n' "$folder" ;;
    esac
  } >"$folder/redis.conf"
  server_spawn "$name" redis-server "$folder/redis.conf"
}

# An authority, a certificate of it for 127.0.0.1, and another authority that nobody believes.
redis_certificates() {
  local folder=$servers_folder/tls name
  [ -e "$folder/ca.pem" ] && return
  mkdir -p "$folder.new"
  for name in ca other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=firstcome $name" -keyout "$folder.new/$name.key" \
      -out "$folder.new/$name.pem"
  done 2>/dev/null
  openssl req -new -newkey rsa:2048 -nodes -subj /CN=redis -keyout "$folder.new/server.key" -out "$folder.new/server.csr" 2>/dev/null
  openssl x509 -req -days 3650 -in "$folder.new/server.csr" -CA "$folder.new/ca.pem" -CAkey "$folder.new/ca.key" \
    -CAcreateserial -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost') -out "$folder.new/server.pem" 2>/dev/null
  mv "$folder.new/other.pem" "$folder.new/ca.pem.other"
  mv "$folder.new" "$folder"
}

sentinel_start() {
  local folder=$servers_folder/redis-sentinel
  printf 'bind 127.0.0.1\nport %s\ndir %s/\nset-proc-title no\nsentinel monitor firstcome 127.0.0.1 %s 1\nsentinel down-after-milliseconds firstcome 1000\nsentinel failover-timeout firstcome 5000\n' \
    "$1" "$folder" "$(server_port redis-primary)" >"$folder/sentinel.conf"
  server_spawn redis-sentinel redis-sentinel "$folder/sentinel.conf"
}

mariadb_start() {
  local folder=$servers_folder/mariadb
  if [ ! -d "$folder/data/mysql" ]; then
    mariadb-install-db --no-defaults --datadir="$folder/data" --auth-root-authentication-method=normal --skip-test-db \
      --user="$(id -un)" >"$folder/log" 2>&1 || stop "mariadb-install-db failed: see build/servers/mariadb/log"
  fi
  server_spawn mariadb mariadbd --no-defaults --user="$(id -un)" --datadir="$folder/data" --port="$1" --bind-address=127.0.0.1 \
    --socket="$folder/socket" --pid-file="$folder/mariadb.pid" --innodb-buffer-pool-size=256M
}

# The broker's jars, once.
servers_kafka_jars() {
  [ -d "$servers_folder/kafka-jars" ] && return
  mkdir -p "$servers_folder"
  rm -rf "$servers_folder/kafka-jars.new"
  step kafka-jars "fetching the Kafka broker" "look at what Maven says" \
    mvn -q -B -f "$root/tools/servers/kafka-pom.xml" dependency:copy-dependencies -DoutputDirectory="$servers_folder/kafka-jars.new"
  mv "$servers_folder/kafka-jars.new" "$servers_folder/kafka-jars"
}

kafka_start() {
  local name=$1 port=$2 folder=$servers_folder/$1 id=1 voters memory=512m replicas=1
  voters="1@127.0.0.1:17093"
  local controller=17093
  if [ "$name" != kafka ]; then
    id=${name##*-} memory=256m replicas=3
    controller=$((17096 + id))
    voters="1@127.0.0.1:17097,2@127.0.0.1:17098,3@127.0.0.1:17099"
  fi
  cat >"$folder/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$folder/data
auto.create.topics.enable=false
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
unclean.leader.election.enable=false
PROPERTIES
  if [ ! -e "$folder/data/meta.properties" ]; then
    java -cp "$servers_folder/kafka-jars/*" kafka.tools.StorageTool format -t firstcome-for-testing0 \
      -c "$folder/server.properties" >"$folder/log" 2>&1 || stop "the folder of $name could not be made: see build/servers/$name/log"
  fi
  : >"$folder/log"
  server_spawn "$name" java "-Xmx$memory" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$servers_folder/kafka-jars/*" kafka.Kafka "$folder/server.properties"
}

# The three Redis primaries share the slots once.
servers_join_cluster() {
  local port=17391
  redis-cli -p $port cluster info 2>/dev/null | grep -q '^cluster_state:ok' && return
  redis-cli --cluster create ${TEST_REDIS_CLUSTER//,/ } --cluster-yes >"$servers_folder/redis-cluster.log" 2>&1 ||
    stop "the Redis Cluster did not join: see build/servers/redis-cluster.log"
  local deadline=$((SECONDS + 20))
  until redis-cli -p $port cluster info | grep -q '^cluster_state:ok'; do
    [ "$SECONDS" -lt "$deadline" ] || stop "the Redis Cluster has no state: see build/servers/redis-cluster-1/log"
    sleep 0.1
  done
}
