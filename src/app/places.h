#pragma once

#include "base/result.h"
#include "gate/redis_map.h"
#include "journal/kafka_topic.h"
#include "settings/settings.h"
#include "store/mysql_connection.h"

namespace firstcome {

// Where the servers are that the settings name. Each fails with misconfigured: it is not one of that kind.

Result<KafkaPlace> journal_place(const Settings& settings);
Result<mysql::Server> store_server(const Settings& settings);
Result<RedisServers> gate_servers(const Settings& settings);

/// All of them that this process uses, as far as can be seen without a connection.
Result<void> check_places(const Settings& settings);

}  // namespace firstcome
