#include "store/mysql_store_reader.h"

#include <fmt/format.h>

#include "store/mysql_schema.h"
#include "store/mysql_session.h"
#include "store/row_readers.h"

namespace firstcome {
namespace {

using mysql::Rows;

constexpr std::size_t batch_rows = 4096;
constexpr std::chrono::seconds idle_max{600};  // between two batches; it holds no lock of a row meanwhile

Result<CampaignRow> read_campaign(const Rows& row, std::string_view store) { return RowReader(row, store).campaign(); }
Result<QuotaRow> read_quota(const Rows& row, std::string_view store) { return RowReader(row, store).quota(); }
Result<Progress> read_progress(const Rows& row, std::string_view store) { return RowReader(row, store).progress(); }
Result<ParkedEntry> read_parked(const Rows& row, std::string_view store) { return RowReader(row, store).parked(); }
Result<InstallationId> read_id(const Rows& row, std::string_view store) { return RowReader(row, store).installation(); }

}  // namespace

Result<MysqlStoreReader> MysqlStoreReader::open(const mysql::Server& server) {
  auto session = mysql::open_session(server, idle_max);
  if (!session) return fail(session.error());
  MysqlStoreReader reader(server.url(), std::move(*session));
  if (auto read = reader.read(); !read) return fail(read.error());
  return reader;
}

template <class Row>
Result<void> MysqlStoreReader::read_table(const std::string& sql, Result<Row> (*read)(const Rows&, std::string_view),
                                          std::vector<Row>& into) {
  auto rows = connection_.stream(sql);
  if (!rows) return fail(rows.error().fault("read " + store_));
  for (;;) {
    auto there = rows->next();
    if (!there) return fail(there.error().fault("read " + store_));
    if (!*there) return {};
    auto row = read(*rows, store_);
    if (!row) return fail(row.error());
    into.push_back(std::move(*row));
  }
}

Result<void> MysqlStoreReader::read() {
  if (auto begun = connection_.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); !begun) {
    return fail(begun.error().fault("read " + store_));
  }
  std::vector<InstallationId> ids;
  auto done = read_table("SELECT id FROM installation", read_id, ids);
  if (!ids.empty()) installation_ = ids.front();
  const auto from = [](std::string_view columns, std::string_view table, std::string_view order) {
    return fmt::format("SELECT {} FROM {} ORDER BY {}", columns, table, order);
  };
  if (done) done = read_table(from(mysql::campaign_columns, "campaign", "id"), read_campaign, campaigns_);
  if (done) done = read_table(from("campaign, quota", "campaign_quota", "campaign, quota"), read_quota, quotas_);
  if (done) done = read_table(from(mysql::progress_columns, "progress", "campaign"), read_progress, progress_);
  if (done) done = read_table(from(mysql::parked_columns, "parked_entry", "number"), read_parked, parked_);
  return done;
}

Result<void> MysqlStoreReader::coupons(const std::function<void(std::span<const CouponRow>)>& show) {
  auto rows = connection_.stream(fmt::format("SELECT {} FROM coupon ORDER BY campaign, `rank`", mysql::coupon_columns));
  if (!rows) return fail(rows.error().fault("read coupons of " + store_));
  std::vector<CouponRow> batch;
  batch.reserve(batch_rows);
  for (;;) {
    auto there = rows->next();
    if (!there) return fail(there.error().fault("read coupons of " + store_));
    if (*there) {
      auto coupon = RowReader(*rows, store_).coupon();
      if (!coupon) return fail(coupon.error());
      batch.push_back(*coupon);
    }
    if (batch.size() < batch_rows && *there) continue;
    if (!batch.empty()) show(batch);
    if (!*there) return {};
    batch.clear();
  }
}

}  // namespace firstcome
