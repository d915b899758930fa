// Runs the journal's contract on the SQLite adapter, and shows that each clause turns red when an adapter breaks it.
#include "journal_contract.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>

#include "base/assert.h"
#include "journal/sqlite_journal.h"
#include "memory_disk.h"
#include "words.h"

namespace firstcome {
namespace {

class SqliteHost final : public JournalHost {
 public:
  Result<std::unique_ptr<Journal>> open(std::size_t append_entries_max) override {
    auto opened = SqliteJournal::open({.folder = "/data",
                                       .clock = clock_,
                                       .random = random_,
                                       .append_entries_max = append_entries_max,
                                       .vfs = disk_.name(),
                                       .on_disk_lost = [](const Fault&) {}});
    if (!opened) return fail(opened.error());
    return std::unique_ptr<Journal>(std::move(*opened));
  }
  void crash() override {
    disk_.end(fault::MemoryDisk::End::power);
    disk_.go_on();
  }
  void fill(bool full) override { disk_.set_room(full ? std::optional<std::uint64_t>(0) : std::nullopt); }
  void damage(std::string_view text) override {
    auto bytes = disk_.content("/data/journal.db");
    const auto found = std::search(bytes.begin(), bytes.end(), text.begin(), text.end());
    MUST(found != bytes.end(), "a stopped journal is merged into its file");
    *found ^= 1;
    disk_.set_content("/data/journal.db", bytes);
  }
  Time now() override { return clock_.now(); }

 private:
  SystemClock clock_;
  SystemRandom random_;
  fault::MemoryDisk disk_{"contract-disk", 1};
};

class JournalContract : public testing::TestWithParam<Clause<JournalHost>> {};

TEST_P(JournalContract, HoldsOnSqlite) {
  SqliteHost host;
  EXPECT_TRUE(GetParam().holds(host)) << GetParam().sentence;
}

INSTANTIATE_TEST_SUITE_P(, JournalContract, testing::ValuesIn(journal_contract()),
                         [](const auto& info) { return info.param.label; });

TEST(JournalContractWords, AreThoseOfTheHeader) {
  const auto header = words_of_header("journal/journal.h");
  for (const auto& clause : journal_contract()) {
    EXPECT_NE(header.find(clause.sentence), std::string::npos) << clause.label << ": " << clause.sentence;
  }
  EXPECT_EQ(labels_of_header("journal/journal.h", "class Journal "),
            (std::vector<std::string>{"Order", "Whole", "Durable", "Stamped", "Told", "Threads", "Bounds", "Fails"}));
}

/// What a broken adapter does between the journal and its follower.
struct Breakage {
  std::string name;
  std::string clause;  ///< that must see it
  std::function<void(std::vector<Shown>&)> shown = [](auto&) {};
  bool tells_failures = true;
  bool shows_before_commit = false;
  bool hides_overload = false;
  bool hears = true;
  bool starts_at_any_rate = false;
  bool on_two_threads = false;
};

class BrokenFollower final : public Follower {
 public:
  BrokenFollower(Follower& follower, const Breakage& breakage) : follower_(follower), breakage_(breakage) {}
  void shown(std::span<const Shown> entries) override {
    std::vector<Shown> changed(entries.begin(), entries.end());
    breakage_.shown(changed);
    std::span<const Shown> rest(changed);
    if (breakage_.on_two_threads) {
      std::thread([&] { follower_.shown(rest.first(rest.size() / 2)); }).join();
      rest = rest.subspan(rest.size() / 2);
    }
    follower_.shown(rest);
  }
  void append_failed(std::span<const AppendTag> appends, const Fault& fault) override {
    if (breakage_.tells_failures) follower_.append_failed(appends, fault);
  }
  void heard(Time journal_now) override {
    if (breakage_.hears) follower_.heard(journal_now);
  }
  Follower& follower() { return follower_; }

 private:
  Follower& follower_;
  const Breakage& breakage_;
};

class BrokenJournal final : public Journal {
 public:
  BrokenJournal(std::unique_ptr<Journal> journal, const Breakage& breakage)
      : journal_(std::move(journal)), breakage_(breakage) {}
  Result<void> start(Follower& follower) override {
    follower_ = std::make_unique<BrokenFollower>(follower, breakage_);
    auto started = journal_->start(*follower_);
    if (!started && breakage_.starts_at_any_rate) return {};
    return started;
  }
  Result<void> append(Entry entry, AppendTag tag) override {
    if (breakage_.shows_before_commit) {
      // And the power goes before it is written.
      follower_->follower().shown(std::vector<Shown>{{++early_, {}, std::move(entry)}});
      return {};
    }
    auto taken = journal_->append(std::move(entry), tag);
    if (!taken && breakage_.hides_overload) return {};
    return taken;
  }
  void stop() override { journal_->stop(); }
  Stats stats() const override { return journal_->stats(); }

 private:
  std::unique_ptr<Journal> journal_;
  const Breakage& breakage_;
  std::unique_ptr<BrokenFollower> follower_;
  Position early_ = 1'000;
};

class BrokenHost final : public JournalHost {
 public:
  explicit BrokenHost(const Breakage& breakage) : breakage_(breakage) {}
  Result<std::unique_ptr<Journal>> open(std::size_t append_entries_max) override {
    auto opened = host_.open(append_entries_max);
    if (!opened) return opened;
    return std::make_unique<BrokenJournal>(std::move(*opened), breakage_);
  }
  void crash() override { host_.crash(); }
  void fill(bool full) override { host_.fill(full); }
  void damage(std::string_view text) override { host_.damage(text); }
  Time now() override { return host_.now(); }
  Millis wait_max() const override { return Millis(1500); }

 private:
  SqliteHost host_;
  const Breakage& breakage_;
};

bool is_ticket_of(const Shown& shown, std::string_view user) {
  const auto* ticket = std::get_if<Ticket>(&shown.entry);
  return ticket != nullptr && ticket->user == user;
}

std::vector<Breakage> breakages() {
  const auto at = [](std::vector<Shown>& entries, auto change) {
    const auto found = std::ranges::find_if(entries, [](const Shown& one) { return is_ticket_of(one, "user20"); });
    if (found != entries.end()) change(entries, found);
  };
  return {
      {.name = "Reorders", .clause = "Order", .shown = [](auto& entries) { std::ranges::reverse(entries); }},
      {.name = "Renumbers",
       .clause = "Order",
       .shown =
           [](auto& entries) {
             for (auto& one : entries) one.position += static_cast<Position>(entries.size());
           }},
      {.name = "Drops",
       .clause = "Whole",
       // The waiter is not kept waiting: another one is shown in its place.
       .shown =
           [at](auto& entries) {
             at(entries, [](auto&, auto one) { one->entry = Ticket{.campaign = "lunch", .user = "somebody"}; });
           }},
      {.name = "Repeats",
       .clause = "Whole",
       .shown = [at](auto& entries) { at(entries, [](auto& all, auto one) { all.insert(one, Shown(*one)); }); }},
      {.name = "ShowsBeforeTheCommit", .clause = "Durable", .shows_before_commit = true},
      {.name = "StampsLate",
       .clause = "Stamped",
       .shown =
           [](auto& entries) {
             for (auto& one : entries) one.stamp += std::chrono::seconds(5);
           }},
      {.name = "SwallowsFailures", .clause = "Told", .tells_failures = false},
      {.name = "CallsOnAnyThread", .clause = "Threads", .on_two_threads = true},
      {.name = "TakesMoreThanItCan", .clause = "Bounds", .hides_overload = true},
      {.name = "StartsDamaged", .clause = "Fails", .starts_at_any_rate = true},
      {.name = "IsSilent", .clause = "heard", .hears = false},
      {.name = "LosesItsLast",
       .clause = "stop",
       .shown =
           [](auto& entries) {
             if (entries.size() > 1) entries.pop_back();
           }},
  };
}

class BrokenJournalContract : public testing::TestWithParam<Breakage> {};

TEST_P(BrokenJournalContract, TurnsRed) {
  const auto contract = journal_contract();
  const auto clause = std::ranges::find(contract, GetParam().clause, &Clause<JournalHost>::label);
  ASSERT_NE(clause, contract.end());
  BrokenHost host(GetParam());
  const auto result = clause->holds(host);
  EXPECT_FALSE(result);
  std::cout << clause->label << " is red: " << result.message() << "\n";
}

INSTANTIATE_TEST_SUITE_P(, BrokenJournalContract, testing::ValuesIn(breakages()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace firstcome
