// verify over real folders: made by the SQLite adapters and the issuer, then changed by hand, as an operator or a bad
// disk would. Nothing in the folder is touched by it, and every change is found and named.
#include "verify/verify.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "issuer/issuer.h"
#include "journal/recording_follower.h"
#include "journal/sqlite_journal.h"
#include "sqlite/database.h"
#include "store/sqlite_store.h"

namespace firstcome::verify {
namespace {

namespace fs = std::filesystem;

Result<Report> verify_folder(const std::string& folder, const Options& options) {
  auto source = folder_source(folder);
  if (!source) return fail(source.error());
  return verify(**source, options);
}

/// Wall-clock time is the system's; uptime goes where the test puts it.
class TestClock final : public Clock {
 public:
  Time now() override { return SystemClock().now(); }
  Uptime uptime() override { return up; }
  Uptime up{0};
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "firstcome-verify-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { fs::remove_all(path); }
  fs::path path;
};

/// A server without its front: journal, standings, issuer and store over a folder.
class Server {
 public:
  explicit Server(const std::string& folder)
      : journal_(SqliteJournal::open({.folder = folder, .clock = system_clock_, .random = random_}).value()),
        store_(SqliteStore::open({.folder = folder, .clock = clock_}).value()) {
    EXPECT_TRUE(journal_->start(follower_));
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() { journal_->stop(); }

  void append(const std::vector<Entry>& entries) {
    const std::size_t before = follower_.entries().size();
    for (const Entry& entry : entries) ASSERT_TRUE(journal_->append(entry, {}));
    ASSERT_TRUE(follower_.wait_for_entries(before + entries.size()));
  }

  /// Everything that is owed becomes a row.
  void issue() {
    Standings standings(0, 16);
    for (const Shown& shown : follower_.entries()) standings.apply(shown);
    std::uint64_t owed = 0;
    const auto& campaigns = standings.campaigns();
    for (std::uint32_t i = 0; i < campaigns.size(); ++i) owed += campaigns[i]->winners().size();
    Issuer issuer(standings, *store_, *journal_, clock_, {.issue_rate = 0, .issue_rate_total = 0});
    for (int steps = 0; steps < 100; ++steps) clock_.up = std::max(clock_.up + Millis(1), issuer.step());
    EXPECT_EQ(issuer.counters().owed, 0U);
    EXPECT_EQ(issuer.counters().written, owed);
  }

 private:
  SystemClock system_clock_;  // the journal's thread reads it
  TestClock clock_;           // the issuer's pace
  SystemRandom random_;
  RecordingFollower follower_;
  std::unique_ptr<SqliteJournal> journal_;
  std::unique_ptr<SqliteStore> store_;
};

Code code_of(int number) { return {static_cast<std::uint8_t>(number), 1}; }

Entry opened(const char* campaign, std::uint32_t quota) {
  return Opened{.campaign = campaign,
                .name = {},
                .quota = quota,
                .opens_at = {},
                .closes_at = {},
                .issue_rate = {},
                .promise = {}};
}

/// Positions: 1 installation, 2 opened lunch, 3 opened dinner, 4..9 tickets of u1..u6 in lunch (3 win), 10 raised to 5,
/// 11 u5 (rank 4), 12 u6 (rank 5), 13 d1 in dinner.
std::vector<Entry> entries() {
  std::vector<Entry> all{opened("lunch", 3), opened("dinner", 9)};
  int code = 0;
  const auto ticket = [&](const char* campaign, const std::string& user) {
    all.emplace_back(Ticket{.campaign = campaign, .user = user, .code = code_of(++code)});
  };
  for (int i = 1; i <= 6; ++i) ticket("lunch", "u" + std::to_string(i));
  all.emplace_back(QuotaRaised{.campaign = "lunch", .quota = 5});
  ticket("lunch", "u5");
  ticket("lunch", "u6");
  ticket("dinner", "d1");
  return all;
}

void run_server(const fs::path& folder) {
  Server server(folder);
  server.append(entries());
  server.issue();
}

Report verified(const fs::path& folder, std::vector<std::string> histories = {}) {
  auto report = verify_folder(folder, {.campaign = {}, .histories = std::move(histories)});
  EXPECT_TRUE(report) << report.error().what;
  return report ? *report : Report{};
}

std::vector<std::string> broken(const Report& report) {
  std::vector<std::string> names;
  for (const Check& check : report.checks) {
    if (!check.ok()) names.push_back(check.name);
  }
  return names;
}

/// Every file and its bytes.
std::map<std::string, std::string> bytes_of(const fs::path& folder) {
  std::map<std::string, std::string> all;
  for (const auto& file : fs::directory_iterator(folder)) {
    std::ifstream in(file.path(), std::ios::binary);
    all[file.path().filename()] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return all;
}

void copy_files(const fs::path& from, const fs::path& to) {
  for (const auto& file : fs::directory_iterator(from)) fs::copy(file.path(), to / file.path().filename());
}

using Names = std::vector<std::string>;

TEST(Verify, a_right_folder_is_exact) {
  const TemporaryFolder folder;
  run_server(folder.path);
  const Report report = verified(folder.path);
  EXPECT_TRUE(report.exact()) << render_text(report);
  ASSERT_EQ(report.campaigns.size(), 2U);
  EXPECT_EQ(report.campaigns[0].campaign, "lunch");
  EXPECT_EQ(report.campaigns[0].quota, 5U);
  EXPECT_EQ(report.campaigns[0].coupons, 5U);
  EXPECT_TRUE(report.campaigns[0].sealed);
  EXPECT_EQ(report.campaigns[0].owed, 0U);
  EXPECT_EQ(report.campaigns[1].coupons, 1U);
  EXPECT_FALSE(report.campaigns[1].sealed);
}

TEST(Verify, changes_no_byte_of_a_dead_servers_folder_nor_of_a_running_ones) {
  const TemporaryFolder folder;
  const TemporaryFolder killed;
  {
    Server server(folder.path);
    server.append(entries());
    server.issue();
    const auto before = bytes_of(folder.path);
    EXPECT_TRUE(verified(folder.path).exact());
    EXPECT_EQ(bytes_of(folder.path), before) << "running";
    copy_files(folder.path, killed.path);  // as kill -9 would leave it
  }
  EXPECT_GT(fs::file_size(killed.path / "journal.db-wal"), 0U);
  for (const auto& dead : {killed.path, folder.path}) {
    const auto before = bytes_of(dead);
    EXPECT_TRUE(verified(dead).exact());
    EXPECT_EQ(bytes_of(dead), before) << dead;
  }
}

TEST(Verify, what_the_store_has_not_yet_is_owed) {
  const TemporaryFolder folder;
  {
    Server server(folder.path);
    server.append(entries());
    server.issue();
    server.append({Ticket{.campaign = "dinner", .user = "d2", .code = code_of(50)}});
  }
  Report report = verified(folder.path);
  EXPECT_TRUE(report.exact()) << render_text(report);
  EXPECT_EQ(report.campaigns[1].owed, 1U);
  EXPECT_NE(render_text(report).find("campaign dinner: 2 of 9 won, 1 coupon, 1 owed"), std::string::npos)
      << render_text(report);
  for (const auto* file : {"store.db", "store.db-wal", "store.db-shm"}) fs::remove(folder.path / file);
  report = verified(folder.path);
  EXPECT_TRUE(report.exact()) << "a removed store is written anew: " << render_text(report);
  EXPECT_EQ(report.campaigns[0].owed, 5U);
}

TEST(Verify, what_was_told_of_promise_store_stands_in_the_store) {
  const TemporaryFolder folder;
  const auto ticket = [](int number) {
    return Ticket{.campaign = "lunch", .user = "u" + std::to_string(number), .code = code_of(number)};
  };
  {
    Server server(folder.path);
    server.append(
        {Opened{.campaign = "lunch", .name = {}, .quota = 3, .promise = Promise::store}, ticket(1), ticket(2)});
    server.issue();
    server.append({ticket(3), opened("dinner", 1), Ticket{.campaign = "dinner", .user = "u1", .code = code_of(1)}});
  }
  const std::string path = folder.path / "history";
  const auto won = [](int rank) {
    return Attempt{.campaign = "lunch",
                   .user = "u" + std::to_string(rank),
                   .return_us = 1,
                   .status = 201,
                   .answer = "won",
                   .rank = static_cast<std::uint32_t>(rank),
                   .code = to_text(code_of(rank))};
  };
  const Attempt sold_out{
      .campaign = "lunch", .user = "u4", .return_us = 1, .status = 409, .answer = "sold_out", .quota = 3};
  const auto report_of = [&](const Attempt& told) {
    auto writer = HistoryWriter::create(path);
    EXPECT_TRUE(writer && writer->add(told) && writer->flush());
    return verified(folder.path, {path});
  };
  EXPECT_TRUE(report_of(won(2)).exact()) << "the third is owed, and nobody was told";
  Attempt promised_by_the_journal = won(1);
  promised_by_the_journal.campaign = "dinner";
  EXPECT_TRUE(report_of(promised_by_the_journal).exact());
  for (const Attempt& early : {won(3), sold_out}) {
    const Report report = report_of(early);
    EXPECT_FALSE(report.broken()) << render_text(report);
    ASSERT_EQ(report.not_checked.size(), 1U) << early.answer;
    EXPECT_NE(report.not_checked[0].find("rank 3, and the store is at rank 2"), std::string::npos);
  }
}

struct Change {
  std::string sql;
  Names breaks;
  std::string names;
};

std::vector<Change> changes() {
  const Names coupon{"coupon rows"};
  const Names dense{"coupon rows", "ranks are dense and at most N"};
  return {
      {"UPDATE campaign SET paused = 2 WHERE id = 'lunch'", {"store is whole"}, "campaign lunch: its paused or closed"},
      {"UPDATE campaign SET closed = -1 WHERE id = 'dinner'", {"store is whole"}, "campaign dinner: its paused"},
      {"UPDATE campaign SET paused = 1 WHERE id = 'lunch'", {"campaign rows"}, "campaign lunch: paused"},
      {"UPDATE campaign SET issue_rate = 7.5 WHERE id = 'dinner'", {"campaign rows"}, "campaign dinner: issue_rate"},
      {"DELETE FROM campaign WHERE id = 'lunch'", {"campaign rows"}, "campaign lunch: the row is missing"},
      {"INSERT INTO campaign VALUES('supper', 'supper', NULL, NULL, NULL, 'journal', 0, 0)",
       {"campaign rows"},
       "campaign supper"},
      {"UPDATE campaign_quota SET quota = 6 WHERE quota = 5", {"campaign_quota rows"}, "campaign_quota (lunch, 6)"},
      {"DELETE FROM campaign_quota WHERE quota = 3", {"campaign_quota rows"}, "campaign_quota (lunch, 3)"},
      {"INSERT INTO campaign_quota VALUES('lunch', 7)", {"campaign_quota rows"}, "campaign_quota (lunch, 7)"},
      {"UPDATE coupon SET user = CAST('mallory' AS BLOB) WHERE campaign = 'lunch' AND rank = 2", coupon,
       "coupon (lunch, 2): user mallory, position 5; by the journal the user is u2"},
      {"UPDATE coupon SET position = 6 WHERE campaign = 'lunch' AND rank = 2", coupon, "coupon (lunch, 2)"},
      {"UPDATE coupon SET quota = 3 WHERE campaign = 'lunch' AND rank = 4", coupon, "coupon (lunch, 4)"},
      {"UPDATE coupon SET code = '000000000000000000000000000' WHERE campaign = 'lunch' AND rank = 2", coupon,
       "coupon (lunch, 2)"},
      {"UPDATE coupon SET code = 'no code' WHERE campaign = 'lunch' AND rank = 2",
       {"store is whole"},
       "campaign lunch, rank 2"},
      {"DELETE FROM coupon WHERE campaign = 'lunch' AND rank = 5", coupon, "coupon (lunch, 5): the row is missing"},
      {"DELETE FROM coupon WHERE campaign = 'lunch' AND rank = 2", dense, "coupon (lunch, 2): the row is missing"},
      {"INSERT INTO coupon SELECT campaign, 6, 6, CAST('mallory' AS BLOB), '000000000000000000000000011', 99, 0 FROM "
       "coupon "
       "WHERE campaign = 'lunch' AND rank = 1",
       dense, "coupon (lunch, 6): user mallory, position 99"},
      {"UPDATE progress SET rank = 4 WHERE campaign = 'lunch'", {"progress rows"}, "progress of lunch"},
      {"UPDATE progress SET position = 11 WHERE campaign = 'lunch'", {"progress rows"}, "progress of lunch"},
      {"UPDATE progress SET position = 99 WHERE campaign = 'lunch'",
       {"progress lies within the journal"},
       "progress of lunch: position 99, rank 5; the journal ends at position 13"},
      {"UPDATE progress SET chain = zeroblob(32) WHERE campaign = 'lunch'", {"progress rows"}, "progress of lunch"},
      {"DELETE FROM progress WHERE campaign = 'lunch'", {"progress rows"}, "progress of lunch: the row is missing"},
      {"INSERT INTO progress VALUES('supper', 0, 1, zeroblob(32))", {"progress rows"}, "progress of supper"},
      {"UPDATE installation SET id = zeroblob(16)", {"store belongs to this journal"}, "another journal"},
  };
}

TEST(Verify, finds_and_names_every_row_that_was_changed_added_or_removed_by_hand) {
  const TemporaryFolder right;
  run_server(right.path);
  for (const Change& change : changes()) {
    const TemporaryFolder folder;
    copy_files(right.path, folder.path);
    {
      auto store = sqlite::Database::open(folder.path / "store.db", {});
      ASSERT_TRUE(store) << store.error().what;
      // As somebody who wants to get around the rules, with foreign keys off.
      for (const auto* trigger : {"coupon_has_its_quota", "coupon_keeps_its_quota", "quota_rises"}) {
        const auto dropped = store->execute(std::string("DROP TRIGGER ") + trigger);
        ASSERT_TRUE(dropped) << dropped.error().what;
      }
      const auto done =
          store->execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; " + change.sql);
      ASSERT_TRUE(done) << change.sql << ": " << done.error().what;
    }
    const Report report = verified(folder.path);
    EXPECT_FALSE(report.exact()) << change.sql;
    EXPECT_EQ(broken(report), change.breaks) << change.sql << "\n" << render_text(report);
    EXPECT_NE(render_text(report).find(change.names), std::string::npos) << change.sql << "\n" << render_text(report);
  }
}

TEST(Verify, a_damaged_journal_is_broken_and_the_position_is_named) {
  const TemporaryFolder folder;
  run_server(folder.path);
  {
    auto journal = sqlite::Database::open(folder.path / "journal.db", {});
    ASSERT_TRUE(journal);
    ASSERT_TRUE(journal->execute("UPDATE entry SET stamp = stamp + 1 WHERE position = 7"));
  }
  const Report report = verified(folder.path);
  EXPECT_EQ(broken(report), Names{"journal is whole"});
  EXPECT_NE(report.checks[0].failures[0].find("position 7"), std::string::npos) << report.checks[0].failures[0];
}

TEST(Verify, a_damaged_store_is_broken) {
  const TemporaryFolder folder;
  run_server(folder.path);
  fs::resize_file(folder.path / "store.db", fs::file_size(folder.path / "store.db") / 2);
  for (const auto* file : {"store.db-wal", "store.db-shm"}) fs::remove(folder.path / file);
  EXPECT_EQ(broken(verified(folder.path)), Names{"store is whole"});
}

TEST(Verify, a_store_that_was_not_read_to_its_end_is_not_counted) {
  const TemporaryFolder folder;
  run_server(folder.path);
  {
    auto store = sqlite::Database::open(folder.path / "store.db", {});
    ASSERT_TRUE(store);
    ASSERT_TRUE(
        store->execute("PRAGMA ignore_check_constraints = ON; "
                       "UPDATE coupon SET code = 'no code' WHERE campaign = 'lunch' AND rank = 2"));
  }
  const Report report = verified(folder.path);
  EXPECT_EQ(broken(report), Names{"store is whole"});
  ASSERT_EQ(report.campaigns.size(), 2U);
  EXPECT_EQ(report.campaigns[0].winners, 5U);
  EXPECT_FALSE(report.campaigns[0].coupons);
  EXPECT_EQ(report.not_checked.size(), 1U);
  const auto text = render_text(report);
  EXPECT_TRUE(text.starts_with("campaign lunch: 5 of 5 won, sealed\n")) << text;
  EXPECT_NE(text.find("\n  not checked: the coupons and all other rows: the store was not read"), std::string::npos)
      << text;
  const auto json = nlohmann::json::parse(render_json(report));
  for (const auto* number : {"coupons", "owed", "parked"}) {
    EXPECT_TRUE(json["campaigns"][0][number].is_null()) << number;
  }
  EXPECT_EQ(json["not_checked"].size(), 1U);
}

TEST(Verify, what_could_not_be_asked_is_said_and_nothing_is_exact_then) {
  const TemporaryFolder folder;
  run_server(folder.path);
  const auto report = verify_folder(folder.path, {.campaign = {}, .histories = {}, .not_asked = {"a process: away"}});
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->broken()) << render_text(*report);
  EXPECT_FALSE(report->exact());
  EXPECT_TRUE(
      render_text(*report).ends_with("  not checked: a process: away\nverify: incomplete, what was checked is exact\n"))
      << render_text(*report);
}

TEST(Verify, a_campaign_that_has_not_begun_is_marked) {
  const TemporaryFolder folder;
  {
    Server server(folder.path);
    auto later = std::get<Opened>(opened("later", 3));
    later.opens_at = SystemClock().now() + std::chrono::hours(1);
    server.append({opened("now", 3), later});
  }
  const auto text = render_text(verified(folder.path));
  EXPECT_TRUE(
      text.starts_with("campaign now: 0 of 3 won, 0 coupons\n"
                       "campaign later: 0 of 3 won, 0 coupons, scheduled\n"))
      << text;
}

TEST(Verify, a_lost_journal_beside_a_store_with_coupons_is_broken) {
  const TemporaryFolder folder;
  run_server(folder.path);
  for (const auto& file : fs::directory_iterator(folder.path)) {
    if (file.path().filename().string().starts_with("journal")) fs::remove(file.path());
  }
  EXPECT_EQ(broken(verified(folder.path)), Names{"journal is whole"});
}

TEST(Verify, the_store_of_another_journal_is_broken) {
  const TemporaryFolder folder;
  const TemporaryFolder other;
  run_server(folder.path);
  run_server(other.path);
  for (const auto* file : {"store.db", "store.db-wal"}) {
    fs::remove(folder.path / file);
    if (fs::exists(other.path / file)) fs::copy(other.path / file, folder.path / file);
  }
  EXPECT_EQ(broken(verified(folder.path)), (Names{"store belongs to this journal", "progress rows"}));
}

TEST(Verify, a_clients_history_is_held_against_the_journal) {
  const TemporaryFolder folder;
  run_server(folder.path);
  const std::string path = folder.path / "history";
  const auto write = [&](std::uint32_t rank) {
    auto writer = HistoryWriter::create(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->add({.campaign = "lunch",
                             .user = "u2",
                             .call_us = 1,
                             .return_us = 2,
                             .status = 201,
                             .answer = "won",
                             .rank = rank,
                             .code = to_text(code_of(2)),
                             .quota = 0}));
    ASSERT_TRUE(writer->flush());
  };
  write(2);
  EXPECT_TRUE(verified(folder.path, {path}).exact());
  EXPECT_EQ(verified(folder.path, {path, path}).checks.back().checked, 1U) << "the order check, by rank";
  write(3);
  const Report report = verified(folder.path, {path});
  EXPECT_EQ(broken(report), Names{"every won is held"});
  EXPECT_NE(render_text(report).find("campaign lunch, user u2, call at 1 us: told won with rank 3"), std::string::npos)
      << render_text(report);
}

TEST(Verify, only_one_campaign_may_be_asked_for) {
  const TemporaryFolder folder;
  run_server(folder.path);
  const auto one = verify_folder(folder.path, {.campaign = "dinner", .histories = {}});
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->exact()) << render_text(*one);
  ASSERT_EQ(one->campaigns.size(), 1U);
  EXPECT_EQ(one->campaigns[0].campaign, "dinner");
  const auto none = verify_folder(folder.path, {.campaign = "supper", .histories = {}});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, FaultKind::misconfigured);
}

TEST(Verify, a_folder_that_is_none_of_ours_is_wrong_use) {
  const TemporaryFolder folder;
  const auto nowhere = verify_folder(folder.path / "nowhere", {.campaign = {}, .histories = {}});
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind, FaultKind::misconfigured);
  const auto empty = verify_folder(folder.path, {.campaign = {}, .histories = {}});
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().kind, FaultKind::misconfigured);
}

TEST(Verify, prints_json_and_text_that_say_the_same) {
  const TemporaryFolder folder;
  run_server(folder.path);
  const Report report = verified(folder.path);
  const auto json = nlohmann::json::parse(render_json(report));
  EXPECT_EQ(json["exact"], true);
  EXPECT_TRUE(render_json(report).starts_with(
      R"({"exact":true,"campaigns":[{"campaign":"lunch","quota":5,"coupons":5,"sealed":true,)"))
      << render_json(report);
  ASSERT_EQ(json["checks"].size(), report.checks.size());
  for (const auto& check : json["checks"]) {
    EXPECT_EQ(check["ok"], true);
    EXPECT_TRUE(check["checked"].is_number());
    EXPECT_NE(render_text(report).find(check["name"].get<std::string>()), std::string::npos);
  }
  EXPECT_TRUE(render_text(report).ends_with("verify: exact\n"));
  Report bad = report;
  bad.checks[3].expect(false, [] { return std::string("row \xff"); });
  EXPECT_EQ(nlohmann::json::parse(render_json(bad))["exact"], false);
  EXPECT_NE(render_text(bad).find("verify: broken, 1 of "), std::string::npos);
}

}  // namespace
}  // namespace firstcome::verify
