#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/witness.h"
#include "model/entry.h"
#include "sqlite/database.h"

namespace firstcome {

/// The tables of journal.db.
///
///   entry(position, stamp, body, sum)   positions dense from 1; `sum` covers the row and the sum of the row before it
///   head(position, sum)                 one row: the last entry, so that a hidden last row is noticed
///
///   Fails   with corrupt, the position, and what to do; with misconfigured for a journal of a newer firstcome.
class EntryTable {
 public:
  /// True when there are no tables at all: the file has just been made.
  static Result<bool> is_absent(sqlite::Database& database, const std::string& path);

  /// Makes the tables, with `first` as the first entry, in one commit.
  static Result<EntryTable> make(sqlite::Database& database, const std::string& path, const Shown& first);

  /// Checks that these are our tables, of a version that we know, and the pages of the file.
  static Result<EntryTable> open(sqlite::Database& database, const std::string& path);

  /// Inside a transaction of the caller. False: the database's error() says why.
  bool insert(const Shown& shown);
  bool write_head();

  /// Where the journal ends with what has been inserted; back_to() is for an insert that was rolled back.
  const JournalEnd& end() const { return end_; }
  void back_to(const JournalEnd& end) { end_ = end; }

  /// Reads and checks every entry from the first on, and shows them in batches; then head and witness must agree with
  /// them.
  Result<void> read(const std::optional<JournalEnd>& witness, const std::function<void(std::span<const Shown>)>& show);

 private:
  EntryTable(sqlite::Database& database, std::string path) : database_(&database), path_(std::move(path)) {}
  static Result<EntryTable> prepare(sqlite::Database& database, const std::string& path);
  Result<Shown> read_row();
  Result<void> check_end(const std::optional<JournalEnd>& witness);
  std::unexpected<Fault> damaged(const std::string& what) const;

  sqlite::Database* database_;
  std::string path_;
  sqlite::Statement insert_;
  sqlite::Statement update_head_;
  sqlite::Statement read_head_;
  sqlite::Statement read_rows_;
  JournalEnd end_;
  std::vector<std::uint8_t> body_;
};

/// The fault of a journal that must not be used: `what`, and what to do about it.
std::unexpected<Fault> damaged_journal(const std::string& path, const std::string& what);

}  // namespace firstcome
