#include "store/store_tables.h"

#include <fmt/format.h>

#include "store/row_readers.h"

namespace firstcome {
namespace {

constexpr std::int64_t application_id = 0x4643'5331;  // "FCS1"
constexpr std::int64_t version_now = 1;

constexpr const char* tables = R"sql(
CREATE TABLE IF NOT EXISTS campaign(
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  opens_at INTEGER,
  closes_at INTEGER,
  issue_rate REAL,
  promise TEXT NOT NULL CHECK(promise IN ('journal', 'store')),
  paused INTEGER NOT NULL CHECK(paused IN (0, 1)),
  closed INTEGER NOT NULL CHECK(closed IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS campaign_quota(
  campaign TEXT NOT NULL REFERENCES campaign(id),
  quota INTEGER NOT NULL CHECK(quota >= 1),
  PRIMARY KEY(campaign, quota)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS coupon(
  campaign TEXT NOT NULL,
  rank INTEGER NOT NULL,
  quota INTEGER NOT NULL,
  user BLOB NOT NULL CHECK(length(user) BETWEEN 1 AND 64),
  code TEXT NOT NULL CHECK(length(code) = 27),
  position INTEGER NOT NULL CHECK(position >= 1),
  issued_at INTEGER NOT NULL,
  PRIMARY KEY(campaign, rank),
  UNIQUE(campaign, user),
  UNIQUE(code),
  CHECK(rank BETWEEN 1 AND quota),
  FOREIGN KEY(campaign, quota) REFERENCES campaign_quota(campaign, quota)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS progress(
  campaign TEXT NOT NULL PRIMARY KEY,
  rank INTEGER NOT NULL,
  position INTEGER NOT NULL,
  chain BLOB NOT NULL CHECK(length(chain) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS parked_entry(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  campaign TEXT NOT NULL,
  rank INTEGER NOT NULL,
  quota INTEGER NOT NULL,
  user BLOB NOT NULL,
  code TEXT NOT NULL,
  position INTEGER NOT NULL,
  reason TEXT NOT NULL,
  parked_at INTEGER NOT NULL,
  UNIQUE(campaign, rank)
) STRICT;

CREATE TABLE IF NOT EXISTS issuer(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  holder TEXT NOT NULL,
  beat INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS installation(
  one INTEGER PRIMARY KEY CHECK(one = 1),
  id BLOB NOT NULL CHECK(length(id) = 16)
) STRICT;

CREATE TRIGGER IF NOT EXISTS coupon_has_its_quota BEFORE INSERT ON coupon
WHEN NOT EXISTS(SELECT 1 FROM campaign_quota AS q WHERE q.campaign = NEW.campaign AND q.quota = NEW.quota)
BEGIN
  SELECT RAISE(ABORT, 'the quota of a coupon must be a row of campaign_quota');
END;

CREATE TRIGGER IF NOT EXISTS coupon_keeps_its_quota BEFORE UPDATE OF campaign, quota ON coupon
WHEN NOT EXISTS(SELECT 1 FROM campaign_quota AS q WHERE q.campaign = NEW.campaign AND q.quota = NEW.quota)
BEGIN
  SELECT RAISE(ABORT, 'the quota of a coupon must be a row of campaign_quota');
END;

CREATE TRIGGER IF NOT EXISTS quota_rises BEFORE INSERT ON campaign_quota
WHEN EXISTS(SELECT 1 FROM campaign_quota AS q WHERE q.campaign = NEW.campaign AND q.quota >= NEW.quota)
BEGIN
  SELECT RAISE(ABORT, 'the quota of a campaign can only be raised');
END;
)sql";

constexpr std::string_view what_to_do =
    "the journal holds everything: stop the server, move store.db away, start it again, and it is written anew";

std::unexpected<Fault> refuse(const std::string& path, const sqlite::Error& error) {
  if (error.trouble != sqlite::Trouble::damaged) return fail(error.fault("open " + path));
  return fail(FaultKind::corrupt, fmt::format("{} is damaged: {}; {}", path, error.what, what_to_do));
}

}  // namespace

Result<void> make_store_tables(sqlite::Database& database, const std::string& path) {
  auto blank = database.is_blank();
  if (!blank) return refuse(path, blank.error());
  if (!*blank) {
    if (auto checked = check_store_tables(database, path); !checked) return checked;
  }
  if (!database.begin()) return refuse(path, database.error());
  auto made = database.execute(
      fmt::format("{} PRAGMA application_id={}; PRAGMA user_version={}", tables, application_id, version_now));
  if (made && database.commit()) return {};
  const auto error = made ? database.error() : made.error();
  database.roll_back();
  return refuse(path, error);
}

Result<void> check_store_tables(sqlite::Database& database, const std::string& path) {
  auto id = database.number("PRAGMA application_id");
  if (!id) return refuse(path, id.error());
  if (*id != application_id) {
    return fail(FaultKind::misconfigured,
                fmt::format("{} is no store of firstcome (application_id {:#x}); is --data right?", path, *id));
  }
  auto version = database.number("PRAGMA user_version");
  if (!version) return refuse(path, version.error());
  if (*version == version_now) return {};
  return fail(FaultKind::misconfigured, fmt::format("{} is of version {}, this firstcome knows {}: upgrade this node",
                                                    path, *version, version_now));
}

Result<CampaignRow> read_campaign(const sqlite::Statement& row) { return RowReader(row, "store.db").campaign(); }
Result<QuotaRow> read_quota(const sqlite::Statement& row) { return RowReader(row, "store.db").quota(); }
Result<CouponRow> read_coupon(const sqlite::Statement& row) { return RowReader(row, "store.db").coupon(); }
Result<ParkedEntry> read_parked(const sqlite::Statement& row) { return RowReader(row, "store.db").parked(); }
Result<Progress> read_progress(const sqlite::Statement& row) { return RowReader(row, "store.db").progress(); }
Result<InstallationId> read_installation(const sqlite::Statement& row) {
  return RowReader(row, "store.db").installation();
}

}  // namespace firstcome
