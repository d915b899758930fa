#include "store/sqlite_store.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/failpoint.h"
#include "base/log.h"
#include "store/store_tables.h"

namespace firstcome {
namespace {

using Step = sqlite::Statement::Step;

constexpr Millis beat_ms_max{3000};  // an issuer that was not heard of for longer has lost its place

std::int64_t count_of(Time time) { return time.time_since_epoch().count(); }
std::int64_t as_integer(Position position) { return static_cast<std::int64_t>(position); }
std::span<const std::uint8_t> bytes_of(const User& user) {
  return {reinterpret_cast<const std::uint8_t*>(user.view().data()), user.view().size()};
}

}  // namespace

void SqliteStore::end_process(const Fault& fault) {
  log::error(
      "the disk failed under the store: whether its last commit is on the disk cannot be known. This process ends; "
      "the next start reads what there is. Look at the disk before it",
      {{"fault", fault.what}});
  std::abort();
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(Options options) {
  const std::string path = options.folder + "/store.db";
  auto database = sqlite::Database::open(
      path, {.vfs = options.vfs, .sync = options.sync, .checkpoints_itself = true, .busy_ms_max = options.busy_ms_max});
  if (!database) return fail(database.error().fault("open " + path));
  if (database->is_read_only()) {
    return fail(FaultKind::misconfigured, path + " cannot be written; give it to the user that runs this");
  }
  if (auto made = make_store_tables(*database, path); !made) return fail(made.error());
  std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(options), std::move(*database)));
  if (auto prepared = store->prepare(); !prepared) return fail(prepared.error());
  return store;
}

Result<void> SqliteStore::prepare() {
  const std::pair<sqlite::Statement*, std::string> statements[] = {
      {&read_installation_, "SELECT id FROM installation"},
      {&insert_installation_, "INSERT INTO installation(one, id) VALUES(1, ?)"},
      {&read_progress_, fmt::format("SELECT {} FROM progress ORDER BY campaign", progress_columns)},
      {&insert_progress_,
       "INSERT INTO progress(campaign, rank, position, chain) VALUES(?, ?, ?, ?) ON CONFLICT(campaign) DO NOTHING"},
      {&move_progress_,
       "UPDATE progress SET rank = ?, position = ?, chain = ? WHERE campaign = ? AND rank = ? AND chain = ?"},
      {&put_campaign_,
       fmt::format("INSERT INTO campaign({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET "
                   "name = excluded.name, opens_at = excluded.opens_at, closes_at = excluded.closes_at, "
                   "issue_rate = excluded.issue_rate, promise = excluded.promise, paused = excluded.paused, "
                   "closed = excluded.closed",
                   campaign_columns)},
      {&insert_quota_, "INSERT INTO campaign_quota(campaign, quota) VALUES(?, ?)"},
      {&insert_coupon_, fmt::format("INSERT INTO coupon({}) VALUES(?, ?, ?, ?, ?, ?, ?)", coupon_columns)},
      {&read_coupon_, fmt::format("SELECT {} FROM coupon WHERE campaign = ? AND rank = ?", coupon_columns)},
      {&read_coupons_,
       fmt::format("SELECT {} FROM coupon WHERE campaign = ? AND rank > ? ORDER BY rank LIMIT ?", coupon_columns)},
      {&insert_parked_,
       "INSERT INTO parked_entry(campaign, rank, quota, user, code, position, reason, parked_at) "
       "VALUES(?, ?, ?, ?, ?, ?, ?, ?)"},
      {&read_parked_, fmt::format("SELECT {} FROM parked_entry ORDER BY number", parked_columns)},
      {&read_one_parked_, fmt::format("SELECT {} FROM parked_entry WHERE number = ?", parked_columns)},
      {&delete_parked_, "DELETE FROM parked_entry WHERE number = ?"},
      // A beat far in the future was made before the clock was set back.
      {&put_beat_,
       "INSERT INTO issuer(one, holder, beat) VALUES(1, ?1, ?2) ON CONFLICT(one) DO UPDATE SET holder = ?1, beat = ?2 "
       "WHERE holder = ?1 OR abs(beat - ?2) >= ?3"},
      {&read_holder_, "SELECT 1 FROM issuer WHERE holder = ?"}};
  for (const auto& [statement, sql] : statements) {
    auto prepared = database_.prepare(sql);
    if (!prepared) return fail(prepared.error().fault("prepare " + options_.folder + "/store.db"));
    *statement = std::move(*prepared);
  }
  return {};
}

SqliteStore::~SqliteStore() {
  if (disk_lost_) return;
  // -wal into the file, so that a stopped server's store is one file.
  if (database_.checkpoint(true)) database_.close_whole();
}

/// The fault of the call that failed last; a failing disk ends the process.
std::unexpected<Fault> SqliteStore::failed(std::string_view doing) {
  const auto error = database_.error();
  auto fault = error.fault(doing);
  if (error.trouble == sqlite::Trouble::disk) {
    disk_lost_ = true;
    options_.on_disk_lost(fault);
  }
  return fail(std::move(fault));
}

/// Commits if `body` says so; else nothing is changed.
template <class Body>
Result<WriteOutcome> SqliteStore::in_transaction(Body body) {
  if (disk_lost_) return fail(FaultKind::unavailable, "the disk under the store was lost");
  if (!database_.begin()) return failed("begin in the store");
  Result<WriteOutcome> outcome = body();
  if (outcome && std::holds_alternative<Committed>(*outcome)) {
    failpoint("store.before_commit");
    if (database_.commit()) {
      failpoint("store.after_commit");
      return outcome;
    }
    outcome = failed("commit to the store");
  }
  if (!database_.roll_back() && !disk_lost_) return failed("roll back in the store");
  return outcome;
}

Result<std::optional<InstallationId>> SqliteStore::installation() {
  const auto step = read_installation_.step();
  if (step == Step::failed) return failed("read the store's installation");
  if (step == Step::done) return std::nullopt;
  auto id = firstcome::read_installation(read_installation_);
  read_installation_.reset();
  if (!id) return fail(id.error());
  return *id;
}

Result<void> SqliteStore::adopt(const InstallationId& id) {
  auto present = installation();
  if (!present) return fail(present.error());
  if (*present == id) return {};
  if (*present) {
    return fail(
        FaultKind::misconfigured,
        "store.db belongs to another journal; if this journal is the right one, move store.db away: it is written "
        "anew from the journal");
  }
  if (!insert_installation_.bind(std::span<const std::uint8_t>(id)).run())
    return failed("write the store's installation");
  return {};
}

Result<std::vector<Progress>> SqliteStore::progress() { return read_all(database_, read_progress_, read_progress); }
Result<std::vector<ParkedEntry>> SqliteStore::parked() { return read_all(database_, read_parked_, read_parked); }

Result<std::vector<CouponRow>> SqliteStore::coupons(std::string_view campaign, std::uint32_t after, std::size_t limit) {
  read_coupons_.bind(campaign).bind(std::int64_t{after}).bind(static_cast<std::int64_t>(limit));
  return read_all(database_, read_coupons_, read_coupon);
}

Result<WriteOutcome> SqliteStore::write(const IssueBatch& batch) {
  return in_transaction([&]() -> Result<WriteOutcome> {
    const auto held = holds_place();
    if (!held) return fail(held.error());
    if (!*held) return FenceLost{};
    auto outcome = pass_fence(batch);
    const auto goes_on = [&] { return outcome && std::holds_alternative<Committed>(*outcome); };
    if (goes_on()) outcome = write_terms(batch);
    for (auto coupon = batch.coupons.begin(); goes_on() && coupon != batch.coupons.end(); ++coupon) {
      outcome = write_coupon(*coupon);
    }
    for (auto parked = batch.parked.begin(); goes_on() && parked != batch.parked.end(); ++parked)
      outcome = park(*parked);
    return outcome;
  });
}

/// First of all. Nobody takes the place meanwhile: transactions follow one another.
Result<bool> SqliteStore::holds_place() {
  if (holder_.empty()) return true;
  const auto step = read_holder_.bind(std::string_view(holder_)).step();
  if (step == Step::failed) return failed("read the issuer");
  if (step == Step::row) read_holder_.reset();
  return step == Step::row;
}

/// Before anything is written: an issuer that has not read what another one wrote sees it here.
Result<WriteOutcome> SqliteStore::pass_fence(const IssueBatch& batch) {
  const auto& next = batch.next;
  const std::span<const std::uint8_t> chain(next.chain);
  bool ran = false;
  if (batch.seen) {
    move_progress_.bind(std::int64_t{next.rank}).bind(as_integer(next.position)).bind(chain).bind(next.campaign.view());
    ran = move_progress_.bind(std::int64_t{batch.seen->rank})
              .bind(std::span<const std::uint8_t>(batch.seen->chain))
              .run();
  } else {
    insert_progress_.bind(next.campaign.view()).bind(std::int64_t{next.rank}).bind(as_integer(next.position));
    ran = insert_progress_.bind(chain).run();
  }
  if (!ran) return failed("write progress");
  if (database_.changes() == 0) return FenceLost{};
  return Committed{};
}

Result<WriteOutcome> SqliteStore::write_terms(const IssueBatch& batch) {
  if (batch.campaign) {
    const auto& row = *batch.campaign;
    const auto bind_time = [&](const std::optional<Time>& time) {
      time ? put_campaign_.bind(count_of(*time)) : put_campaign_.bind_null();
    };
    put_campaign_.bind(row.id.view()).bind(std::string_view(row.name));
    bind_time(row.window.opens_at);
    bind_time(row.window.closes_at);
    row.issue_rate ? put_campaign_.bind(*row.issue_rate) : put_campaign_.bind_null();
    put_campaign_.bind(row.promise == Promise::store ? std::string_view("store") : std::string_view("journal"));
    if (!put_campaign_.bind(std::int64_t{row.paused}).bind(std::int64_t{row.closed}).run())
      return failed("write campaign");
  }
  for (const auto quota : batch.quotas) {
    if (!insert_quota_.bind(batch.next.campaign.view()).bind(std::int64_t{quota}).run()) {
      return failed(fmt::format("write campaign_quota {} {}", batch.next.campaign.view(), quota));
    }
  }
  return Committed{};
}

Result<WriteOutcome> SqliteStore::write_coupon(const CouponRow& coupon) {
  const std::string code = to_text(coupon.code);
  insert_coupon_.bind(coupon.campaign.view()).bind(std::int64_t{coupon.rank}).bind(std::int64_t{coupon.quota});
  insert_coupon_.bind(bytes_of(coupon.user)).bind(std::string_view(code)).bind(as_integer(coupon.position));
  if (insert_coupon_.bind(count_of(coupon.issued_at)).run()) return Committed{};
  const auto error = database_.error();
  if (error.trouble != sqlite::Trouble::refused) return failed("write coupon");
  auto held = holds_already(coupon);
  if (!held) return fail(held.error());
  if (*held) return Committed{};
  return RowRefused{error.what};
}

/// The very same row, but for issued_at: a repeat, and no reason to refuse anything.
Result<bool> SqliteStore::holds_already(const CouponRow& coupon) {
  const auto step = read_coupon_.bind(coupon.campaign.view()).bind(std::int64_t{coupon.rank}).step();
  if (step == Step::failed) return failed("read coupon");
  if (step == Step::done) return false;
  const auto row = read_coupon(read_coupon_);
  read_coupon_.reset();
  return row && row->quota == coupon.quota && row->user == coupon.user && row->code == coupon.code &&
         row->position == coupon.position;
}

Result<WriteOutcome> SqliteStore::park(const ParkedEntry& parked) {
  const auto& coupon = parked.coupon;
  const std::string code = to_text(coupon.code);
  insert_parked_.bind(coupon.campaign.view()).bind(std::int64_t{coupon.rank}).bind(std::int64_t{coupon.quota});
  insert_parked_.bind(bytes_of(coupon.user)).bind(std::string_view(code)).bind(as_integer(coupon.position));
  if (!insert_parked_.bind(std::string_view(parked.reason)).bind(count_of(parked.parked_at)).run()) {
    return failed("write parked_entry");
  }
  return Committed{};
}

Result<WriteOutcome> SqliteStore::retry(std::int64_t number, Time now) {
  return in_transaction([&]() -> Result<WriteOutcome> {
    auto parked = read_all(database_, read_one_parked_.bind(number), read_parked);
    if (!parked) return fail(parked.error());
    if (parked->empty())
      return fail(FaultKind::misconfigured, fmt::format("no coupon is parked under number {}", number));
    auto coupon = parked->front().coupon;
    coupon.issued_at = now;
    auto outcome = write_coupon(coupon);
    if (!outcome || !std::holds_alternative<Committed>(*outcome)) return outcome;
    if (!delete_parked_.bind(number).run()) return failed("un-park");
    return Committed{};
  });
}

Result<bool> SqliteStore::beat(const std::string& holder) {
  if (disk_lost_) return fail(FaultKind::unavailable, "the disk under the store was lost");
  put_beat_.bind(std::string_view(holder)).bind(count_of(options_.clock.now()));
  if (!put_beat_.bind(std::int64_t{beat_ms_max.count()}).run()) return failed("beat");
  const bool held = database_.changes() > 0;
  if (held) holder_ = holder;
  return held;
}

}  // namespace firstcome
