#include "store/store_reader.h"

#include <fmt/format.h>

namespace firstcome {
namespace {

constexpr std::size_t batch_rows = 4096;

}  // namespace

Result<StoreReader> StoreReader::open(const std::string& folder) {
  const std::string path = folder + "/store.db";
  auto snapshot = sqlite::Snapshot::take(path);
  if (!snapshot) return fail(snapshot.error());
  auto database = sqlite::Database::open(snapshot->path(), {.exclusive = true, .sync = false});
  if (!database) return fail(database.error().fault("open a copy of " + path));
  // A server that was killed while it made its store has left a blank one: there is nothing in it yet. In this copy.
  auto blank = database->is_blank();
  if (!blank) return fail(blank.error().fault("read " + path));
  auto checked = *blank ? make_store_tables(*database, path) : check_store_tables(*database, path);
  if (!checked) return fail(checked.error());
  // A row that breaks a CHECK was changed by hand: whoever compares the rows names it, quick_check would not.
  if (auto set = database->execute("PRAGMA ignore_check_constraints = ON"); !set) {
    return fail(set.error().fault("check " + path));
  }
  auto pages = sqlite::quick_check(*database);
  if (!pages) return fail(pages.error().fault("check " + path));
  if (*pages != "ok") return fail(FaultKind::corrupt, fmt::format("{} is damaged: {}", path, *pages));
  StoreReader reader(std::move(*snapshot), std::move(*database));
  if (auto read = reader.read(); !read) return fail(read.error());
  return reader;
}

template <class Row>
Result<void> StoreReader::read_table(const std::string& sql, Result<Row> (*read)(const sqlite::Statement&),
                                     std::vector<Row>& into) {
  auto statement = database_.prepare(sql);
  if (!statement) return fail(statement.error().fault("read the store"));
  auto rows = read_all(database_, *statement, read);
  if (!rows) return fail(rows.error());
  into = std::move(*rows);
  return {};
}

Result<void> StoreReader::read() {
  std::vector<InstallationId> ids;
  auto done = read_table("SELECT id FROM installation", read_installation, ids);
  if (!ids.empty()) installation_ = ids.front();
  if (done)
    done = read_table(fmt::format("SELECT {} FROM campaign ORDER BY id", campaign_columns), read_campaign, campaigns_);
  if (done)
    done = read_table("SELECT campaign, quota FROM campaign_quota ORDER BY campaign, quota", read_quota, quotas_);
  if (done) {
    done = read_table(fmt::format("SELECT {} FROM progress ORDER BY campaign", progress_columns), read_progress,
                      progress_);
  }
  if (done)
    done = read_table(fmt::format("SELECT {} FROM parked_entry ORDER BY number", parked_columns), read_parked, parked_);
  return done;
}

Result<void> StoreReader::coupons(const std::function<void(std::span<const CouponRow>)>& show) {
  auto statement = database_.prepare(fmt::format("SELECT {} FROM coupon ORDER BY campaign, rank", coupon_columns));
  if (!statement) return fail(statement.error().fault("read the store"));
  std::vector<CouponRow> batch;
  batch.reserve(batch_rows);
  for (;;) {
    const auto step = statement->step();
    if (step == sqlite::Statement::Step::failed) return fail(database_.error().fault("read coupons"));
    if (step == sqlite::Statement::Step::row) {
      auto coupon = read_coupon(*statement);
      if (!coupon) return fail(coupon.error());
      batch.push_back(*coupon);
    }
    const bool done = step == sqlite::Statement::Step::done;
    if (batch.size() < batch_rows && !done) continue;
    if (!batch.empty()) show(batch);
    if (done) return {};
    batch.clear();
  }
}

}  // namespace firstcome
