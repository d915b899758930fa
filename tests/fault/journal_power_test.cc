// Proves that what the SQLite journal has shown survives a power cut at any moment, that a failing fsync and a full
// disk do what the port says, and that the test would see it if it were otherwise: with synchronous=OFF entries are
// lost.
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <random>

#include "journal/recording_follower.h"
#include "journal/sqlite_journal.h"
#include "memory_disk.h"

namespace firstcome::fault {
namespace {

/// Thousands of starts need no cryptographic ids.
class QuickRandom final : public Random {
 public:
  explicit QuickRandom(std::uint64_t seed) : random_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override {
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random_());
  }

 private:
  std::mt19937_64 random_;
};

Ticket ticket(std::uint64_t number) {
  Code code{};
  for (std::size_t i = 0; i < 8; ++i) code[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return {.campaign = "lunch", .user = "u" + std::to_string(number), .code = code};
}

struct Verdict {
  std::uint64_t cuts = 0;          ///< of power
  std::uint64_t kills = 0;         ///< of the process
  std::uint64_t entries = 0;       ///< shown, in all
  std::uint64_t cuts_in_work = 0;  ///< with appends whose fate was not told
  std::uint64_t broken = 0;        ///< starts that did not show exactly what had been shown, and maybe more behind it
  std::string first;               ///< what was broken first
};

class Runs {
 public:
  Runs(std::uint64_t seed, bool sync)
      : random_(seed), ids_(seed), disk_("journal-disk-" + std::to_string(seed), seed), sync_(sync) {}

  Verdict run(int cuts) {
    while (verdict_.cuts < static_cast<std::uint64_t>(cuts)) {
      if (!live_once()) start_over();
      if (entries_.size() > 4000 || random_() % 8 == 0) start_over();
    }
    return verdict_;
  }
  MemoryDisk::Counts counts() const { return disk_.counts(); }

 private:
  Result<std::unique_ptr<SqliteJournal>> open() {
    lost_ = false;
    return SqliteJournal::open({.folder = folder_,
                                .clock = clock_,
                                .random = ids_,
                                .vfs = disk_.name(),
                                .sync = sync_,
                                .on_disk_lost = [this](const Fault&) { lost_ = true; }});
  }

  /// From a start to the next end. False: it was broken.
  bool live_once() {
    // A life ends by a kill or by a power cut, which may take what was left unsynced by a kill before it. Now and then
    // so early that it hits the start.
    end_ = random_() % 2 == 0 ? MemoryDisk::End::power : MemoryDisk::End::process;
    disk_.end_after(end_, 1 + random_() % (random_() % 4 == 0 ? 12 : 200));
    RecordingFollower follower;
    auto journal = open();
    bool right = true;
    if (journal) {
      auto started = (*journal)->start(follower);
      if (started) {
        right = agrees(follower.entries());
        append_until_end(**journal, follower);
      } else if (disk_.is_alive()) {
        right = broken(started.error().what);
      }
      (*journal)->stop();
      if (right && started) right = agrees(follower.entries());
    } else if (disk_.is_alive()) {
      right = broken(journal.error().what);
    }
    journal = fail(FaultKind::unavailable, "the process is gone");
    disk_.end(end_);
    disk_.go_on();
    ++(end_ == MemoryDisk::End::power ? verdict_.cuts : verdict_.kills);
    return right;
  }

  void append_until_end(SqliteJournal& journal, RecordingFollower& follower) {
    std::size_t expected = follower.entries().size();
    for (auto rounds = random_() % 12; rounds > 0 && disk_.is_alive(); --rounds) {
      for (auto count = 1 + random_() % 40; count > 0; --count) {
        ++next_;
        if (journal.append(ticket(next_), {.number = next_})) ++expected;
      }
      // Sometimes the next appends come while the last ones are written.
      if (random_() % 3 == 0) continue;
      follower.wait_until([&] { return follower.entries().size() >= expected || lost_ || !disk_.is_alive(); });
    }
    // Else the end hits stop(), which writes too, or what comes after it.
    if (random_() % 2 == 0) disk_.end(end_);
    if (follower.entries().size() < expected) ++verdict_.cuts_in_work;
  }

  /// What a start shows begins with all that was ever shown, and is dense.
  bool agrees(const std::vector<Shown>& now) {
    if (now.size() < entries_.size()) {
      return broken("shown: " + std::to_string(now.size()) + ", before: " + std::to_string(entries_.size()));
    }
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (now[i].position != i + 1) return broken("position " + std::to_string(i + 1) + " is missing");
      if (i < entries_.size() && now[i] != entries_[i]) return broken("entry " + std::to_string(i + 1) + " changed");
    }
    verdict_.entries += now.size() - entries_.size();
    entries_ = now;
    return true;
  }

  bool broken(const std::string& what) {
    if (verdict_.broken++ == 0) verdict_.first = what;
    return false;
  }

  /// With another folder: the old one is full, or broken.
  void start_over() {
    folder_ = "/folder-" + std::to_string(++folders_);
    entries_.clear();
  }

  std::mt19937_64 random_;
  QuickRandom ids_;
  SystemClock clock_;
  MemoryDisk disk_;
  const bool sync_;
  std::string folder_ = "/folder-0";
  int folders_ = 0;
  std::atomic<bool> lost_{false};
  std::vector<Shown> entries_;  // all that was ever shown
  std::uint64_t next_ = 0;
  MemoryDisk::End end_ = MemoryDisk::End::power;  // of this life
  Verdict verdict_;
};

TEST(JournalPower, WhatWasShownSurvivesEveryCut) {
  Verdict all;
  MemoryDisk::Counts counts;
  for (std::uint64_t seed = 1; seed <= 7; ++seed) {
    Runs runs(seed, true);
    const auto verdict = runs.run(100);
    EXPECT_EQ(verdict.broken, 0U) << "seed " << seed << ": " << verdict.first;
    all.cuts += verdict.cuts;
    all.kills += verdict.kills;
    all.cuts_in_work += verdict.cuts_in_work;
    all.entries += verdict.entries;
    counts.writes_kept += runs.counts().writes_kept;
    counts.writes_lost += runs.counts().writes_lost;
    counts.writes_torn += runs.counts().writes_torn;
  }
  std::cout << all.cuts << " cuts, " << all.kills << " kills, " << all.cuts_in_work << " in work, " << all.entries
            << " entries shown; writes kept " << counts.writes_kept << ", lost " << counts.writes_lost << ", torn "
            << counts.writes_torn << "\n";
  // Runs in which nothing happened prove nothing.
  EXPECT_GE(all.cuts, 700U);
  EXPECT_GT(all.cuts_in_work, 100U);
  EXPECT_GT(all.entries, 10'000U);
  EXPECT_GT(counts.writes_lost, 100U);
  EXPECT_GT(counts.writes_torn, 100U);
}

TEST(JournalPower, WithoutSyncEntriesAreLostAndThisTestSeesIt) {
  Runs runs(2, false);
  const auto verdict = runs.run(100);
  EXPECT_GT(verdict.broken, 10U);
  EXPECT_FALSE(verdict.first.empty());
}

class JournalDisk : public testing::Test {
 protected:
  Result<std::unique_ptr<SqliteJournal>> open() {
    return SqliteJournal::open({.folder = "/data",
                                .clock = clock_,
                                .random = random_,
                                .vfs = disk_.name(),
                                .on_disk_lost = [this](const Fault& fault) {
                                  lost_.push_back(fault);
                                  is_lost_ = true;
                                }});
  }

  SystemClock clock_;
  QuickRandom random_{1};
  MemoryDisk disk_{"journal-disk", 1};
  RecordingFollower follower_;
  std::vector<Fault> lost_;
  std::atomic<bool> is_lost_{false};
};

TEST_F(JournalDisk, AFailedSyncEndsTheProcessAndNothingIsShownOrToldAsFailed) {
  auto journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  ASSERT_TRUE((*journal)->start(follower_));
  ASSERT_TRUE((*journal)->append(ticket(1), {.number = 1}));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  disk_.fail_next_sync();
  ASSERT_TRUE((*journal)->append(ticket(2), {.number = 2}));
  ASSERT_TRUE(follower_.wait_until([&] { return is_lost_.load(); }));
  EXPECT_EQ(follower_.entries().size(), 2U);
  EXPECT_TRUE(follower_.failed().empty());
  EXPECT_FALSE((*journal)->append(ticket(3), {.number = 3}));
  (*journal)->stop();
  ASSERT_EQ(lost_.size(), 1U);
  EXPECT_NE(lost_[0].what.find("the disk of --data failed"), std::string::npos) << lost_[0].what;
  EXPECT_EQ(disk_.counts().syncs_failed, 1U);

  // The next start reads what there is: as after every failed sync, more than the disk holds. What it shows is durable.
  journal = fail(FaultKind::unavailable, "the process is gone");
  disk_.end(MemoryDisk::End::process);
  disk_.go_on();
  RecordingFollower next;
  journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  ASSERT_TRUE((*journal)->start(next));
  EXPECT_EQ(next.entries().size(), 3U);
  disk_.end(MemoryDisk::End::power);
  (*journal)->stop();
  journal = fail(FaultKind::unavailable, "the process is gone");
  disk_.go_on();
  RecordingFollower last;
  journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  ASSERT_TRUE((*journal)->start(last));
  EXPECT_EQ(last.entries(), next.entries());
  EXPECT_TRUE((*journal)->append(ticket(4), {}));
  EXPECT_TRUE(last.wait_for_entries(4));
  (*journal)->stop();
}

TEST_F(JournalDisk, ADiskThatCannotBeReadAtTheStartIsNoDamage) {
  auto journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  ASSERT_TRUE((*journal)->start(follower_));
  constexpr std::uint64_t more_than_sqlite_keeps_in_memory = 40'000;
  for (std::uint64_t number = 1; number <= more_than_sqlite_keeps_in_memory; ++number) {
    ASSERT_TRUE((*journal)->append(ticket(number), {.number = number}));
  }
  ASSERT_TRUE(follower_.wait_for_entries(1 + more_than_sqlite_keeps_in_memory));
  (*journal)->stop();
  journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  disk_.end(MemoryDisk::End::process);
  RecordingFollower next;
  const auto started = (*journal)->start(next);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, FaultKind::unavailable) << started.error().what;
  (*journal)->stop();
}

TEST_F(JournalDisk, AFullDiskFailsAppendsAndIsOverWhenThereIsRoom) {
  auto journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  ASSERT_TRUE((*journal)->start(follower_));
  disk_.set_room(20'000);
  std::uint64_t number = 0;
  while (follower_.failed().empty() && number < 10'000) {
    ASSERT_TRUE((*journal)->append(ticket(number), {.number = number}));
    ++number;
    ASSERT_TRUE(
        follower_.wait_until([&] { return follower_.entries().size() - 1 + follower_.failed().size() == number; }));
  }
  ASSERT_FALSE(follower_.failed().empty());
  EXPECT_EQ(follower_.faults()[0].kind, FaultKind::unavailable);
  EXPECT_NE(follower_.faults()[0].what.find("full"), std::string::npos) << follower_.faults()[0].what;
  EXPECT_GE((*journal)->stats().faults, 1U);
  const auto shown = follower_.entries();

  disk_.set_room(std::nullopt);
  ASSERT_TRUE((*journal)->append(ticket(number), {.number = number}));
  ASSERT_TRUE(follower_.wait_for_entries(shown.size() + 1));
  (*journal)->stop();
  const auto all = follower_.entries();

  RecordingFollower next;
  journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  ASSERT_TRUE((*journal)->start(next));
  EXPECT_EQ(next.entries(), all);
  (*journal)->stop();
}

}  // namespace
}  // namespace firstcome::fault
