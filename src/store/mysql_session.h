#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/mysql_connection.h"

namespace firstcome::mysql {

/// A connection that is set up as the store needs it, to a database with our tables: strict, in UTF-8, with the rules
/// of the tables in force, REPEATABLE READ for the reader's snapshot, a short wait for locks.
///
/// `idle_max`: the server ends a transaction of ours that stands still for longer (MySQL: the connection), so that an
/// issuer that was stopped inside one holds its locks no longer.
Result<Connection> open_session(const Server& server, std::chrono::seconds idle_max, Uptime deadline = Uptime::max());

/// What of the server's settings can lose a committed coupon in a power cut, and what to set instead:
/// "sync_binlog is 0 beside a binary log: set sync_binlog = 1".
Result<std::vector<std::string>> durability_risks(Connection& connection);

}  // namespace firstcome::mysql
