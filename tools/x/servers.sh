# ./x servers up [--cluster | NAME...] | down | status: the real servers that tests, benchmarks and demos use. From packages, on
# loopback, on ports and in folders of their own (build/servers), as the present user; nothing of the system is touched.
# Their addresses are in the variables below, under which tests find them. Who breaks servers wants a set of his own:
# SERVERS_PORT and SERVERS_FOLDER put it elsewhere, and SERVERS_LINKS gives each broker so many more listeners, which tell
# clients to come to the port 100 above: that of a proxy. SERVERS_CUT_OFF is preloaded into each of the three brokers
# (tests/matrix/cut_off.cc).

servers_base=${SERVERS_PORT:-17000}
servers_folder=${SERVERS_FOLDER:-$root/build/servers}
export TEST_REDIS=127.0.0.1:$((servers_base + 379)) TEST_MARIADB=127.0.0.1:$((servers_base + 306))
export TEST_KAFKA=127.0.0.1:$((servers_base + 92)) TEST_KAFKA_SECURE=127.0.0.1:$((servers_base + 90))
export TEST_TLS=$servers_folder/tls
export TEST_REDIS_SENTINEL=127.0.0.1:$((servers_base + 381))
export TEST_REDIS_TLS=127.0.0.1:$((servers_base + 382)) TEST_REDIS_CA=$TEST_TLS/ca.pem
export TEST_REDIS_CLUSTER=127.0.0.1:$((servers_base + 391)),127.0.0.1:$((servers_base + 392)),127.0.0.1:$((servers_base + 393))
export TEST_KAFKA_CLUSTER=127.0.0.1:$((servers_base + 94)),127.0.0.1:$((servers_base + 95)),127.0.0.1:$((servers_base + 96))
export TEST_KAFKA_JARS=$root/build/servers/kafka-jars

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
    up\ *)
      shift
      local name
      for name in "$@"; do
        [[ " ${servers_single[*]} ${servers_cluster[*]} " == *" $name "* ]] ||
          stop_with_usage "there is no server $name; there are ${servers_single[*]} ${servers_cluster[*]}"
      done
      servers_up "$@"
      ;;
    *) stop_with_usage "servers knows up, up --cluster, up NAME..., down and status, but got '$*'" ;;
  esac
}

# servers_up NAME...: starts those that do not run, at once, then waits for each.
servers_up() {
  need_packages servers
  servers_kafka_jars
  servers_certificates
  local name began=$SECONDS
  for name in "$@"; do
    server_runs "$name" && continue
    mkdir -p "$servers_folder/$name"
    server_start "$name"
  done
  for name in "$@"; do server_await "$name"; done
  say "servers are up after $((SECONDS - began)) s"
  servers_status "$@"
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
      printf '%-16s up    %-16s pid %-7s %s\n' "$name" "127.0.0.1:$(server_port "$name")" \
        "$(cat "$servers_folder/$name/pid")" "$(server_user "$name")"
    else
      printf '%-16s down\n' "$name"
    fi
  done
}

server_user() {
  if [ "$1" = mariadb ]; then echo "user root, no password"; fi
}

server_port() {
  local offset
  case "$1" in
    redis) offset=379 ;; redis-replica) offset=380 ;; redis-sentinel) offset=381 ;; redis-primary) offset=383 ;;
    redis-cluster-*) offset=$((390 + ${1##*-})) ;;
    mariadb) offset=306 ;;
    kafka) offset=92 ;; kafka-*) offset=$((93 + ${1##*-})) ;;
  esac
  echo $((servers_base + offset))
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
  local name=$1 deadline=$((SECONDS + 90)) port
  port=$(server_port "$name")
  until server_answers "$name" "$port"; do
    # Not server_runs: between fork and exec its command line is not yet its own.
    if ! [ -d "/proc/$(cat "$servers_folder/$name/pid")" ] || [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 15 "$servers_folder/$name/log" >&2
      stop "$name did not come up on port $port: its last lines are above, all of them in $servers_folder/$name/log"
    fi
    sleep 0.1
  done
}

server_answers() {
  case "$1" in
    redis*) [ "$(redis-cli -p "$2" ping 2>/dev/null)" = PONG ] ;;
    mariadb) mariadb-admin --no-defaults -h 127.0.0.1 -P "$2" -u root ping >/dev/null 2>&1 ;;
    # It names itself only when the controller has let it in. No grep -q: kcat names all topics, and breaks when nobody reads.
    kafka*) (: <"/dev/tcp/127.0.0.1/$2") 2>/dev/null && kcat -b "127.0.0.1:$2" -L -m 2 2>/dev/null | grep "broker .* at 127.0.0.1:$2" >/dev/null ;;
  esac
}

redis_start() {
  local name=$1 port=$2 folder=$servers_folder/$1
  {
    printf 'bind 127.0.0.1\nport %s\ndir %s/\nsave ""\nappendonly no\nset-proc-title no\nenable-debug-command local\n' "$port" "$folder"
    case "$name" in
      redis)
        printf 'tls-port %s\ntls-ca-cert-file %s\ntls-cert-file %s\ntls-key-file %s\ntls-auth-clients no\n' \
          "${TEST_REDIS_TLS#*:}" "$TEST_TLS/ca.pem" "$TEST_TLS/server.pem" "$TEST_TLS/server.key"
        ;;
      redis-replica) printf 'replicaof 127.0.0.1 %s\n' "$(server_port redis-primary)" ;;
      redis-cluster-*) printf 'cluster-enabled yes\ncluster-config-file %s/nodes.conf\ncluster-node-timeout 2000\n' "$folder" ;;
    esac
  } >"$folder/redis.conf"
  server_spawn "$name" redis-server "$folder/redis.conf"
}

# An authority, a certificate of it for 127.0.0.1 (and not for localhost), alone and with its key in one file, and another authority that nobody
# believes.
servers_certificates() {
  local folder=$TEST_TLS name
  [ -e "$folder/server-and-key.pem" ] && return
  rm -rf "$folder" "$folder.new"
  mkdir -p "$folder.new"
  for name in ca other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=firstcome $name" -keyout "$folder.new/$name.key" \
      -out "$folder.new/$name.pem"
  done 2>/dev/null
  openssl req -new -newkey rsa:2048 -nodes -subj /CN=firstcome-server -keyout "$folder.new/server.key" -out "$folder.new/server.csr" 2>/dev/null
  openssl x509 -req -days 3650 -in "$folder.new/server.csr" -CA "$folder.new/ca.pem" -CAkey "$folder.new/ca.key" \
    -CAcreateserial -extfile <(printf 'subjectAltName=IP:127.0.0.1') -out "$folder.new/server.pem" 2>/dev/null
  cat "$folder.new/server.key" "$folder.new/server.pem" >"$folder.new/server-and-key.pem"
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
      --user="$(id -un)" >"$folder/log" 2>&1 || stop "mariadb-install-db failed: see $folder/log"
  fi
  server_spawn mariadb mariadbd --no-defaults --user="$(id -un)" --datadir="$folder/data" --port="$1" --bind-address=127.0.0.1 \
    --socket="$folder/socket" --pid-file="$folder/mariadb.pid" --innodb-buffer-pool-size=256M
}

# The broker's jars, once.
servers_kafka_jars() {
  [ -d "$TEST_KAFKA_JARS" ] && return
  mkdir -p "$TEST_KAFKA_JARS.new"
  rm -rf "$TEST_KAFKA_JARS.new"
  step kafka-jars "fetching the Kafka broker" "look at what Maven says" \
    mvn -q -B -f "$root/tools/servers/kafka-pom.xml" dependency:copy-dependencies -DoutputDirectory="$TEST_KAFKA_JARS.new"
  mv "$TEST_KAFKA_JARS.new" "$TEST_KAFKA_JARS"
}

kafka_start() {
  local name=$1 port=$2 folder=$servers_folder/$1 id=1 controller=$((servers_base + 93)) memory=512m replicas=1
  local voters=1@127.0.0.1:$controller
  if [ "$name" != kafka ]; then
    id=${name##*-} memory=256m replicas=3
    local first=$((servers_base + 97))
    controller=$((first + id - 1))
    voters=1@127.0.0.1:$first,2@127.0.0.1:$((first + 1)),3@127.0.0.1:$((first + 2))
  fi
  local listeners=PLAINTEXT://127.0.0.1:$port advertised=PLAINTEXT://127.0.0.1:$port plain=PLAINTEXT:PLAINTEXT link
  local between=PLAINTEXT preload=()
  if [ "$name" != kafka ]; then
    between=BROKERS
    listeners+=,BROKERS://127.0.0.1:$((controller + 3)) advertised+=,BROKERS://127.0.0.1:$((controller + 3)) plain+=,BROKERS:PLAINTEXT
    if [ -n "${SERVERS_CUT_OFF:-}" ]; then
      preload=(env "LD_PRELOAD=$SERVERS_CUT_OFF" "CUT_OFF=$folder/cut-off:$((servers_base + 97)):$((servers_base + 102))")
    fi
  fi
  if [ "$name" = kafka ]; then
    # For clients that come by TLS, with the password of the tests: firstcome may do all, stranger what tests allow.
    local secure=SECURE://$TEST_KAFKA_SECURE
    listeners+=,$secure advertised+=,$secure plain+=,SECURE:SASL_SSL
  fi
  for ((link = 1; link <= ${SERVERS_LINKS:-0}; ++link)); do
    listeners+=,LINK$link://127.0.0.1:$((port + 500 + 10 * link))
    advertised+=,LINK$link://127.0.0.1:$((port + 600 + 10 * link))
    plain+=,LINK$link:PLAINTEXT
  done
  cat >"$folder/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$id
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=$listeners,CONTROLLER://127.0.0.1:$controller
advertised.listeners=$advertised
inter.broker.listener.name=$between
listener.security.protocol.map=CONTROLLER:PLAINTEXT,$plain
log.dirs=$folder/data
auto.create.topics.enable=false
offsets.topic.replication.factor=$replicas
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
unclean.leader.election.enable=false
controlled.shutdown.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
PROPERTIES
  if [ "$name" = kafka ]; then
    cat >>"$folder/server.properties" <<PROPERTIES
sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_firstcome="known to the tests" user_stranger="known to the tests";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:firstcome
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location=$TEST_TLS/server-and-key.pem
PROPERTIES
  fi
  if [ ! -e "$folder/data/meta.properties" ]; then
    java -cp "$TEST_KAFKA_JARS/*" kafka.tools.StorageTool format -t firstcome-for-testing0 \
      -c "$folder/server.properties" >"$folder/log" 2>&1 || stop "the folder of $name could not be made: see $folder/log"
  fi
  : >"$folder/log"
  # The first broker leaves its classes behind when it ends, loaded and verified: later ones start a third sooner.
  local classes=$TEST_KAFKA_JARS/classes.jsa with=()
  if [ -f "$classes" ]; then
    with=("-XX:SharedArchiveFile=$classes")
  elif [ "$name" = kafka ]; then
    with=("-XX:ArchiveClassesAtExit=$classes")
  fi
  server_spawn "$name" "${preload[@]}" java "-Xmx$memory" "-Xms$memory" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${with[@]}" -cp "$TEST_KAFKA_JARS/*" \
    kafka.Kafka "$folder/server.properties"
}

# The three Redis primaries share the slots once.
servers_join_cluster() {
  local port=$((servers_base + 391))
  redis-cli -p $port cluster info 2>/dev/null | grep -q '^cluster_state:ok' && return
  redis-cli --cluster create ${TEST_REDIS_CLUSTER//,/ } --cluster-yes >"$servers_folder/redis-cluster.log" 2>&1 ||
    stop "the Redis Cluster did not join: see $servers_folder/redis-cluster.log"
  local deadline=$((SECONDS + 20))
  until redis-cli -p $port cluster info | grep -q '^cluster_state:ok'; do
    [ "$SECONDS" -lt "$deadline" ] || stop "the Redis Cluster has no state: see $servers_folder/redis-cluster-1/log"
    sleep 0.1
  done
}
