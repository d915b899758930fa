#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mailbox.h"
#include "base/random.h"
#include "journal/entry_table.h"
#include "journal/journal.h"
#include "journal/witness.h"
#include "sqlite/database.h"

namespace firstcome {

/// The journal as one SQLite file, for one process: journal.db, journal.db-wal and journal.head in the data folder.
///
///   Order      positions are dense from 1; entry 1 is the installation, made with the file.
///   Durable    one commit (WAL, synchronous=FULL) for all that waits, at most `batch_entries_max`; shown after it.
///   Told       a full disk fails the appends of one commit, and the next ones are tried. When the disk fails
///   otherwise,
///              whether the commit is on it cannot be known, and a page that could not be synced may pass for clean:
///              on_disk_lost() ends the process, and the next start reads what there is.
///   Fails      what open() and start() refuse as corrupt: -wal damaged before its end (sqlite/wal_scan.h), damaged
///   pages
///              (quick_check), a position missing, a row that is not what was written (each row's sum covers the rows
///              before it), an end before what was shown (journal/witness.h).
class SqliteJournal final : public Journal {
 public:
  struct Options {
    std::string folder;
    Clock& clock;
    Random& random;  ///< the installation's id

    std::size_t append_entries_max = limits::append_entries_max;
    std::uint64_t wal_bytes_max = 32ULL << 20;  ///< beyond, -wal is merged even while appends wait
    std::string vfs = {};                       ///< empty: the system's
    bool sync = true;  ///< false: synchronous=OFF, for the test that shows what a power cut does then

    /// Must not return, but in tests: then the journal is dead, and says nothing any more.
    std::function<void(const Fault&)> on_disk_lost = end_process;
  };

  /// Logs and aborts.
  [[noreturn]] static void end_process(const Fault& fault);

  /// Makes the journal if there is none. The folder must be held (sqlite/data_folder.h).
  static Result<std::unique_ptr<SqliteJournal>> open(Options options);

  /// stop() comes first.
  ~SqliteJournal() override;

  Result<void> start(Follower& follower) override;
  Result<void> append(Entry entry, AppendTag tag) override;
  void stop() override;
  Stats stats() const override;

  /// How long -wal is; for metrics, any thread.
  std::uint64_t wal_bytes() const;

 private:
  struct Append {
    Entry entry;
    AppendTag tag;
  };

  SqliteJournal(Options options, std::unique_ptr<sqlite::Database> database, EntryTable entries, Witness witness);

  // On the journal's thread.
  void run();
  void commit(std::span<Append> appends);
  bool write(std::span<Append> appends);
  void bear_witness();
  void fail_appends(std::span<const Append> appends, const sqlite::Error& error);
  void merge_wal(std::uint64_t wal_bytes_max);
  void lose_disk(const Fault& fault);
  void hear();

  const Options options_;
  std::unique_ptr<sqlite::Database> database_;  // entries_ points to it
  std::optional<EntryTable> entries_;           // none after stop()
  Witness witness_;

  Mailbox<Append> mailbox_;
  std::thread thread_;
  Follower* follower_ = nullptr;
  bool read_whole_ = false;  // start() found everything in order
  bool disk_lost_ = false;
  bool disk_full_ = false;
  bool witness_failed_ = false;
  Uptime merge_not_before_{};
  Uptime heard_at_{};
  std::vector<Shown> batch_;

  mutable std::mutex stats_mutex_;
  Stats stats_;
  std::uint64_t wal_bytes_ = 0;
};

}  // namespace firstcome
