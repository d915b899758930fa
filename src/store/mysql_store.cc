// DESIGN
//   Every call is made of statements on one connection. What failed is sorted once, in call(): a lost connection is
//   dropped; what a deadlock or a lock wait undid is repeated whole, from the fence on; the rest is unavailable.
//   Whether a lost connection may have written something is known by phase_, which is `saying` from the moment at which
//   a statement was sent that commits.
//
//   A batch goes out as inserts of many rows. The server does not say which row it refused, and undoes that statement
//   alone; then its halves go out, in the same transaction, down to the row: 20 statements for one among 500. A row
//   that is there already, the very same, is no refusal.
#include "store/mysql_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/assert.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "store/mysql_schema.h"
#include "store/mysql_session.h"
#include "store/row_readers.h"

namespace firstcome {
namespace {

using mysql::Error;
using mysql::literal;
using mysql::Rows;
using mysql::Trouble;

constexpr std::chrono::seconds idle_max{3};  // longer than any pause of ours inside a transaction
constexpr Millis call_ms_max{4000};          // no statement begins later; with answer_max: 9 s
constexpr Millis quiet_ms_max{1000};         // a connection that was not used for longer is asked whether it lives
constexpr int attempts_max = 4;
constexpr std::int64_t beat_us_max = 3'000'000;  // an issuer that was not heard of for longer has lost its place

// About 200 bytes a row, so 100 KB; a server's max_allowed_packet is 1 MB at the least. Larger ones gain nothing.
constexpr std::size_t insert_rows_max = 500;

std::int64_t count_of(Time time) { return time.time_since_epoch().count(); }
std::string maybe(const std::optional<Time>& time) { return time ? std::to_string(count_of(*time)) : "NULL"; }

/// Without an exponent it would be a DECIMAL.
std::string double_literal(double value) {
  auto text = fmt::format("{}", value);
  if (text.find('e') == std::string::npos) text += "e0";
  return text;
}

/// Campaign ids have no character that would need another spelling.
std::string quoted(const CampaignId& campaign) {
  MUST(is_campaign_id(campaign), "ids are checked where they come in");
  return "'" + campaign.str() + "'";
}

std::string cut(std::string_view text, std::size_t bytes_max) { return literal(text.substr(0, bytes_max)); }

/// The values of a coupon but for the last column.
void append_coupon(std::string& sql, const CouponRow& coupon) {
  fmt::format_to(std::back_inserter(sql), "({},{},{},{},'{}',{},", quoted(coupon.campaign), coupon.rank, coupon.quota,
                 literal(coupon.user.view()), to_text(coupon.code), coupon.position);
}

std::string insert_of(std::span<const CouponRow> coupons) {
  std::string sql = fmt::format("INSERT INTO coupon({}) VALUES", mysql::coupon_columns);
  sql.reserve(sql.size() + 256 * coupons.size());
  for (const auto& coupon : coupons) {
    append_coupon(sql, coupon);
    fmt::format_to(std::back_inserter(sql), "{}),", count_of(coupon.issued_at));
  }
  sql.pop_back();
  return sql;
}

bool is_row_error(const Error& error) {
  return error.trouble == Trouble::duplicate || error.trouble == Trouble::refused;
}

Result<Progress> read_progress(const Rows& row, std::string_view store) { return RowReader(row, store).progress(); }
Result<ParkedEntry> read_parked(const Rows& row, std::string_view store) { return RowReader(row, store).parked(); }
Result<CouponRow> read_coupon(const Rows& row, std::string_view store) { return RowReader(row, store).coupon(); }
Result<InstallationId> read_id(const Rows& row, std::string_view store) { return RowReader(row, store).installation(); }

}  // namespace

Result<std::unique_ptr<MysqlStore>> MysqlStore::open(mysql::Server server) {
  std::unique_ptr<MysqlStore> store(new MysqlStore(std::move(server)));
  store->deadline_ = store->clock_.uptime() + call_ms_max;
  if (auto connected = store->connect(); !connected) return fail(connected.error());
  auto risks = mysql::durability_risks(*store->connection_);
  if (!risks) return fail(risks.error());
  for (const auto& risk : *risks) {
    log::warn("a power cut of the store's server can lose coupons that it has committed: " + risk,
              {{"store", store->server_.url()}});
  }
  return store;
}

Result<void> MysqlStore::connect() {
  auto session = mysql::open_session(server_, idle_max, deadline_);
  if (!session) return fail(session.error());
  connection_.emplace(std::move(*session));
  stats_.connects.fetch_add(1);
  return {};
}

/// Before another attempt: false when there is no time left for it. The jitter keeps two issuers from meeting again.
bool MysqlStore::rest(int attempt, const Error& undone_by) {
  (undone_by.code == mysql::lock_wait_timeout ? stats_.lock_waits : stats_.deadlocks).fetch_add(1);
  const Millis pause(5 * attempt + static_cast<Millis::rep>(random_.next() % 20));
  if (attempt == attempts_max || clock_.uptime() + pause >= deadline_) return false;
  stats_.repeats.fetch_add(1);
  std::this_thread::sleep_for(pause);
  return true;
}

/// One call of the port: `body` gives a Tried<Value>, from its own beginning each time.
template <class Value, class Body>
Result<Value> MysqlStore::call(Call kind, std::string_view doing, Body body) {
  const auto began = std::chrono::steady_clock::now();
  auto outcome = try_until_late<Value>(doing, body);
  auto& calls = stats_.of[static_cast<std::size_t>(kind)];
  calls.count.fetch_add(1);
  if (!outcome) calls.faults.fetch_add(1);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  calls.seconds.store(calls.seconds.load() + took.count());
  return outcome;
}

template <class Value, class Body>
Result<Value> MysqlStore::try_until_late(std::string_view doing, Body& body) {
  deadline_ = clock_.uptime() + call_ms_max;
  // Whether the server has ended a quiet connection is better known before than in the middle.
  if (connection_ && clock_.uptime() - used_ > quiet_ms_max && !connection_->is_alive()) {
    connection_.reset();
    stats_.lost.fetch_add(1);
  }
  for (int attempt = 1;; ++attempt) {
    phase_ = Phase::asking;
    if (!connection_) {
      if (clock_.uptime() >= deadline_) {  // to find out that the old one is dead took all the time
        return fail(FaultKind::unavailable, fmt::format("{} in {}: the server does not answer", doing, server_.url()));
      }
      if (auto connected = connect(); !connected) return fail(FaultKind::unavailable, connected.error().what);
    }
    connection_->set_deadline(deadline_);
    Tried<Value> outcome = body();
    used_ = clock_.uptime();
    if (outcome) return std::move(*outcome);
    const Error& error = outcome.error();
    auto fault = error.fault(fmt::format("{} in {}", doing, server_.url()));
    // One that takes no writes any more was replaced, maybe: the name may lead to another one by now.
    if (error.trouble == Trouble::lost || error.trouble == Trouble::late || error.trouble == Trouble::read_only) {
      connection_.reset();
      stats_.lost.fetch_add(1);
    }
    if (phase_ == Phase::saying && error.trouble == Trouble::lost) fault.kind = FaultKind::timed_out;
    if (error.trouble != Trouble::contended || !rest(attempt, error)) return fail(std::move(fault));
  }
}

/// Commits if `body` says so; else nothing is changed.
template <class Body>
Result<WriteOutcome> MysqlStore::in_transaction(std::string_view doing, Body body) {
  return call<WriteOutcome>(Call::transaction, doing, [&] { return transaction(body); });
}

template <class Body>
MysqlStore::Tried<WriteOutcome> MysqlStore::transaction(Body body) {
  if (auto begun = connection_->run("START TRANSACTION"); !begun) return std::unexpected(begun.error());
  Tried<WriteOutcome> outcome = body();
  if (outcome && std::holds_alternative<Committed>(*outcome)) {
    failpoint("store.before_commit");
    phase_ = Phase::saying;
    auto committed = connection_->run("COMMIT");
    if (committed) {
      failpoint("store.after_commit");
      return outcome;
    }
    outcome = std::unexpected(committed.error());
    if (committed.error().trouble == Trouble::late) {
      phase_ = Phase::asking;  // it was not sent
    } else if (committed.error().trouble == Trouble::other) {
      outcome.error().trouble = Trouble::lost;  // a commit that failed in a way we do not know: maybe half
    }
  }
  // A wait for a lock undid one statement only; what stands must not be committed by whoever comes next.
  if (outcome || (outcome.error().trouble != Trouble::lost && outcome.error().trouble != Trouble::late)) {
    if (!connection_->run("ROLLBACK")) {
      connection_.reset();  // the server rolls back what is left behind
      stats_.lost.fetch_add(1);
    }
  }
  return outcome;
}

template <class Row>
Result<std::vector<Row>> MysqlStore::read_all(std::string_view doing, std::string_view sql,
                                              Result<Row> (*read)(const Rows&, std::string_view)) {
  std::optional<Fault> unreadable;
  auto all = call<std::vector<Row>>(Call::read, doing, [&]() -> Tried<std::vector<Row>> {
    std::vector<Row> list;
    auto rows = connection_->query(sql);
    if (!rows) return std::unexpected(rows.error());
    for (auto there = rows->next();; there = rows->next()) {
      if (!there) return std::unexpected(there.error());
      if (!*there) return list;
      auto row = read(*rows, server_.url());
      if (!row) {
        unreadable = row.error();
        return list;
      }
      list.push_back(std::move(*row));
    }
  });
  if (unreadable) return fail(*unreadable);
  return all;
}

Result<std::optional<InstallationId>> MysqlStore::installation() {
  auto ids = read_all("read the installation", "SELECT id FROM installation", read_id);
  if (!ids) return fail(ids.error());
  if (ids->empty()) return std::nullopt;
  return ids->front();
}

Result<void> MysqlStore::adopt(const InstallationId& id) {
  // Somebody else may be first: the row that is there then decides.
  const auto sql = fmt::format("INSERT INTO installation(one, id) VALUES(1, {})", literal(std::span(id)));
  auto written = call<bool>(Call::transaction, "write the installation", [&]() -> Tried<bool> {
    phase_ = Phase::saying;
    auto ran = connection_->run(sql);
    if (ran) return true;
    if (ran.error().trouble == Trouble::duplicate) return false;
    return std::unexpected(ran.error());
  });
  if (!written) return fail(written.error());
  if (*written) return {};
  auto present = installation();
  if (!present) return fail(present.error());
  if (*present == id) return {};
  return fail(FaultKind::misconfigured,
              fmt::format("{} belongs to another journal; if this journal is the right one, name an empty database: it "
                          "is written anew from the journal",
                          server_.url()));
}

Result<std::vector<Progress>> MysqlStore::progress() {
  return read_all("read progress", fmt::format("SELECT {} FROM progress ORDER BY campaign", mysql::progress_columns),
                  read_progress);
}

Result<std::vector<ParkedEntry>> MysqlStore::parked() {
  return read_all("read parked_entry",
                  fmt::format("SELECT {} FROM parked_entry ORDER BY number", mysql::parked_columns), read_parked);
}

Result<std::vector<CouponRow>> MysqlStore::coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) {
  if (!is_campaign_id(campaign)) return std::vector<CouponRow>();
  return read_all("read coupon",
                  fmt::format("SELECT {} FROM coupon WHERE campaign = {} AND `rank` > {} ORDER BY `rank` LIMIT {}",
                              mysql::coupon_columns, quoted(campaign), after, limit),
                  read_coupon);
}

Result<WriteOutcome> MysqlStore::write(const IssueBatch& batch) {
  return in_transaction("write coupons", [&] { return write_batch(batch); });
}

MysqlStore::Tried<WriteOutcome> MysqlStore::write_batch(const IssueBatch& batch) {
  auto passed = holds_place();
  if (passed && *passed) passed = pass_fence(batch);
  if (!passed) return std::unexpected(passed.error());
  if (!*passed) return FenceLost{};
  if (auto written = write_terms(batch); !written) return std::unexpected(written.error());
  for (std::span<const CouponRow> left = batch.coupons; !left.empty();) {
    const auto some = left.first(std::min(left.size(), insert_rows_max));
    auto outcome = write_coupons(some);
    if (!outcome || !std::holds_alternative<Committed>(*outcome)) return outcome;
    left = left.subspan(some.size());
  }
  for (const auto& parked : batch.parked) {
    if (auto written = park(parked); !written) return std::unexpected(written.error());
  }
  return Committed{};
}

/// First of all. The row stays locked to the end, so that a beat waits for this transaction.
MysqlStore::Tried<bool> MysqlStore::holds_place() {
  if (holder_.empty()) return true;
  auto rows = connection_->query("SELECT holder FROM issuer WHERE one = 1 LOCK IN SHARE MODE");
  if (!rows) return std::unexpected(rows.error());
  auto there = rows->next();
  if (!there) return std::unexpected(there.error());
  return *there && rows->text(0) == holder_;
}

/// Before anything is written: an issuer that has not read what another one wrote sees it here. The row stays locked to
/// the end, so that nobody else passes meanwhile.
MysqlStore::Tried<bool> MysqlStore::pass_fence(const IssueBatch& batch) {
  const auto& next = batch.next;
  const auto campaign = quoted(next.campaign);
  const auto chain = literal(std::span(next.chain));
  if (!batch.seen) {
    auto inserted = connection_->run(fmt::format("INSERT INTO progress({}) VALUES({}, {}, {}, {})",
                                                 mysql::progress_columns, campaign, next.rank, next.position, chain));
    if (inserted) return true;
    if (inserted.error().trouble == Trouble::duplicate) return false;
    return std::unexpected(inserted.error());
  }
  auto moved = connection_->run(
      fmt::format("UPDATE progress SET `rank` = {}, position = {}, chain = {} WHERE campaign = {} AND `rank` = {} AND "
                  "chain = {}",
                  next.rank, next.position, chain, campaign, batch.seen->rank, literal(std::span(batch.seen->chain))));
  if (!moved) return std::unexpected(moved.error());
  return *moved > 0;
}

MysqlStore::Tried<void> MysqlStore::write_terms(const IssueBatch& batch) {
  const auto campaign = quoted(batch.next.campaign);
  if (batch.campaign) {
    const auto& row = *batch.campaign;
    const auto terms = fmt::format(
        "name = _utf8mb4 {}, opens_at = {}, closes_at = {}, issue_rate = {}, promise = '{}', paused = {}, closed = {}",
        literal(std::string_view(row.name)), maybe(row.window.opens_at), maybe(row.window.closes_at),
        row.issue_rate ? double_literal(*row.issue_rate) : "NULL", row.promise == Promise::store ? "store" : "journal",
        row.paused ? 1 : 0, row.closed ? 1 : 0);
    auto put = connection_->run(
        fmt::format("INSERT INTO campaign SET id = {}, {} ON DUPLICATE KEY UPDATE {}", quoted(row.id), terms, terms));
    if (!put) return std::unexpected(put.error());
  }
  for (const auto quota : batch.quotas) {
    auto put =
        connection_->run(fmt::format("INSERT INTO campaign_quota(campaign, quota) VALUES({}, {})", campaign, quota));
    if (!put) return std::unexpected(put.error());
  }
  return {};
}

MysqlStore::Tried<WriteOutcome> MysqlStore::write_coupons(std::span<const CouponRow> coupons) {
  auto inserted = connection_->run(insert_of(coupons));
  if (inserted) return Committed{};
  if (!is_row_error(inserted.error())) return std::unexpected(inserted.error());
  if (coupons.size() == 1) return write_refused(coupons.front(), inserted.error());
  const std::size_t half = coupons.size() / 2;
  auto first = write_coupons(coupons.first(half));
  if (!first || !std::holds_alternative<Committed>(*first)) return first;
  return write_coupons(coupons.subspan(half));
}

MysqlStore::Tried<WriteOutcome> MysqlStore::write_refused(const CouponRow& coupon, const Error& error) {
  if (error.trouble == Trouble::duplicate) {
    auto held = holds_already(coupon);
    if (!held) return std::unexpected(held.error());
    if (*held) return Committed{};
  }
  return RowRefused{error.what};
}

/// The very same row, but for issued_at: a repeat, and no reason to refuse anything. Read with a lock, since a plain
/// read shows the transaction's snapshot, in which the row may be missing.
MysqlStore::Tried<bool> MysqlStore::holds_already(const CouponRow& coupon) {
  auto rows =
      connection_->query(fmt::format("SELECT {} FROM coupon WHERE campaign = {} AND `rank` = {} LOCK IN SHARE MODE",
                                     mysql::coupon_columns, quoted(coupon.campaign), coupon.rank));
  if (!rows) return std::unexpected(rows.error());
  auto there = rows->next();
  if (!there) return std::unexpected(there.error());
  if (!*there) return false;
  const auto row = read_coupon(*rows, server_.url());
  return row && row->quota == coupon.quota && row->user == coupon.user && row->code == coupon.code &&
         row->position == coupon.position;
}

MysqlStore::Tried<void> MysqlStore::park(const ParkedEntry& parked) {
  std::string sql = "INSERT INTO parked_entry(campaign, `rank`, quota, user, code, position, reason, parked_at) VALUES";
  append_coupon(sql, parked.coupon);
  fmt::format_to(std::back_inserter(sql), "{}, {})", cut(parked.reason, mysql::reason_bytes_max),
                 count_of(parked.parked_at));
  if (auto put = connection_->run(sql); !put) return std::unexpected(put.error());
  return {};
}

Result<WriteOutcome> MysqlStore::retry(std::int64_t number, Time now) {
  std::optional<Fault> no;
  const auto select =
      fmt::format("SELECT {} FROM parked_entry WHERE number = {} FOR UPDATE", mysql::parked_columns, number);
  auto outcome = in_transaction("retry a parked coupon", [&]() -> Tried<WriteOutcome> {
    std::optional<CouponRow> coupon;
    {
      auto rows = connection_->query(select);
      if (!rows) return std::unexpected(rows.error());
      auto there = rows->next();
      if (!there) return std::unexpected(there.error());
      if (!*there) {
        no = Fault{FaultKind::misconfigured, fmt::format("no coupon is parked under number {}", number)};
        return FenceLost{};  // rolls back
      }
      auto entry = read_parked(*rows, server_.url());
      if (!entry) {
        no = entry.error();
        return FenceLost{};
      }
      coupon = entry->coupon;
    }
    coupon->issued_at = now;
    auto written = write_coupons({&*coupon, 1});
    if (!written || !std::holds_alternative<Committed>(*written)) return written;
    auto gone = connection_->run(fmt::format("DELETE FROM parked_entry WHERE number = {}", number));
    if (!gone) return std::unexpected(gone.error());
    return Committed{};
  });
  if (no) return fail(*no);
  return outcome;
}

Result<bool> MysqlStore::beat(const std::string& holder) {
  MUST(holder.size() <= mysql::holder_bytes_max, "a holder's name fits its column");
  const auto name = literal(std::string_view(holder));
  // A beat far in the future was made before the server's clock was set back.
  const auto beat = fmt::format(
      "UPDATE issuer SET holder = {0}, beat = UTC_TIMESTAMP(3) WHERE one = 1 AND (holder = {0} OR "
      "ABS(TIMESTAMPDIFF(MICROSECOND, beat, UTC_TIMESTAMP(3))) >= {1})",
      name, beat_us_max);
  const auto first = fmt::format("INSERT INTO issuer(one, holder, beat) VALUES(1, {}, UTC_TIMESTAMP(3))", name);
  auto held = call<bool>(Call::beat, "beat", [&]() -> Tried<bool> {
    phase_ = Phase::saying;
    auto moved = connection_->run(beat);
    if (!moved) return std::unexpected(moved.error());
    if (*moved > 0) return true;
    auto inserted = connection_->run(first);
    if (inserted) return true;
    if (inserted.error().trouble == Trouble::duplicate) return false;
    return std::unexpected(inserted.error());
  });
  if (held.value_or(false)) holder_ = holder;
  return held;
}

}  // namespace firstcome
