#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/mysql_connection.h"

namespace firstcome::mysql {

// The tables of the store on MySQL and MariaDB. As in store.db (store/store_tables.h), the database itself refuses a
// rank above the quota, a second coupon of a user and a repeated code; but that quotas only rise is kept by the issuer
// alone, since a trigger needs rights that an operator may not have. Users are bytes: VARBINARY. Times are
// milliseconds since 1970, in UTC, so that no session's time zone and no mode touches them; the beat is of the server.

/// The version of the tables that this firstcome reads and writes.
std::uint32_t schema_version();

/// Columns in the order in which RowReader takes them. `rank` is a reserved word of MySQL 8.
inline constexpr std::string_view campaign_columns =
    "id, name, opens_at, closes_at, issue_rate, promise, paused, closed";
inline constexpr std::string_view coupon_columns = "campaign, `rank`, quota, user, code, position, issued_at";
inline constexpr std::string_view parked_columns =
    "campaign, `rank`, quota, user, code, position, 0, number, reason, parked_at";
inline constexpr std::string_view progress_columns = "campaign, `rank`, position, chain";

inline constexpr std::size_t reason_bytes_max = 1000;  // the column parked_entry.reason
inline constexpr std::size_t holder_bytes_max = 255;   // the column issuer.holder

/// Of a session: what does not fit its column is refused, and so is a table that would not be InnoDB's.
inline constexpr std::string_view sql_mode = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION";

/// Fails with misconfigured: a server whose version does not keep the tables' rules.
Result<void> check_server(const Connection& connection, const Server& server);

/// Fails with misconfigured: no tables, older or newer ones.
Result<void> check_schema(Connection& connection, const Server& server);

struct Migrated {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::vector<std::string> did;  ///< a line for each version
};

/// Makes the database's tables, or changes those of an older version, one version after the other.
///
///   Repeated   does nothing when there is nothing to do; goes on where one before was interrupted.
///   Together   several at once are safe: one works, the others wait for it.
///   Fails      misconfigured: a newer version, or tables of somebody else with our names.
Result<Migrated> migrate(const Server& server);

}  // namespace firstcome::mysql
