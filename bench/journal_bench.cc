// How fast the SQLite journal appends, beside a bare SQLite loop that writes the same rows in batches of the same size,
// and what a start costs on the journal that came of it.
//   journal_bench [TICKETS [FOLDER [PAIRS]]]
// The folder must lie on the disk that is to be measured; the default is a new one in the present folder.
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "base/assert.h"
#include "journal/journal_reader.h"
#include "journal/sqlite_journal.h"
#include "standings/standings.h"

namespace firstcome {
namespace {

constexpr std::uint32_t batch = 512;

double seconds(clockid_t clock) {
  timespec spent{};
  clock_gettime(clock, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

/// Wall and CPU seconds of this process since it was made.
class Spent {
 public:
  double wall() const { return seconds(CLOCK_MONOTONIC) - wall_; }
  double cpu() const { return seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_; }

 private:
  double wall_ = seconds(CLOCK_MONOTONIC);
  double cpu_ = seconds(CLOCK_PROCESS_CPUTIME_ID);
};

Ticket ticket(std::uint32_t user) {
  Code code{};
  for (std::size_t i = 0; i < 4; ++i) code[i] = static_cast<std::uint8_t>(user >> (8 * i));
  return {.campaign = "lunch", .user = "u" + std::to_string(user), .code = code};
}

void print(const char* what, std::uint32_t rows, const Spent& spent) {
  const double wall = spent.wall();
  const double cpu = spent.cpu();
  fmt::print("{:<14} {:>9} rows {:>8.3f} s {:>8.3f} CPU s {:>10.0f} rows/s {:>6.2f} us CPU a row\n", what, rows, wall,
             cpu, rows / wall, cpu / rows * 1e6);
}

/// Folds what it is shown, and lets wait for it.
class Fold final : public Follower {
 public:
  void shown(std::span<const Shown> entries) override {
    standings_.apply(entries, [](const Effect&) {});
    const std::lock_guard lock(mutex_);
    position_ = entries.back().position;
    moved_.notify_one();
  }
  void append_failed(std::span<const AppendTag> /*appends*/, const Fault& fault) override { bug(fault); }
  void heard(Time /*journal_now*/) override {}
  void wait_for(Position position) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return position_ >= position; });
  }
  static void bug(const Fault& fault) { MUST(false, fault.what); }

 private:
  Standings standings_;
  std::mutex mutex_;
  std::condition_variable moved_;
  Position position_ = 0;
};

/// Takes what it is shown and does nothing with it.
class Counter final : public Follower {
 public:
  void shown(std::span<const Shown> entries) override {
    const std::lock_guard lock(mutex_);
    position_ = entries.back().position;
    moved_.notify_one();
  }
  void append_failed(std::span<const AppendTag> /*appends*/, const Fault& fault) override { Fold::bug(fault); }
  void heard(Time /*journal_now*/) override {}
  void wait_for(Position position) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return position_ >= position; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable moved_;
  Position position_ = 0;
};

std::unique_ptr<SqliteJournal> open(const std::string& folder) {
  static SystemClock clock;
  static SystemRandom random;
  auto journal = SqliteJournal::open({.folder = folder, .clock = clock, .random = random});
  if (!journal) Fold::bug(journal.error());
  return std::move(*journal);
}

/// Each batch is appended when the one before has been shown, so that commits hold exactly `batch` rows.
void append(const std::string& folder, std::uint32_t tickets) {
  auto journal = open(folder);
  Counter counter;
  if (auto started = journal->start(counter); !started) Fold::bug(started.error());
  const Spent spent;
  Position position = 1;
  for (std::uint32_t user = 0; user < tickets;) {
    for (std::uint32_t i = 0; i < batch && user < tickets; ++i, ++position) {
      if (auto taken = journal->append(ticket(user++), {}); !taken) Fold::bug(taken.error());
    }
    counter.wait_for(position);
  }
  print("append", tickets, spent);
  const auto commits = journal->stats().commits;
  fmt::print("{:<14} {:>9} commits, {:.1f} rows each\n", "", commits, static_cast<double>(tickets) / commits);
  journal->stop();
}

/// As many as the mailbox takes at once, as the loops of a server do.
void append_freely(const std::string& folder, std::uint32_t tickets) {
  auto journal = open(folder);
  Counter counter;
  if (auto started = journal->start(counter); !started) Fold::bug(started.error());
  const Spent spent;
  for (std::uint32_t user = 0; user < tickets;) {
    if (journal->append(ticket(user), {})) {
      ++user;
    } else {
      ::usleep(200);
    }
  }
  counter.wait_for(1 + tickets);
  print("append freely", tickets, spent);
  journal->stop();
}

void check(int code, sqlite3* database) { MUST(code == SQLITE_OK || code == SQLITE_DONE, sqlite3_errmsg(database)); }

/// The same rows by the shortest program that keeps them as safely.
void bare(const std::string& folder, std::uint32_t tickets) {
  struct Row {
    std::vector<std::uint8_t> body;
  };
  std::vector<Row> rows(tickets);
  for (std::uint32_t user = 0; user < tickets; ++user) encode(ticket(user), rows[user].body);
  sqlite3* database = nullptr;
  check(sqlite3_open((folder + "/bare.db").c_str(), &database), database);
  const char* tables =
      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entry(position "
      "INTEGER "
      "PRIMARY KEY, stamp INTEGER, body BLOB, sum INTEGER) STRICT";
  check(sqlite3_exec(database, tables, nullptr, nullptr, nullptr), database);
  sqlite3_stmt* insert = nullptr;
  check(sqlite3_prepare_v2(database, "INSERT INTO entry VALUES(?, ?, ?, ?)", -1, &insert, nullptr), database);
  const Spent spent;
  for (std::uint32_t user = 0; user < tickets;) {
    check(sqlite3_exec(database, "BEGIN", nullptr, nullptr, nullptr), database);
    for (std::uint32_t i = 0; i < batch && user < tickets; ++i, ++user) {
      sqlite3_bind_int64(insert, 1, user + 1);
      sqlite3_bind_int64(insert, 2, 1'700'000'000'000);
      const auto& body = rows[user].body;
      sqlite3_bind_blob(insert, 3, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
      sqlite3_bind_int64(insert, 4, static_cast<std::int64_t>(user * 0x9e37'79b9'7f4a'7c15ULL));
      check(sqlite3_step(insert), database);
      sqlite3_reset(insert);
    }
    check(sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr), database);
  }
  print("bare SQLite", tickets, spent);
  sqlite3_finalize(insert);
  sqlite3_close(database);
}

void start(const std::string& folder, std::uint32_t tickets) {
  const Spent spent;
  auto journal = open(folder);
  print("  open", tickets, spent);
  Fold fold;
  if (auto started = journal->start(fold); !started) Fold::bug(started.error());
  print("start", tickets, spent);
  journal->stop();
}

void read(const std::string& folder, std::uint32_t tickets) {
  const Spent spent;
  auto end = read_journal(folder, [](std::span<const Shown>) {});
  if (!end) Fold::bug(end.error());
  print("read offline", tickets, spent);
}

}  // namespace
}  // namespace firstcome

int main(int count, char** words) {
  const auto tickets = static_cast<std::uint32_t>(count > 1 ? std::atoi(words[1]) : 1'000'000);
  std::string folder = std::string(count > 2 ? words[2] : ".") + "/journal-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 2;
  const int pairs = count > 3 ? std::atoi(words[3]) : 3;
  for (int pair = 0; pair < pairs; ++pair) {
    for (const auto* name : {"/journal.db", "/journal.db-wal", "/journal.head", "/bare.db", "/bare.db-wal"}) {
      std::filesystem::remove(folder + name);
    }
    firstcome::bare(folder, tickets);
    firstcome::append(folder, tickets);
  }
  firstcome::start(folder, tickets);
  firstcome::read(folder, tickets);
  std::filesystem::remove(folder + "/journal.db");
  std::filesystem::remove(folder + "/journal.head");
  firstcome::append_freely(folder, tickets);
  std::filesystem::remove_all(folder);
}
