#include "store/mysql_session.h"

#include <fmt/format.h>

#include "store/mysql_schema.h"

namespace firstcome::mysql {
namespace {

constexpr int lock_wait_s_max = 2;  // below answer_max, so that the server tells us, and knows that we gave up

std::string set_up(const Connection& connection, std::chrono::seconds idle_max) {
  return fmt::format(
      "SET SESSION autocommit = 1, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', foreign_key_checks = 1, "
      "unique_checks = 1, innodb_lock_wait_timeout = {}, {} = {}",
      lock_wait_s_max,
      connection.is_mariadb() ? "check_constraint_checks = 1, idle_transaction_timeout" : "wait_timeout",
      idle_max.count());
}

}  // namespace

Result<Connection> open_session(const Server& server, std::chrono::seconds idle_max, Uptime deadline) {
  auto connection = Connection::open(server);
  if (!connection) return fail(connection.error());
  connection->set_deadline(deadline);
  for (const auto& sql :
       {set_up(*connection, idle_max), std::string("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")}) {
    if (auto done = connection->run(sql); !done) return fail(done.error().fault(server.url() + ": set up the session"));
  }
  if (auto fits = check_schema(*connection, server); !fits) return fail(fits.error());
  return connection;
}

Result<std::vector<std::string>> durability_risks(Connection& connection) {
  constexpr std::string_view doing = "ask the store for its durability";
  auto rows = connection.query(
      "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog, "
      "@@GLOBAL.innodb_doublewrite");
  if (!rows) return fail(rows.error().fault(doing));
  auto there = rows->next();
  if (!there) return fail(there.error().fault(doing));
  std::vector<std::string> risks;
  if (rows->text(0) != "1") {
    risks.push_back(
        fmt::format("innodb_flush_log_at_trx_commit is {}: set innodb_flush_log_at_trx_commit = 1", rows->text(0)));
  }
  // With a binary log it is that log which decides, after a crash, whether a transaction was committed.
  if (rows->text(1) == "1" && rows->text(2) != "1") {
    risks.push_back(fmt::format("sync_binlog is {} beside a binary log: set sync_binlog = 1", rows->text(2)));
  }
  // MySQL writes ON, OFF and more, MariaDB 1 and 0.
  if (rows->text(3) == "0" || rows->text(3) == "OFF" || rows->text(3) == "DETECT_ONLY") {
    risks.push_back(fmt::format("innodb_doublewrite is {}: set innodb_doublewrite = ON", rows->text(3)));
  }
  return risks;
}

}  // namespace firstcome::mysql
