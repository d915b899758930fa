#include "store/mysql_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "store/mysql_schema.h"

namespace firstcome::mysql {
namespace {

constexpr int lock_wait_s_max =
    2;  // below answer_max: the server tells us, and knows that we gave up; tables' locks too

std::string set_up(const Connection& connection, std::chrono::seconds idle_max) {
  return fmt::format(
      "SET SESSION autocommit = 1, sql_mode = '{}', foreign_key_checks = 1, unique_checks = 1, "
      "innodb_lock_wait_timeout = {}, lock_wait_timeout = {}, {} = {}",
      sql_mode, lock_wait_s_max, lock_wait_s_max,
      connection.is_mariadb() ? "check_constraint_checks = 1, idle_transaction_timeout" : "wait_timeout",
      idle_max.count());
}

}  // namespace

Result<Connection> open_session(const Server& server, std::chrono::seconds idle_max, Uptime deadline) {
  auto connection = Connection::open(server);
  if (!connection) return fail(connection.error());
  if (auto fits = check_server(*connection, server); !fits) return fail(fits.error());
  connection->set_deadline(deadline);
  for (const auto& sql :
       {set_up(*connection, idle_max), std::string("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")}) {
    if (auto done = connection->run(sql); !done) return fail(done.error().fault(server.url() + ": set up the session"));
  }
  if (auto fits = check_schema(*connection, server); !fits) return fail(fits.error());
  return connection;
}

Result<std::vector<std::string>> durability_risks(Connection& connection) {
  // By SHOW, which leaves out what a version does not have.
  std::map<std::string, std::string, std::less<>> settings;
  for (const auto* const sql :
       {"SHOW GLOBAL VARIABLES WHERE Variable_name IN ('innodb_flush_log_at_trx_commit', 'log_bin', 'sync_binlog', "
        "'innodb_doublewrite', 'innodb_flush_method')",
        "SHOW GLOBAL STATUS WHERE Variable_name = 'Innodb_redo_log_enabled'"}) {
    auto rows = connection.query(sql);
    if (!rows) return fail(rows.error().fault("ask the store for its durability"));
    for (auto there = rows->next();; there = rows->next()) {
      if (!there) return fail(there.error().fault("ask the store for its durability"));
      if (!*there) break;
      settings.emplace(rows->text(0), rows->text(1));
    }
  }
  std::vector<std::string> risks;
  const auto is_one_of = [&](std::string_view name, std::initializer_list<std::string_view> values) {
    const auto found = settings.find(name);
    return found != settings.end() && std::ranges::find(values, found->second) != values.end();
  };
  const auto tell = [&](std::string_view name, std::string_view beside, std::string_view instead) {
    risks.push_back(fmt::format("{} is {}{}: {}", name, settings.find(name)->second, beside, instead));
  };
  if (is_one_of("innodb_flush_log_at_trx_commit", {"0", "2"})) {  // 3 is MariaDB's 1 of old
    tell("innodb_flush_log_at_trx_commit", "", "set innodb_flush_log_at_trx_commit = 1");
  }
  // With a binary log it is that log which decides, after a crash, whether a transaction was committed.
  if (is_one_of("log_bin", {"ON"}) && !is_one_of("sync_binlog", {"1"})) {
    tell("sync_binlog", " beside a binary log", "set sync_binlog = 1");
  }
  if (is_one_of("innodb_doublewrite", {"OFF", "DETECT_ONLY"})) {
    tell("innodb_doublewrite", "", "set innodb_doublewrite = ON");
  }
  if (is_one_of("innodb_flush_method", {"nosync"})) {
    tell("innodb_flush_method", "", "set innodb_flush_method = O_DIRECT");
  }
  if (is_one_of("Innodb_redo_log_enabled", {"OFF"})) {
    tell("Innodb_redo_log_enabled", "", "ALTER INSTANCE ENABLE INNODB REDO_LOG");
  }
  return risks;
}

}  // namespace firstcome::mysql
