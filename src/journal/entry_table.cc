#include "journal/entry_table.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "base/limits.h"

namespace firstcome {
namespace {

using Step = sqlite::Statement::Step;

constexpr std::int64_t application_id = 0x4643'4a31;  // "FCJ1": `file journal.db` shows it
constexpr std::int64_t version_now = 1;

constexpr const char* create_entry =
    "CREATE TABLE entry(position INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT "
    "NULL) "
    "STRICT";
constexpr const char* create_head =
    "CREATE TABLE head(one INTEGER PRIMARY KEY CHECK(one = 1), position INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT";

/// The sum of a row: over the sum before it, position, stamp and body.
std::uint64_t next_sum(std::uint64_t before, Position position, Time stamp, std::span<const std::uint8_t> body) {
  struct Front {
    std::uint64_t before;
    std::uint64_t position;
    std::int64_t stamp;
  };
  static_assert(std::endian::native == std::endian::little && sizeof(Front) == 24);
  const Front front{before, position, stamp.time_since_epoch().count()};
  std::array<std::uint8_t, sizeof front + entry_bytes_max> bytes;
  std::memcpy(bytes.data(), &front, sizeof front);
  std::memcpy(bytes.data() + sizeof front, body.data(), body.size());
  return XXH3_64bits(bytes.data(), sizeof front + body.size());
}

std::int64_t as_integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }

std::unexpected<Fault> refuse(const std::string& path, const sqlite::Error& error) {
  if (error.trouble != sqlite::Trouble::damaged) return fail(error.fault("read " + path));
  return damaged_journal(path, error.what);
}

}  // namespace

std::unexpected<Fault> damaged_journal(const std::string& path, const std::string& what) {
  return fail(
      FaultKind::corrupt,
      fmt::format("{} is damaged: {}. It is not used, since answers that were given rest on it. Keep the data folder "
                  "as it is, look at it with `firstcome verify --data`, and restore it from a backup "
                  "(docs/operations.md)",
                  path, what));
}

std::unexpected<Fault> EntryTable::damaged(const std::string& what) const { return damaged_journal(path_, what); }

Result<bool> EntryTable::is_absent(sqlite::Database& database, const std::string& path) {
  auto blank = database.is_blank();
  if (!blank) return refuse(path, blank.error());
  return *blank;
}

Result<EntryTable> EntryTable::make(sqlite::Database& database, const std::string& path, const Shown& first) {
  const auto refuse = [&](const sqlite::Error& error) {
    database.roll_back();
    return fail(error.fault("make " + path));
  };
  if (!database.begin()) return refuse(database.error());
  auto made =
      database.execute(fmt::format("{}; {}; INSERT INTO head VALUES(1, 0, 0); PRAGMA application_id={}; "
                                   "PRAGMA user_version={}",
                                   create_entry, create_head, application_id, version_now));
  if (!made) return refuse(made.error());
  auto table = prepare(database, path);
  if (!table) {
    database.roll_back();
    return table;
  }
  if (!table->insert(first) || !table->write_head() || !database.commit()) return refuse(database.error());
  return table;
}

Result<EntryTable> EntryTable::open(sqlite::Database& database, const std::string& path) {
  auto id = database.number("PRAGMA application_id");
  if (!id) return refuse(path, id.error());
  if (*id != application_id) return damaged_journal(path, fmt::format("it is no journal (application_id {:#x})", *id));
  auto version = database.number("PRAGMA user_version");
  if (!version) return refuse(path, version.error());
  if (*version > version_now) {
    return fail(FaultKind::misconfigured, fmt::format("{} is of version {}, this firstcome knows {}: upgrade this node",
                                                      path, *version, version_now));
  }
  if (*version != version_now) return damaged_journal(path, fmt::format("its version is {}", *version));
  auto tables = database.words("SELECT group_concat(sql, '; ') FROM (SELECT sql FROM sqlite_schema ORDER BY rowid)");
  if (!tables) return refuse(path, tables.error());
  if (*tables != fmt::format("{}; {}", create_entry, create_head)) {
    return damaged_journal(path, "its tables are not those of a journal");
  }
  auto pages = sqlite::quick_check(database);
  if (!pages) return refuse(path, pages.error());
  if (*pages != "ok") return damaged_journal(path, *pages);
  return prepare(database, path);
}

Result<EntryTable> EntryTable::prepare(sqlite::Database& database, const std::string& path) {
  EntryTable table(database, path);
  const std::pair<sqlite::Statement*, const char*> statements[] = {
      {&table.insert_, "INSERT INTO entry(position, stamp, body, sum) VALUES(?, ?, ?, ?)"},
      {&table.update_head_, "UPDATE head SET position = ?, sum = ? WHERE one = 1"},
      {&table.read_head_, "SELECT position, sum FROM head"},
      {&table.read_rows_, "SELECT position, stamp, body, sum FROM entry ORDER BY position"}};
  for (const auto& [statement, sql] : statements) {
    auto prepared = database.prepare(sql);
    if (!prepared) return refuse(path, prepared.error());
    *statement = std::move(*prepared);
  }
  return table;
}

bool EntryTable::insert(const Shown& shown) {
  MUST(shown.position == end_.position + 1, "positions are dense");
  body_.clear();
  encode(shown.entry, body_);
  MUST(body_.size() <= entry_bytes_max, "entries have a largest size");
  const auto sum = next_sum(end_.sum, shown.position, shown.stamp, body_);
  insert_.bind(as_integer(shown.position)).bind(shown.stamp.time_since_epoch().count());
  if (!insert_.bind(std::span<const std::uint8_t>(body_)).bind(as_integer(sum)).run()) return false;
  end_ = {shown.position, sum};
  return true;
}

bool EntryTable::write_head() { return update_head_.bind(as_integer(end_.position)).bind(as_integer(end_.sum)).run(); }

/// The row at which `read_rows_` stands.
Result<Shown> EntryTable::read_row() {
  const auto position = static_cast<Position>(read_rows_.integer(0));
  if (position != end_.position + 1) {
    return damaged(fmt::format("after position {} comes {}", end_.position, position));
  }
  const Time stamp{Millis(read_rows_.integer(1))};
  const auto body = read_rows_.blob(2);
  const auto sum = static_cast<std::uint64_t>(read_rows_.integer(3));
  if (body.size() > entry_bytes_max || next_sum(end_.sum, position, stamp, body) != sum) {
    return damaged(fmt::format("the entry at position {} is not what was written", position));
  }
  auto entry = decode(body);
  if (!entry) return fail(std::move(entry.error()).within(fmt::format("{}, position {}", path_, position)));
  if (!*entry) return damaged(fmt::format("the entry at position {} is none of ours", position));
  end_ = {position, sum};
  return Shown{position, stamp, std::move(**entry)};
}

Result<void> EntryTable::read(const std::optional<JournalEnd>& witness,
                              const std::function<void(std::span<const Shown>)>& show) {
  std::vector<Shown> batch;
  batch.reserve(limits::batch_entries_max);
  end_ = {};
  const auto stop_at = [this](std::unexpected<Fault> fault) {
    read_rows_.reset();
    return fault;
  };
  for (auto step = read_rows_.step(); step != Step::done; step = read_rows_.step()) {
    if (step == Step::failed) {
      return stop_at(refuse(fmt::format("{}, behind position {}", path_, end_.position), database_->error()));
    }
    auto shown = read_row();
    if (!shown) return stop_at(fail(shown.error()));
    if (witness && witness->position == end_.position && witness->sum != end_.sum) {
      return stop_at(
          damaged(fmt::format("the entries up to position {} are not those that were shown: {} is of another "
                              "journal",
                              end_.position, Witness::file_name)));
    }
    batch.push_back(std::move(*shown));
    if (batch.size() < limits::batch_entries_max) continue;
    show(batch);
    batch.clear();
  }
  if (auto checked = check_end(witness); !checked) return checked;
  if (!batch.empty()) show(batch);
  return {};
}

Result<void> EntryTable::check_end(const std::optional<JournalEnd>& witness) {
  if (end_.position == 0) return damaged("it has no entry, not even the first one");
  JournalEnd head;
  switch (read_head_.step()) {
    case Step::failed:
      return refuse(path_, database_->error());
    case Step::row:
      head = {static_cast<Position>(read_head_.integer(0)), static_cast<std::uint64_t>(read_head_.integer(1))};
      read_head_.reset();
      break;
    case Step::done:
      break;
  }
  if (head != end_) {
    return damaged(fmt::format("its last entry is at position {}, its head says {}", end_.position, head.position));
  }
  if (witness && witness->position > end_.position) {
    return damaged(
        fmt::format("it ends at position {}, but {} says that the entries up to {} were shown: {}..{} are gone",
                    end_.position, Witness::file_name, witness->position, end_.position + 1, witness->position));
  }
  return {};
}

}  // namespace firstcome
