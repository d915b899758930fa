#include "sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/assert.h"

namespace firstcome::sqlite {
namespace {

constexpr std::uint64_t frame_bytes = 24 + page_bytes;

Trouble trouble_of(int code, int system_errno) {
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return Trouble::none;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Trouble::busy;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return Trouble::full;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return Trouble::refused;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Trouble::no_access;
    case SQLITE_IOERR:
      // A quota or a file size limit refuses the write as a full disk does, only SQLite does not know their numbers.
      // The -shm file that cannot grow is a full disk too.
      if (code == SQLITE_IOERR_WRITE && (system_errno == EDQUOT || system_errno == EFBIG)) return Trouble::full;
      if (code == SQLITE_IOERR_NOMEM || code == SQLITE_IOERR_SHMSIZE) return Trouble::full;
      return Trouble::disk;
    default:  // CORRUPT, NOTADB, FORMAT, and ERROR: our statements are right, so the tables are not ours
      return Trouble::damaged;
  }
}

Error error_of(int code, sqlite3* database) {
  const int system_errno = database != nullptr ? sqlite3_system_errno(database) : 0;
  const bool own_words = database != nullptr && sqlite3_extended_errcode(database) == code;
  return {trouble_of(code, system_errno),
          fmt::format("{} (SQLite {}{})", own_words ? sqlite3_errmsg(database) : sqlite3_errstr(code), code,
                      system_errno != 0 ? fmt::format(", errno {}", system_errno) : "")};
}

int count_wal(void* bytes, sqlite3* /*database*/, const char* /*schema*/, int pages) {
  static_cast<std::atomic<std::uint64_t>*>(bytes)->store(static_cast<std::uint64_t>(pages) * frame_bytes,
                                                         std::memory_order_relaxed);
  return SQLITE_OK;
}

/// As count_wal, and what SQLite's own hook would do.
int count_wal_and_checkpoint(void* bytes, sqlite3* database, const char* schema, int pages) {
  constexpr int pages_max = 1000;
  count_wal(bytes, database, schema, pages);
  if (pages >= pages_max) sqlite3_wal_checkpoint_v2(database, schema, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return SQLITE_OK;
}

}  // namespace

Fault Error::fault(std::string_view doing) const {
  const auto say = [&](FaultKind kind, std::string_view more) {
    return Fault{kind, fmt::format("{}: {}{}", doing, what, more)};
  };
  switch (trouble) {
    case Trouble::busy:
      return say(FaultKind::unavailable, "; another program holds it");
    case Trouble::full:
      return say(FaultKind::unavailable, "; make room on the disk of --data");
    case Trouble::no_access:
      return say(FaultKind::misconfigured, "; check that --data and its files belong to this user and can be written");
    case Trouble::damaged:
    case Trouble::refused:
      return say(FaultKind::corrupt, "");
    case Trouble::none:
    case Trouble::disk:
      break;
  }
  return say(FaultKind::unavailable, "; the disk of --data failed");
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::check(int code) {
  if (code != SQLITE_OK) bind_code_ = code;
}

Statement& Statement::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), ++bound_, value));
  return *this;
}
Statement& Statement::bind(double value) {
  check(sqlite3_bind_double(statement_.get(), ++bound_, value));
  return *this;
}
Statement& Statement::bind(std::string_view text) {
  const char* bytes = text.empty() ? "" : text.data();
  check(sqlite3_bind_text64(statement_.get(), ++bound_, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}
Statement& Statement::bind(std::span<const std::uint8_t> blob) {
  const void* bytes = blob.empty() ? static_cast<const void*>("") : blob.data();
  check(sqlite3_bind_blob64(statement_.get(), ++bound_, bytes, blob.size(), SQLITE_STATIC));
  return *this;
}
Statement& Statement::bind_null() {
  check(sqlite3_bind_null(statement_.get(), ++bound_));
  return *this;
}

Statement::Step Statement::step() {
  const int code = bind_code_ != 0 ? bind_code_ : sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return Step::row;
  reset();
  return code == SQLITE_DONE ? Step::done : Step::failed;
}

bool Statement::run() {
  auto now = step();
  while (now == Step::row) now = step();
  return now == Step::done;
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  bound_ = 0;
  bind_code_ = 0;
}

std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }
std::string_view Statement::text(int column) const {
  const auto* bytes = sqlite3_column_text(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
std::span<const std::uint8_t> Statement::blob(int column) const {
  const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
bool Statement::is_null(int column) const { return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL; }

void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

std::expected<Database, Error> Database::open(const std::string& path, const Terms& terms) {
  Database opened;
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, terms.vfs.empty() ? nullptr : terms.vfs.c_str());
  opened.database_.reset(raw);
  if (code != SQLITE_OK) return std::unexpected(error_of(code, raw));
  opened.wal_bytes_ = std::make_unique<std::atomic<std::uint64_t>>(0);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_busy_timeout(raw, terms.busy_ms_max);

  // The locking mode comes first: with an exclusive lock SQLite keeps the index of -wal in its own memory. EXTRA is for
  // the rollback journal with which a new file becomes one with a -wal: if a power cut brought it back, it would empty
  // the file.
  const std::string settings = fmt::format(
      "PRAGMA locking_mode={}; PRAGMA page_size={}; PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; "
      "PRAGMA temp_store=MEMORY; PRAGMA synchronous={}",
      terms.exclusive ? "EXCLUSIVE" : "NORMAL", page_bytes, terms.sync ? "EXTRA" : "OFF");
  if (auto set = opened.execute(settings); !set) return std::unexpected(set.error());
  auto mode = opened.words("PRAGMA journal_mode=WAL");
  if (!mode) return std::unexpected(mode.error());
  if (*mode != "wal") {
    return std::unexpected(Error{Trouble::damaged, fmt::format("journal_mode is {} and cannot be made wal", *mode)});
  }
  if (terms.sync) {
    if (auto set = opened.execute("PRAGMA synchronous=FULL"); !set) return std::unexpected(set.error());
  }
  sqlite3_wal_hook(raw, terms.checkpoints_itself ? count_wal_and_checkpoint : count_wal, opened.wal_bytes_.get());

  auto begin = opened.prepare("BEGIN IMMEDIATE");
  if (!begin) return std::unexpected(begin.error());
  auto commit = opened.prepare("COMMIT");
  if (!commit) return std::unexpected(commit.error());
  opened.begin_ = std::move(*begin);
  opened.commit_ = std::move(*commit);
  if (terms.sync && !opened.is_read_only()) {
    if (auto written = opened.write_wal_again(); !written) return std::unexpected(written.error());
  }
  return opened;
}

/// A sync alone would not do: Linux takes pages whose writing failed for clean, and never writes them again by itself.
std::expected<void, Error> Database::write_wal_again() {
  if (!begin()) return std::unexpected(error());  // nobody else appends meanwhile
  sqlite3_file* wal = nullptr;
  sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&wal));
  sqlite3_int64 size = 0;
  int code = SQLITE_OK;
  if (wal != nullptr && wal->pMethods != nullptr) code = wal->pMethods->xFileSize(wal, &size);
  constexpr sqlite3_int64 piece_bytes = 1 << 16;  // SQLite's own VFS takes a write of 128 KiB and more for a full disk
  std::vector<std::uint8_t> piece(static_cast<std::size_t>(std::min(size, piece_bytes)));
  for (sqlite3_int64 offset = 0; code == SQLITE_OK && offset < size; offset += piece_bytes) {
    const int bytes = static_cast<int>(std::min(piece_bytes, size - offset));
    code = wal->pMethods->xRead(wal, piece.data(), bytes, offset);
    if (code == SQLITE_OK) code = wal->pMethods->xWrite(wal, piece.data(), bytes, offset);
  }
  if (code == SQLITE_OK && size > 0) code = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  if (!roll_back()) return std::unexpected(error());
  if (code != SQLITE_OK) return std::unexpected(error_of(code, nullptr));
  wal_bytes_->store(static_cast<std::uint64_t>(size), std::memory_order_relaxed);
  return {};
}

std::expected<Statement, Error> Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error_of(code, database_.get()));
  Statement prepared;
  prepared.statement_.reset(raw);
  return prepared;
}

std::expected<void, Error> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error_of(code, database_.get()));
  return {};
}

std::expected<std::int64_t, Error> Database::number(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  const auto step = statement->step();
  if (step == Statement::Step::failed) return std::unexpected(error());
  return step == Statement::Step::row ? statement->integer(0) : 0;
}

std::expected<std::string, Error> Database::words(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  const auto step = statement->step();
  if (step == Statement::Step::failed) return std::unexpected(error());
  return step == Statement::Step::row ? std::string(statement->text(0)) : std::string();
}

bool Database::begin() { return begin_.run(); }
bool Database::commit() { return commit_.run(); }

bool Database::roll_back() {
  // Some errors have ended the transaction already; then there is nothing to do.
  if (sqlite3_get_autocommit(database_.get()) != 0) return true;
  return sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK;
}

Error Database::error() const { return error_of(sqlite3_extended_errcode(database_.get()), database_.get()); }
int Database::changes() const { return sqlite3_changes(database_.get()); }
bool Database::is_read_only() const { return sqlite3_db_readonly(database_.get(), "main") == 1; }

std::expected<bool, Error> Database::is_blank() {
  auto tables = number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());
  auto id = number("PRAGMA application_id");
  if (!id) return std::unexpected(id.error());
  return *tables == 0 && *id == 0;
}

std::expected<void, Error> Database::checkpoint(bool truncate) {
  const int code = sqlite3_wal_checkpoint_v2(
      database_.get(), "main", truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error_of(code, database_.get()));
  wal_bytes_->store(0, std::memory_order_relaxed);
  return {};
}

void Database::close_whole() {
  MUST(database_ != nullptr, "closed once");
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  begin_ = {};
  commit_ = {};
  database_.reset();
}

std::expected<std::string, Error> quick_check(Database& database) { return database.words("PRAGMA quick_check(1)"); }

}  // namespace firstcome::sqlite
