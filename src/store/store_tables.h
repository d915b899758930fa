#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "model/entry.h"
#include "sqlite/database.h"
#include "store/store.h"

namespace firstcome {

// The tables of store.db. STRICT, and with the rules as triggers too, since foreign keys are off in every connection
// that does not ask for them, the operator's shell among them:
//   - a coupon's quota is a row of campaign_quota, and its rank lies within: no rank N+1
//   - a user has one coupon, a code is used once (`alice` as text and as bytes would be two: STRICT)
//   - quotas of a campaign only rise
// Nothing keeps an operator from changing or deleting a row, since erasing a user is a right; `firstcome verify` sees
// it.

/// Makes the tables, or what is missing of them; refuses a file of a newer version, or of somebody else.
Result<void> make_store_tables(sqlite::Database& database, const std::string& path);

/// Does the file hold our tables, of our version?
Result<void> check_store_tables(sqlite::Database& database, const std::string& path);

// Columns in the order in which the readers below take them.
inline constexpr std::string_view campaign_columns =
    "id, name, opens_at, closes_at, issue_rate, promise, paused, closed";
inline constexpr std::string_view coupon_columns = "campaign, rank, quota, user, code, position, issued_at";
inline constexpr std::string_view parked_columns =
    "campaign, rank, quota, user, code, position, 0, number, reason, parked_at";
inline constexpr std::string_view progress_columns = "campaign, rank, position, chain";

/// Reads the row at which the statement stands. Fails with corrupt and the row, when a value is none that we write.
Result<CampaignRow> read_campaign(const sqlite::Statement& row);
Result<QuotaRow> read_quota(const sqlite::Statement& row);
Result<CouponRow> read_coupon(const sqlite::Statement& row);
Result<ParkedEntry> read_parked(const sqlite::Statement& row);
Result<Progress> read_progress(const sqlite::Statement& row);
Result<InstallationId> read_installation(const sqlite::Statement& row);

/// All rows of `statement`, whose parameters are bound.
template <class Row>
Result<std::vector<Row>> read_all(const sqlite::Database& database, sqlite::Statement& statement,
                                  Result<Row> (*read)(const sqlite::Statement&)) {
  std::vector<Row> rows;
  for (;;) {
    const auto step = statement.step();
    if (step == sqlite::Statement::Step::done) return rows;
    if (step == sqlite::Statement::Step::failed) return fail(database.error().fault("read the store"));
    auto row = read(statement);
    if (!row) {
      statement.reset();
      return fail(row.error());
    }
    rows.push_back(std::move(*row));
  }
}

}  // namespace firstcome
