#include "journal/sqlite_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/assert.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "sqlite/wal_scan.h"

namespace firstcome {
namespace {

/// A merge holds appends up for about 1 ms per MiB here. It is made when nobody waits, as soon as it is worth it, and
/// under load only when -wal gets long (`wal_bytes_max`): a reset of -wal also makes a running `firstcome verify` copy
/// again.
constexpr std::uint64_t merge_idle_bytes = 1ULL << 20;

constexpr Millis merge_again_ms{10'000};  // after a full disk refused it

constexpr Millis heard_ms{250};  // the port promises 500

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void SqliteJournal::end_process(const Fault& fault) {
  log::error(
      "the disk failed under the journal: whether its last commit is on the disk cannot be known. This process "
      "ends; the next start reads what there is. Look at the disk before it",
      {{"fault", fault.what}});
  std::abort();
}

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(Options options) {
  const std::string path = options.folder + "/journal.db";
  auto damage = sqlite::scan_wal(path, options.vfs);
  if (!damage) return fail(damage.error());
  if (*damage) return damaged_journal(path + "-wal", (*damage)->what);

  auto witness = Witness::open(options.folder + "/" + Witness::file_name, options.vfs);
  if (!witness) return fail(witness.error());
  auto opened = sqlite::Database::open(path, {.vfs = options.vfs, .exclusive = true, .sync = options.sync});
  if (!opened) {
    if (opened.error().trouble == sqlite::Trouble::damaged) return damaged_journal(path, opened.error().what);
    return fail(opened.error().fault("open " + path));
  }
  auto database = std::make_unique<sqlite::Database>(std::move(*opened));
  if (database->is_read_only()) {
    return fail(
        FaultKind::misconfigured,
        path + " cannot be written: it belongs to another user, or its header is damaged (firstcome verify says)");
  }

  auto absent = EntryTable::is_absent(*database, path);
  if (!absent) return fail(absent.error());
  if (*absent && witness->seen()) {
    return damaged_journal(path, fmt::format("it is empty, but {} says that the entries up to {} were shown",
                                             Witness::file_name, witness->seen()->position));
  }
  if (!*absent) {
    auto entries = EntryTable::open(*database, path);
    if (!entries) return fail(entries.error());
    return std::unique_ptr<SqliteJournal>(
        new SqliteJournal(std::move(options), std::move(database), std::move(*entries), std::move(*witness)));
  }

  Installation installation;
  options.random.fill(installation.id);
  auto entries = EntryTable::make(*database, path, Shown{1, options.clock.now(), installation});
  if (!entries) return fail(entries.error());
  // In the file itself and in the witness, so that a journal that is found empty later has lost something.
  if (auto merged = database->checkpoint(true); !merged) return fail(merged.error().fault("make " + path));
  auto told = witness->write(entries->end());
  if (told) told = witness->sync();
  if (!told) return fail(told.error());
  return std::unique_ptr<SqliteJournal>(
      new SqliteJournal(std::move(options), std::move(database), std::move(*entries), std::move(*witness)));
}

SqliteJournal::SqliteJournal(Options options, std::unique_ptr<sqlite::Database> database, EntryTable entries,
                             Witness witness)
    : options_(std::move(options)),
      database_(std::move(database)),
      entries_(std::move(entries)),
      witness_(std::move(witness)),
      mailbox_(options_.append_entries_max) {
  stats_.waiting_max = mailbox_.limit();
}

SqliteJournal::~SqliteJournal() { MUST(!thread_.joinable(), "a journal is stopped before it is destroyed"); }

Result<void> SqliteJournal::start(Follower& follower) {
  MUST(follower_ == nullptr, "a journal is started once");
  follower_ = &follower;
  if (!witness_.seen() && entries_->end().position == 0) {
    log::warn("the journal has no journal.head: was it restored from a backup? From here on there is one",
              {{"data", options_.folder}});
  }
  auto read = entries_->read(witness_.seen(), [&](std::span<const Shown> batch) { follower.shown(batch); });
  if (!read) return read;
  read_whole_ = true;
  wal_bytes_ = database_->wal_bytes();
  bear_witness();
  heard_at_ = options_.clock.uptime();
  follower.heard(options_.clock.now());
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> SqliteJournal::append(Entry entry, AppendTag tag) {
  if (mailbox_.put({std::move(entry), tag})) return {};
  if (mailbox_.closed()) return fail(FaultKind::unavailable, "the journal is stopped");
  return fail(FaultKind::overloaded, fmt::format("{} appends wait for the journal", mailbox_.limit()));
}

void SqliteJournal::run() {
  std::vector<Append> taken;
  bool open = true;
  while (open && !disk_lost_) {
    open = mailbox_.take(taken, heard_ms);
    const bool idle = taken.empty();
    std::span<Append> rest(taken);
    while (!rest.empty() && !disk_lost_) {
      const auto count = std::min(rest.size(), limits::batch_entries_max);
      commit(rest.first(count));
      rest = rest.subspan(count);
      hear();
    }
    taken.clear();
    if (disk_lost_) break;
    merge_wal(idle ? merge_idle_bytes : options_.wal_bytes_max);
    hear();
  }
}

void SqliteJournal::commit(std::span<Append> appends) {
  const auto begun = std::chrono::steady_clock::now();
  const JournalEnd before = entries_->end();
  if (!write(appends)) {
    const auto error = database_->error();
    entries_->back_to(before);
    const bool clean = error.trouble == sqlite::Trouble::full && database_->roll_back();
    if (!clean) return lose_disk(error.fault("commit to the journal"));
    return fail_appends(appends, error);
  }
  bear_witness();
  {
    const std::lock_guard lock(stats_mutex_);
    ++stats_.commits;
    stats_.entries += batch_.size();
    stats_.commit_seconds += seconds_since(begun);
    stats_.batch_entries_last = batch_.size();
    wal_bytes_ = database_->wal_bytes();
  }
  if (disk_full_) log::info("the journal can write again");
  disk_full_ = false;
  follower_->shown(batch_);
}

bool SqliteJournal::write(std::span<Append> appends) {
  if (!database_->begin()) return false;
  const Time stamp = options_.clock.now();
  batch_.clear();
  for (auto& append : appends) {
    batch_.push_back({entries_->end().position + 1, stamp, std::move(append.entry)});
    if (!entries_->insert(batch_.back())) return false;
  }
  if (!entries_->write_head()) return false;
  failpoint("journal.before_commit");
  if (!database_->commit()) return false;
  failpoint("journal.after_commit");
  return true;
}

/// An older witness is right too, only less sharp: a failure is no reason to hold back what is durable.
void SqliteJournal::bear_witness() {
  auto written = witness_.write(entries_->end());
  if (!written && !witness_failed_) log::warn("journal.head cannot be written", {{"fault", written.error().what}});
  witness_failed_ = !written;
}

void SqliteJournal::fail_appends(std::span<const Append> appends, const sqlite::Error& error) {
  const auto fault = error.fault("commit to the journal");
  if (!disk_full_)
    log::error("the journal cannot write; claims are answered 503 until it can", {{"fault", fault.what}});
  disk_full_ = true;
  {
    const std::lock_guard lock(stats_mutex_);
    ++stats_.faults;
  }
  std::vector<AppendTag> tags;
  tags.reserve(appends.size());
  for (const auto& append : appends) tags.push_back(append.tag);
  follower_->append_failed(tags, fault);
}

void SqliteJournal::merge_wal(std::uint64_t wal_bytes_max) {
  if (database_->wal_bytes() < wal_bytes_max || options_.clock.uptime() < merge_not_before_) return;
  const auto merged = database_->checkpoint(false);
  if (!merged && merged.error().trouble != sqlite::Trouble::full) {
    return lose_disk(merged.error().fault("merge the journal's -wal"));
  }
  if (merged) {
    // From here on a power cut too leaves a witness that knows the file.
    if (auto synced = witness_.sync(); !synced) return lose_disk(synced.error());
  } else {  // no room: -wal holds everything
    merge_not_before_ = options_.clock.uptime() + merge_again_ms;
  }
  const std::lock_guard lock(stats_mutex_);
  wal_bytes_ = database_->wal_bytes();
  if (!merged) ++stats_.faults;
}

void SqliteJournal::lose_disk(const Fault& fault) {
  disk_lost_ = true;
  mailbox_.close();
  options_.on_disk_lost(fault);
}

void SqliteJournal::hear() {
  const auto now = options_.clock.uptime();
  if (disk_lost_ || now - heard_at_ < heard_ms) return;
  heard_at_ = now;
  follower_->heard(options_.clock.now());
}

void SqliteJournal::stop() {
  mailbox_.close();
  if (thread_.joinable()) thread_.join();
  if (!read_whole_ || disk_lost_ || database_ == nullptr) return;  // what was found damaged is left as it is
  const auto merged = database_->checkpoint(true);
  if (!merged)
    log::warn("-wal could not be merged at the end; the next start reads it", {{"fault", merged.error().what}});
  entries_.reset();
  if (merged) database_->close_whole();
  database_.reset();
}

Journal::Stats SqliteJournal::stats() const {
  const std::lock_guard lock(stats_mutex_);
  Stats stats = stats_;
  stats.waiting = mailbox_.depth();
  return stats;
}

std::uint64_t SqliteJournal::wal_bytes() const {
  const std::lock_guard lock(stats_mutex_);
  return wal_bytes_;
}

}  // namespace firstcome
