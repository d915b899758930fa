// Proves that after any byte of a journal's files was changed, a start either refuses it as damaged, saying what to do,
// or shows exactly the entries that had been shown: never fewer, and never others.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <random>

#include "journal/recording_follower.h"
#include "journal/sqlite_journal.h"
#include "memory_disk.h"

namespace firstcome::fault {
namespace {

using Bytes = std::vector<std::uint8_t>;

const std::string folder = "/data";

Ticket ticket(std::uint32_t number) {
  Code code{};
  code[0] = static_cast<std::uint8_t>(number);
  return {.campaign = "lunch", .user = "u" + std::to_string(number), .code = code};
}

class JournalCorruption : public testing::Test {
 protected:
  Result<std::unique_ptr<SqliteJournal>> open() {
    return SqliteJournal::open({.folder = folder,
                                .clock = clock_,
                                .random = random_,
                                .vfs = disk_.name(),
                                .on_disk_lost = [](const Fault& fault) { ADD_FAILURE() << fault.what; }});
  }

  /// `commits` of `rows` each, and what was shown. The files are as they are in the midst of it (killed), or as stop()
  /// left them.
  void write(int commits, int rows, bool killed) {
    RecordingFollower follower;
    auto journal = open();
    ASSERT_TRUE(journal) << journal.error().what;
    ASSERT_TRUE((*journal)->start(follower));
    std::uint32_t number = 0;
    for (int commit = 0; commit < commits; ++commit) {
      // All of a commit wait together, since the one before is held.
      follower.hold();
      ASSERT_TRUE((*journal)->append(ticket(number++), {}));
      ASSERT_TRUE(follower.wait_until([&] { return follower.is_holding(); }));
      for (int row = 1; row < rows; ++row) ASSERT_TRUE((*journal)->append(ticket(number++), {}));
      follower.let_go();
      ASSERT_TRUE(follower.wait_for_entries(1 + number));
    }
    if (!killed) (*journal)->stop();
    for (const auto& path : disk_.paths()) files_[path] = disk_.content(path);
    (*journal)->stop();
    shown_ = follower.entries();
  }

  enum class Outcome : std::uint8_t { refused, whole };

  /// Starts on the files, with one byte of `path` changed.
  Outcome start_with(const std::string& path, std::size_t offset, std::uint8_t change) {
    for (const auto& present : disk_.paths()) disk_.set_content(present, {});
    for (const auto& [name, bytes] : files_) {
      Bytes changed = bytes;
      if (name == path) changed.at(offset) ^= change;
      disk_.set_content(name, std::move(changed));
    }
    const auto where = testing::Message() << path << " at " << offset << " ^ " << int{change};
    RecordingFollower follower;
    auto journal = open();
    if (!journal) return refused(journal.error(), where);
    auto started = (*journal)->start(follower);
    if (!started) return refused(started.error(), where);
    (*journal)->stop();
    EXPECT_EQ(follower.entries(), shown_) << where;
    return Outcome::whole;
  }

  static Outcome refused(const Fault& fault, const testing::Message& where) {
    EXPECT_FALSE(fault.retryable()) << where << ": " << fault.what;
    const bool says_what_to_do = fault.what.find("restore it from a backup") != std::string::npos ||
                                 fault.what.find("upgrade this node") != std::string::npos ||
                                 fault.what.find("firstcome verify") != std::string::npos;
    EXPECT_TRUE(says_what_to_do) << where << ": " << fault.what;
    return Outcome::refused;
  }

  struct Tally {
    std::size_t changes = 0;
    std::size_t refusals = 0;
  };

  /// One bit of every `step`-th byte of the file up to `end`, and all eight of every fifth of those.
  Tally change_every_byte(const std::string& path, std::size_t step = 1, std::size_t end = SIZE_MAX) {
    end = std::min(end, files_.at(path).size());
    Tally tally;
    const auto count = [&](Outcome outcome) {
      ++tally.changes;
      if (outcome == Outcome::refused) ++tally.refusals;
    };
    for (std::size_t offset = 0; offset < end && !HasFailure(); offset += step) {
      count(start_with(path, offset, static_cast<std::uint8_t>(1U << (random_bits_() % 8))));
      if (offset / step % 5 == 0) count(start_with(path, offset, 0xff));
    }
    std::cout << path << ": " << end << " bytes, " << tally.changes << " changes, " << tally.refusals << " refused\n";
    EXPECT_GT(tally.refusals, 0U);
    return tally;
  }

  SystemClock clock_;
  SystemRandom random_;
  std::mt19937 random_bits_{7};
  MemoryDisk disk_{"corrupt-disk", 1};
  std::map<std::string, Bytes> files_;
  std::vector<Shown> shown_;
};

constexpr std::size_t frame_bytes = 24 + 4096;

TEST_F(JournalCorruption, UnchangedFilesAreRead) {
  write(4, 3, true);
  EXPECT_EQ(start_with("", 0, 0), Outcome::whole);
}

TEST_F(JournalCorruption, AnyByteOfAStoppedServersJournalIsMissed) {
  write(5, 40, false);
  ASSERT_TRUE(files_[folder + "/journal.db-wal"].empty());
  change_every_byte(folder + "/journal.db");
}

/// As of a journal that was restored from a backup that held only the database.
TEST_F(JournalCorruption, AnyByteOfAStoppedServersJournalIsMissedWithoutTheWitness) {
  write(5, 40, false);
  files_.erase(folder + "/journal.head");
  change_every_byte(folder + "/journal.db", 3);
}

TEST_F(JournalCorruption, AnyByteOfAKilledServersWalIsMissed) {
  write(5, 3, true);
  const auto tally = change_every_byte(folder + "/journal.db-wal");
  EXPECT_EQ(tally.refusals, tally.changes) << "every byte of it holds something that was shown";
}

/// After a power cut the witness may know nothing of the last commits; only of those may bytes then be lost unnoticed.
TEST_F(JournalCorruption, AnyByteOfTheWalButTheLastTwoCommitsIsMissedWithoutTheWitness) {
  write(6, 3, true);
  files_.erase(folder + "/journal.head");
  constexpr std::size_t last_two = 4 * frame_bytes;  // each has a page of entries and the head's
  const auto tally =
      change_every_byte(folder + "/journal.db-wal", 3, files_.at(folder + "/journal.db-wal").size() - last_two);
  EXPECT_EQ(tally.refusals, tally.changes);
}

TEST_F(JournalCorruption, AnyByteOfAKilledServersDatabaseIsMissed) {
  write(5, 3, true);
  change_every_byte(folder + "/journal.db");
}

/// The first commits are in the database and in -wal, and its reset has left old frames behind.
TEST_F(JournalCorruption, AnyByteOfAWalThatWasBegunAnewIsMissed) {
  write(5, 20, true);
  for (const auto& [path, bytes] : files_) disk_.set_content(path, bytes);
  // A start that is stopped merges; the killed one's -wal then lies behind the new one's frames.
  auto old_wal = files_[folder + "/journal.db-wal"];
  RecordingFollower follower;
  auto journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  ASSERT_TRUE((*journal)->start(follower));
  (*journal)->stop();
  files_.clear();
  shown_.clear();
  RecordingFollower next;
  journal = open();
  ASSERT_TRUE((*journal)->start(next));
  const auto before = next.entries().size();
  for (std::uint32_t number = 0; number < 4; ++number) {
    ASSERT_TRUE((*journal)->append(ticket(1000 + number), {}));
    ASSERT_TRUE(next.wait_for_entries(before + 1 + number));
  }
  for (const auto& path : disk_.paths()) files_[path] = disk_.content(path);
  (*journal)->stop();
  shown_ = next.entries();
  auto& wal = files_[folder + "/journal.db-wal"];
  ASSERT_LT(wal.size(), old_wal.size());
  wal.insert(wal.end(), old_wal.begin() + static_cast<std::ptrdiff_t>(wal.size()), old_wal.end());
  ASSERT_EQ(start_with("", 0, 0), Outcome::whole);
  change_every_byte(folder + "/journal.db-wal", 7);
}

TEST_F(JournalCorruption, AnyByteOfTheWitnessIsMissedOrHarmless) {
  write(5, 3, true);
  const auto size = files_.at(folder + "/journal.head").size();
  for (std::size_t offset = 0; offset < size; ++offset) start_with(folder + "/journal.head", offset, 0x10);
}

TEST_F(JournalCorruption, AMissingFileIsRefused) {
  write(5, 3, true);
  for (const auto* name : {"/journal.db", "/journal.db-wal"}) {
    auto whole = files_;
    files_.erase(folder + name);
    EXPECT_EQ(start_with("", 0, 0), Outcome::refused) << name;
    files_ = whole;
  }
  files_.erase(folder + "/journal.head");
  EXPECT_EQ(start_with("", 0, 0), Outcome::whole) << "a journal that was restored by a backup program has no witness";
}

TEST_F(JournalCorruption, AnOlderJournalThanWasShownIsRefused) {
  write(3, 3, false);
  const auto older = files_[folder + "/journal.db"];
  for (const auto& [path, bytes] : files_) disk_.set_content(path, bytes);
  RecordingFollower follower;
  auto journal = open();
  ASSERT_TRUE((*journal)->start(follower));
  ASSERT_TRUE((*journal)->append(ticket(100), {}));
  ASSERT_TRUE(follower.wait_for_entries(11));
  (*journal)->stop();
  for (const auto& path : disk_.paths()) files_[path] = disk_.content(path);
  shown_ = follower.entries();
  ASSERT_EQ(start_with("", 0, 0), Outcome::whole);
  files_[folder + "/journal.db"] = older;
  EXPECT_EQ(start_with("", 0, 0), Outcome::refused);
}

}  // namespace
}  // namespace firstcome::fault
