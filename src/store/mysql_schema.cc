// DESIGN
//   MySQL commits before and after each statement that changes a table, so no migration is one transaction. Each is
//   made so that it can be repeated from its start, and its version is written behind it. Who migrates holds a lock of
//   the server's (GET_LOCK), which ends with the connection. firstcome_schema is made first: it tells tables of ours,
//   maybe not all of them yet, from those of somebody else.
#include "store/mysql_schema.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <span>

namespace firstcome::mysql {
namespace {

struct Migration {
  std::string_view did;
  std::span<const char* const> statements;  ///< can be repeated
};

constexpr std::array first{
    R"sql(CREATE TABLE IF NOT EXISTS campaign(
  id VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  opens_at BIGINT COMMENT 'ms since 1970, UTC',
  closes_at BIGINT COMMENT 'ms since 1970, UTC',
  issue_rate DOUBLE COMMENT 'coupons per second; 0: unlimited',
  promise VARCHAR(7) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  paused TINYINT NOT NULL,
  closed TINYINT NOT NULL,
  PRIMARY KEY(id),
  CONSTRAINT campaign_promise CHECK(promise IN ('journal', 'store')),
  CONSTRAINT campaign_switches CHECK(paused IN (0, 1) AND closed IN (0, 1))
) ENGINE=InnoDB)sql",

    R"sql(CREATE TABLE IF NOT EXISTS campaign_quota(
  campaign VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  quota INT UNSIGNED NOT NULL,
  PRIMARY KEY(campaign, quota),
  CONSTRAINT quota_positive CHECK(quota >= 1),
  CONSTRAINT quota_of_campaign FOREIGN KEY(campaign) REFERENCES campaign(id)
) ENGINE=InnoDB COMMENT='quotas that are or were in force; a raise adds a row')sql",

    R"sql(CREATE TABLE IF NOT EXISTS coupon(
  campaign VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `rank` INT UNSIGNED NOT NULL,
  quota INT UNSIGNED NOT NULL COMMENT 'in force when the ticket counted',
  user VARBINARY(64) NOT NULL,
  code CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  position BIGINT NOT NULL COMMENT 'in the journal',
  issued_at BIGINT NOT NULL COMMENT 'ms since 1970, UTC',
  PRIMARY KEY(campaign, `rank`),
  UNIQUE KEY coupon_user(campaign, user),
  UNIQUE KEY coupon_code(code),
  KEY coupon_quota(campaign, quota),
  CONSTRAINT coupon_rank CHECK(`rank` BETWEEN 1 AND quota),
  CONSTRAINT coupon_widths CHECK(LENGTH(user) BETWEEN 1 AND 64 AND LENGTH(code) = 27 AND position >= 1),
  CONSTRAINT coupon_of_quota FOREIGN KEY(campaign, quota) REFERENCES campaign_quota(campaign, quota)
) ENGINE=InnoDB)sql",

    R"sql(CREATE TABLE IF NOT EXISTS progress(
  campaign VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `rank` INT UNSIGNED NOT NULL COMMENT 'of the last coupon',
  position BIGINT NOT NULL COMMENT 'of the last entry',
  chain VARBINARY(32) NOT NULL,
  PRIMARY KEY(campaign),
  CONSTRAINT progress_chain CHECK(LENGTH(chain) = 32)
) ENGINE=InnoDB COMMENT='everything up to it is in coupon or in parked_entry')sql",

    R"sql(CREATE TABLE IF NOT EXISTS parked_entry(
  number BIGINT NOT NULL AUTO_INCREMENT,
  campaign VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  `rank` INT UNSIGNED NOT NULL,
  quota INT UNSIGNED NOT NULL,
  user VARBINARY(64) NOT NULL,
  code CHAR(27) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  position BIGINT NOT NULL,
  reason VARBINARY(1000) NOT NULL,
  parked_at BIGINT NOT NULL COMMENT 'ms since 1970, UTC',
  PRIMARY KEY(number),
  UNIQUE KEY parked_rank(campaign, `rank`)
) ENGINE=InnoDB COMMENT='coupons that the tables refused: owed, not lost')sql",

    R"sql(CREATE TABLE IF NOT EXISTS issuer(
  one TINYINT NOT NULL,
  holder VARBINARY(255) NOT NULL,
  beat DATETIME(3) NOT NULL COMMENT 'UTC, by the clock of this server',
  PRIMARY KEY(one),
  CONSTRAINT issuer_one CHECK(one = 1)
) ENGINE=InnoDB)sql",

    R"sql(CREATE TABLE IF NOT EXISTS installation(
  one TINYINT NOT NULL,
  id VARBINARY(16) NOT NULL COMMENT 'of the journal that this store belongs to',
  PRIMARY KEY(one),
  CONSTRAINT installation_one CHECK(one = 1 AND LENGTH(id) = 16)
) ENGINE=InnoDB)sql",
};

/// Version n is what the first n of them make. Never change one that was released: add another.
constexpr std::array migrations{
    Migration{"campaign, campaign_quota, coupon, progress, parked_entry, issuer and installation", first},
};

constexpr std::string_view our_tables =
    "'campaign', 'campaign_quota', 'coupon', 'progress', 'parked_entry', 'issuer', 'installation'";

std::unexpected<Fault> failed(const Server& server, const Error& error) {
  if (error.trouble != Trouble::denied) return fail(error.fault(server.url()));
  return fail(FaultKind::misconfigured,
              fmt::format("{}: {}; give the user SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX and REFERENCES "
                          "there, for the time of the migration",
                          server.url(), error.what));
}

/// A number, or none where the query gives no row or NULL.
std::expected<std::optional<std::int64_t>, Error> number(Connection& connection, std::string_view sql) {
  auto rows = connection.query(sql);
  if (!rows) return std::unexpected(rows.error());
  auto there = rows->next();
  if (!there) return std::unexpected(there.error());
  if (!*there || rows->is_null(0)) return std::nullopt;
  return rows->integer(0);
}

/// None: firstcome_schema is not there.
std::expected<std::optional<std::uint32_t>, Error> version_of(Connection& connection) {
  auto version = number(connection, "SELECT MAX(version) FROM firstcome_schema");
  if (version) return static_cast<std::uint32_t>(version->value_or(0));
  if (version.error().trouble == Trouble::no_table) return std::nullopt;
  return std::unexpected(version.error());
}

std::unexpected<Fault> too_new(const Server& server, std::uint32_t version) {
  return fail(FaultKind::misconfigured, fmt::format("{} has schema {}, this firstcome knows {}: upgrade this node",
                                                    server.url(), version, schema_version()));
}

Result<void> make_version_table(Connection& connection, const Server& server) {
  auto others = number(connection,
                       fmt::format("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND "
                                   "table_name IN ({})",
                                   our_tables));
  if (!others) return failed(server, others.error());
  if (others->value_or(0) > 0) {
    return fail(FaultKind::misconfigured,
                fmt::format("{} has tables of somebody else with our names: name a database of its own", server.url()));
  }
  auto made = connection.run(
      "CREATE TABLE IF NOT EXISTS firstcome_schema(version INT UNSIGNED NOT NULL, made_at DATETIME NOT NULL, "
      "PRIMARY KEY(version)) ENGINE=InnoDB COMMENT='one row for each firstcome store migrate that changed something'");
  if (!made) return failed(server, made.error());
  return {};
}

Result<Migrated> migrate_alone(Connection& connection, const Server& server) {
  auto version = version_of(connection);
  if (!version) return failed(server, version.error());
  if (!*version) {
    if (auto made = make_version_table(connection, server); !made) return fail(made.error());
  }
  Migrated done{.from = version->value_or(0), .to = schema_version()};
  if (done.from > done.to) return too_new(server, done.from);
  for (std::uint32_t next = done.from + 1; next <= done.to; ++next) {
    const auto& migration = migrations[next - 1];
    for (const auto* const statement : migration.statements) {
      if (auto ran = connection.run(statement); !ran) return failed(server, ran.error());
    }
    auto written =
        connection.run(fmt::format("INSERT INTO firstcome_schema(version, made_at) VALUES({}, UTC_TIMESTAMP())", next));
    if (!written) return failed(server, written.error());
    done.did.push_back(fmt::format("schema {}: {}", next, migration.did));
  }
  return done;
}

}  // namespace

std::uint32_t schema_version() { return migrations.size(); }

Result<void> check_server(const Connection& connection, const Server& server) {
  // Before these, CHECK was read and forgotten.
  const std::uint32_t least = connection.is_mariadb() ? 100'400 : 80'016;
  if (connection.version_number() >= least) return {};
  return fail(FaultKind::misconfigured,
              fmt::format("{} is {}, which does not keep the tables' rules: MariaDB 10.4 or MySQL 8.0.16 are needed",
                          server.url(), connection.version()));
}

Result<void> check_schema(Connection& connection, const Server& server) {
  auto version = version_of(connection);
  if (!version) {
    auto fault = version.error().fault(server.url());
    if (version.error().trouble == Trouble::denied) fault.kind = FaultKind::misconfigured;
    return fail(std::move(fault));
  }
  if (*version == schema_version()) return {};
  const auto present = version->value_or(0);
  if (present > schema_version()) return too_new(server, present);
  return fail(FaultKind::misconfigured,
              fmt::format("{} has schema {} of {}: run firstcome store migrate --store {} (with the "
                          "--config, --store-password-file, --store-tls-ca or FIRSTCOME_... of this process)",
                          server.url(), present, schema_version(), server.url()));
}

Result<Migrated> migrate(const Server& server) {
  Server patient = server;
  patient.answer_max = std::chrono::seconds(60);  // a table that changes is copied, maybe
  auto connection = Connection::open(patient);
  if (!connection) return fail(connection.error());
  if (auto fits = check_server(*connection, server); !fits) return fail(fits.error());
  if (auto set = connection->run(fmt::format("SET SESSION sql_mode = '{}'", sql_mode)); !set) {
    return failed(server, set.error());
  }
  // The lock's name is one for the whole server, and may have 64 characters.
  constexpr std::string_view lock = "CONCAT('firstcome.', MD5(DATABASE()))";
  auto held = number(*connection, fmt::format("SELECT GET_LOCK({}, 30)", lock));
  if (!held) return failed(server, held.error());
  if (held->value_or(0) != 1) {
    return fail(FaultKind::unavailable,
                fmt::format("{}: another migration is at work for longer than 30 s", server.url()));
  }
  return migrate_alone(*connection, server);  // and the lock ends with the connection
}

}  // namespace firstcome::mysql
