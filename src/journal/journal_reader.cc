#include "journal/journal_reader.h"

#include <fmt/format.h>

#include <optional>

#include "sqlite/database.h"
#include "sqlite/snapshot.h"
#include "sqlite/wal_scan.h"

namespace firstcome {
namespace {

constexpr int attempts_max = 20;

/// A copy of a running server's -wal may look damaged where the server was just writing: old frames that were copied
/// before it came there, new ones behind them that were copied after. Such a place is another one the next time; damage
/// stays.
Result<sqlite::Snapshot> take_whole_snapshot(const std::string& path) {
  std::optional<sqlite::WalDamage> before;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    auto snapshot = sqlite::Snapshot::take(path);
    if (!snapshot) return snapshot;
    auto damage = sqlite::scan_wal(snapshot->path(), {});
    if (!damage) return fail(damage.error());
    if (!*damage) return snapshot;
    if (before && (*damage)->frame == before->frame) return damaged_journal(path + "-wal", (*damage)->what);
    before = *damage;
  }
  return fail(FaultKind::unavailable,
              path + " is written faster than it can be copied; try again when there is less to do");
}

}  // namespace

Result<JournalEnd> read_journal(const std::string& folder, const std::function<void(std::span<const Shown>)>& show) {
  const std::string path = folder + "/journal.db";
  // Before the copy, since a running server goes on.
  auto witness = Witness::look(folder + "/" + Witness::file_name, {});
  if (!witness) return fail(witness.error());
  auto snapshot = take_whole_snapshot(path);
  if (!snapshot) return fail(snapshot.error());

  auto database = sqlite::Database::open(snapshot->path(), {.exclusive = true, .sync = false});
  if (!database) {
    if (database.error().trouble == sqlite::Trouble::damaged) return damaged_journal(path, database.error().what);
    return fail(database.error().fault("open a copy of " + path));
  }
  auto absent = EntryTable::is_absent(*database, path);
  if (!absent) return fail(absent.error());
  if (*absent && *witness) {
    return damaged_journal(path, fmt::format("it is empty, but {} says that the entries up to {} were shown",
                                             Witness::file_name, (*witness)->position));
  }
  if (*absent) return fail(FaultKind::misconfigured, path + " is empty: no server has been started on this folder yet");
  auto entries = EntryTable::open(*database, path);
  if (!entries) return fail(entries.error());
  if (auto read = entries->read(*witness, show); !read) return fail(read.error());
  return entries->end();
}

}  // namespace firstcome
