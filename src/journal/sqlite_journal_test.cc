// Proves, on real files, what the SQLite journal promises beyond the contract of its port, and that reading offline
// changes nothing and sees everything.
#include "journal/sqlite_journal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <thread>

#include "journal/journal_reader.h"
#include "journal/recording_follower.h"
#include "sqlite/database.h"

namespace firstcome {
namespace {

Ticket ticket(std::uint64_t number) {
  Code code{};
  for (std::size_t i = 0; i < 8; ++i) code[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return {.campaign = "lunch", .user = "user" + std::to_string(number), .code = code};
}

class SqliteJournalFiles : public testing::Test {
 protected:
  SqliteJournalFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "firstcome-test-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~SqliteJournalFiles() override { std::filesystem::remove_all(folder_); }

  Result<std::unique_ptr<SqliteJournal>> open(std::uint64_t wal_bytes_max = 32ULL << 20) {
    return SqliteJournal::open({.folder = folder_, .clock = clock_, .random = random_, .wal_bytes_max = wal_bytes_max});
  }

  /// A server that appends `count` tickets, and stops or dies by SIGKILL.
  void serve(std::uint64_t count, bool dies) {
    const auto child = ::fork();
    if (child == 0) {
      auto journal = open();
      RecordingFollower follower;
      const auto started = journal ? (*journal)->start(follower) : fail(journal.error());
      if (!started) {
        std::cerr << started.error().what << "\n";
        ::_exit(1);
      }
      const auto before = follower.entries().size();
      for (std::uint64_t number = 0; number < count; ++number) {
        if (!(*journal)->append(ticket(before + number), {})) ::_exit(1);
        if (!follower.wait_for_entries(before + number + 1)) ::_exit(1);
      }
      if (dies) ::raise(SIGKILL);
      (*journal)->stop();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(dies ? WTERMSIG(status) : WEXITSTATUS(status), dies ? SIGKILL : 0);
  }

  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      std::ifstream stream(file.path(), std::ios::binary);
      all[file.path().filename()] = {std::istreambuf_iterator<char>(stream), {}};
    }
    return all;
  }

  Result<std::vector<Shown>> read() const {
    std::vector<Shown> all;
    auto end =
        read_journal(folder_, [&](std::span<const Shown> batch) { all.insert(all.end(), batch.begin(), batch.end()); });
    if (!end) return fail(end.error());
    EXPECT_EQ(end->position, all.empty() ? 0 : all.back().position);
    return all;
  }

  std::string folder_;
  SystemClock clock_;
  SystemRandom random_;
};

TEST_F(SqliteJournalFiles, ReadingOfflineChangesNoByteOfADeadOrAStoppedServersFolder) {
  for (const bool dies : {true, false}) {
    serve(30, dies);
    const auto before = files();
    EXPECT_EQ(before.contains("journal.db-wal"), dies);
    const auto entries = read();
    ASSERT_TRUE(entries) << entries.error().what;
    EXPECT_EQ(entries->size(), dies ? 31U : 61U);
    EXPECT_TRUE(std::holds_alternative<Installation>(entries->front().entry));
    EXPECT_EQ(files(), before);
  }
}

/// Often enough -wal is merged and begun anew while it is copied. The author writes one burst a reading, so that a slow
/// machine has an end of it too: a reading is promised only if the journal is not written faster than it can be copied.
TEST_F(SqliteJournalFiles, ReadingOfflineSeesAWholeJournalWhileAServerWrites) {
  auto journal = open(512ULL << 10);
  ASSERT_TRUE(journal) << journal.error().what;
  RecordingFollower follower;
  ASSERT_TRUE((*journal)->start(follower));
  constexpr std::uint64_t burst = 8192;
  std::atomic<std::uint64_t> allowed{burst};
  std::atomic<bool> enough{false};
  std::thread author([&] {
    for (std::uint64_t number = 0; !enough; ++number) {
      for (auto end = allowed.load(); number >= end && !enough; end = allowed.load()) allowed.wait(end);
      (void)(*journal)->append(ticket(number), {});
      if (number % 64 == 63) follower.wait_for_entries(number);
    }
  });
  std::size_t least = 1;
  std::uint64_t wal_bytes = 0;
  int begun_anew = 0;
  int rounds = 0;
  for (; rounds < 2000 && (rounds < 30 || begun_anew < 5); ++rounds) {
    if ((*journal)->wal_bytes() < wal_bytes) ++begun_anew;
    wal_bytes = (*journal)->wal_bytes();
    const auto shown_before = follower.count();
    allowed = shown_before + burst;
    allowed.notify_one();
    const auto entries = read();
    EXPECT_TRUE(entries) << entries.error().what;
    if (!entries) break;
    EXPECT_GE(entries->size(), shown_before);
    EXPECT_GE(entries->size(), least);
    least = entries->size();
  }
  EXPECT_GE(begun_anew, 5) << "in " << rounds << " rounds";
  enough = true;
  allowed = 0;
  allowed.notify_one();
  author.join();
  (*journal)->stop();
  const auto all = follower.entries();
  const auto entries = read();
  ASSERT_TRUE(entries) << entries.error().what;
  EXPECT_EQ(*entries, all);
}

TEST_F(SqliteJournalFiles, ReadingOfflineSaysWhatIsDamaged) {
  serve(30, true);
  auto path = folder_ + "/journal.db-wal";
  const auto whole = files();
  for (const double place : {0.0, 0.3, 0.6, 0.999}) {
    auto bytes = whole.at("journal.db-wal");
    bytes[static_cast<std::size_t>(place * static_cast<double>(bytes.size() - 1))] ^= 8;
    std::ofstream(path, std::ios::binary) << bytes;
    const auto entries = read();
    ASSERT_FALSE(entries) << place;
    EXPECT_EQ(entries.error().kind, FaultKind::corrupt) << entries.error().what;
    EXPECT_NE(entries.error().what.find("restore it from a backup"), std::string::npos) << entries.error().what;
    RecordingFollower follower;
    auto journal = open();
    EXPECT_FALSE(journal && (*journal)->start(follower)) << place;
    journal = fail(FaultKind::unavailable, "the process is gone");
    EXPECT_EQ(files().at("journal.db-wal"), bytes) << "a refused start leaves the evidence as it is";
  }
  std::ofstream(path, std::ios::binary) << whole.at("journal.db-wal");
  EXPECT_TRUE(read());
  EXPECT_FALSE(read_journal(folder_ + "/none", [](auto) {}));
}

TEST_F(SqliteJournalFiles, ARowThatIsGoneOrChangedByHandIsMissedWithItsPosition) {
  serve(10, false);
  const auto whole = files().at("journal.db");
  const std::pair<const char*, const char*> changes[] = {
      {"DELETE FROM entry WHERE position = 11", "last entry is at position 10, its head says 11"},
      {"DELETE FROM entry WHERE position = 5", "after position 4 comes 6"},
      {"UPDATE entry SET stamp = stamp + 1 WHERE position = 5", "the entry at position 5 is not what was written"},
      {"DELETE FROM entry WHERE position = 11; UPDATE head SET position = 10", "its head says 10"},
      {"INSERT INTO entry SELECT 12, stamp, body, sum FROM entry WHERE position = 11", "position 12"},
      {"DELETE FROM head", "its head says 0"},
      {"DELETE FROM entry", "it has no entry"},
      {"CREATE TABLE mine(a)", "its tables are not those of a journal"},
  };
  for (const auto& [sql, told] : changes) {
    {
      auto database = sqlite::Database::open(folder_ + "/journal.db", {.exclusive = true});
      ASSERT_TRUE(database);
      ASSERT_TRUE(database->execute(sql)) << sql;
      database->close_whole();
    }
    // Without the witness too: a restored journal has none.
    std::filesystem::remove(folder_ + "/journal.head");
    const auto entries = read();
    ASSERT_FALSE(entries) << sql;
    EXPECT_EQ(entries.error().kind, FaultKind::corrupt);
    EXPECT_NE(entries.error().what.find(told), std::string::npos) << sql << ": " << entries.error().what;
    std::ofstream(folder_ + "/journal.db", std::ios::binary) << whole;
  }
}

TEST_F(SqliteJournalFiles, AJournalOfANewerVersionIsRefusedWithWhatToDo) {
  serve(3, false);
  {
    auto database = sqlite::Database::open(folder_ + "/journal.db", {.exclusive = true});
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("PRAGMA user_version=2"));
    database->close_whole();
  }
  const auto journal = open();
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().kind, FaultKind::misconfigured);
  EXPECT_NE(journal.error().what.find("upgrade this node"), std::string::npos) << journal.error().what;
  EXPECT_FALSE(read());
}

TEST_F(SqliteJournalFiles, AFileThatIsNoJournalIsRefused) {
  std::ofstream(folder_ + "/journal.db")
      << "hello, this is a text and no database, of more than a hundred bytes, so that SQLite "
         "cannot take it for a file that has just been made";
  const auto journal = open();
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().kind, FaultKind::corrupt) << journal.error().what;
}

TEST_F(SqliteJournalFiles, AnotherProgramCannotOpenItWhileTheServerRuns) {
  auto journal = open();
  ASSERT_TRUE(journal);
  RecordingFollower follower;
  ASSERT_TRUE((*journal)->start(follower));
  const auto second = open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, FaultKind::unavailable) << second.error().what;
  (*journal)->stop();
}

/// -wal is merged under load when it gets long, and in quiet moments.
TEST_F(SqliteJournalFiles, TheWalStaysBounded) {
  auto journal = open(4ULL << 20);
  ASSERT_TRUE(journal);
  RecordingFollower follower;
  ASSERT_TRUE((*journal)->start(follower));
  std::uint64_t longest = 0;
  std::uint64_t number = 0;
  while (number < 60'000) {
    for (int i = 0; i < 2000; ++i) ASSERT_TRUE((*journal)->append(ticket(number++), {}));
    ASSERT_TRUE(follower.wait_for_entries(1 + number));
    longest = std::max(longest, (*journal)->wal_bytes());
  }
  EXPECT_GT(longest, 2ULL << 20);
  EXPECT_LT(longest, 6ULL << 20);
  EXPECT_TRUE(follower.wait_until([&] { return (*journal)->wal_bytes() < 1U << 20; })) << "merged when it is quiet";
  (*journal)->stop();
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/journal.db-wal")) << "a stopped server's journal is one file";
}

}  // namespace
}  // namespace firstcome
