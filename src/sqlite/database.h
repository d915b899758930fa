#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace firstcome::sqlite {

/// What SQLite's result codes mean to us.
enum class Trouble : std::uint8_t {
  none,
  busy,       ///< another connection is in the way: rolled back, try again
  full,       ///< no room, or no memory: rolled back, the file is as before
  refused,    ///< a constraint, a wrong type, too long: this row, never
  no_access,  ///< cannot be opened or written by us
  damaged,    ///< the file is not what was written, or no file of ours
  disk,       ///< reading, writing or syncing failed: what the disk holds now cannot be known
};

struct Error {
  Trouble trouble = Trouble::none;
  std::string what;  ///< with SQLite's own words

  Fault fault(std::string_view doing) const;
};

struct Terms {
  std::string vfs;         ///< empty: the system's
  bool exclusive = false;  ///< no other connection may come in; no -shm file
  bool sync = true;        ///< false is synchronous=OFF: only for the test that shows what a power cut does then
  bool checkpoints_itself = false;  ///< after 4 MB of -wal; false: checkpoint() is called by hand
  int busy_ms_max = 0;              ///< how long to wait for another connection
};

class Database;

/// A prepared statement. Bytes and text that are bound must live until run() or the last step().
///
///   Threads   one at a time, with its Database.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  /// The next parameter, from the first one on.
  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  Statement& bind(std::string_view text);
  Statement& bind(std::span<const std::uint8_t> blob);
  Statement& bind_null();

  enum class Step : std::uint8_t { row, done, failed };
  /// `row`: the columns can be read until the next call. `done` and `failed`: it has been reset for new parameters.
  Step step();

  /// Steps to the end and past all rows. False: Database::error() says why.
  bool run();

  void reset();

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  std::span<const std::uint8_t> blob(int column) const;
  bool is_null(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  void check(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
  int bind_code_ = 0;
};

/// One connection to one SQLite file in WAL mode.
///
///   Durable    a commit that succeeded is on the disk (synchronous=FULL), and so is all that can be read after open():
///              what a killed process left in -wal was maybe in the kernel's memory only, or is there since a sync of
///              it failed. It is written again, byte for byte, and synced.
///   Closing    leaves -wal as it is, so that closing a file that was found damaged destroys no evidence.
///   Threads    one at a time.
class Database {
 public:
  /// Makes the file if it is not there.
  static std::expected<Database, Error> open(const std::string& path, const Terms& terms);

  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;

  std::expected<Statement, Error> prepare(std::string_view sql);

  /// One or more statements without parameters; rows are dropped.
  std::expected<void, Error> execute(const std::string& sql);

  /// The first column of the first row.
  std::expected<std::int64_t, Error> number(const std::string& sql);
  std::expected<std::string, Error> words(const std::string& sql);

  /// False when it failed: error() says why, and roll_back() is due.
  bool begin();
  bool commit();
  /// Ends the transaction if there is one. False: the connection cannot be used any more.
  bool roll_back();

  /// Why the last call failed.
  Error error() const;

  /// Rows that the last statement changed.
  int changes() const;
  bool is_read_only() const;

  /// No tables, and no application_id: nobody has used it yet.
  std::expected<bool, Error> is_blank();

  /// Moves what -wal holds into the file and cuts -wal to nothing if `truncate`.
  std::expected<void, Error> checkpoint(bool truncate);

  /// Bytes of -wal that hold commits since its last reset. Any thread may ask.
  std::uint64_t wal_bytes() const { return wal_bytes_->load(std::memory_order_relaxed); }

  /// As closing, but -wal is moved into the file and removed: the end of a clean stop.
  void close_whole();

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  Database() = default;
  std::expected<void, Error> write_wal_again();

  std::unique_ptr<sqlite3, Close> database_;
  std::unique_ptr<std::atomic<std::uint64_t>> wal_bytes_;
  Statement begin_;
  Statement commit_;
};

/// "ok", or what quick_check found first.
std::expected<std::string, Error> quick_check(Database& database);

inline constexpr std::uint32_t page_bytes = 4096;

}  // namespace firstcome::sqlite
