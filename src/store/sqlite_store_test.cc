// Proves, on real files, what the SQLite store promises beyond the contract of its port: its rules hold in an
// operator's shell, a store that is removed is made anew, and reading offline changes nothing and sees every row.
#include "store/sqlite_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "store/store_reader.h"

namespace firstcome {
namespace {

const CampaignId lunch = "lunch";

CouponRow coupon(std::uint32_t rank, std::uint32_t quota = 10) {
  Code code{};
  code[0] = static_cast<std::uint8_t>(rank);
  return {.campaign = lunch,
          .rank = rank,
          .quota = quota,
          .user = "user" + std::to_string(rank),
          .code = code,
          .position = 100 + rank,
          .issued_at = Time(Millis(1'700'000'000'000))};
}

Progress progress(std::uint32_t rank) {
  Progress progress{.campaign = lunch, .rank = rank, .position = 100 + rank};
  progress.chain[0] = static_cast<std::uint8_t>(rank + 1);
  return progress;
}

const CampaignRow terms{.id = lunch,
                        .name = "Lunch",
                        .window = {.opens_at = Time(Millis(1)), .closes_at = std::nullopt},
                        .issue_rate = 0.5,
                        .promise = Promise::store,
                        .paused = true,
                        .closed = false};

class SqliteStoreFiles : public testing::Test {
 protected:
  SqliteStoreFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "firstcome-test-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~SqliteStoreFiles() override { std::filesystem::remove_all(folder_); }

  Result<std::unique_ptr<SqliteStore>> open() { return SqliteStore::open({.folder = folder_, .clock = clock_}); }

  /// Coupons 1..8 of 10, and rank 9 parked.
  std::unique_ptr<SqliteStore> make() {
    auto store = open();
    EXPECT_TRUE(store) << store.error().what;
    EXPECT_TRUE((*store)->adopt(InstallationId{7}));
    IssueBatch batch{.next = progress(9), .campaign = terms, .quotas = {10}};
    for (std::uint32_t rank = 1; rank <= 8; ++rank) batch.coupons.push_back(coupon(rank));
    batch.parked = {{.coupon = coupon(9), .reason = "why", .parked_at = Time(Millis(5))}};
    auto outcome = (*store)->write(batch);
    EXPECT_TRUE(outcome && std::holds_alternative<Committed>(*outcome));
    return std::move(*store);
  }

  /// As `sqlite3 store.db SQL` does it: foreign keys are off. Empty: it was done.
  std::string shell(const std::string& sql) const {
    sqlite3* shell = nullptr;
    sqlite3_open((folder_ + "/store.db").c_str(), &shell);
    char* message = nullptr;
    sqlite3_exec(shell, sql.c_str(), nullptr, nullptr, &message);
    std::string why = message != nullptr ? message : "";
    sqlite3_free(message);
    sqlite3_close(shell);
    return why;
  }

  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      std::ifstream stream(file.path(), std::ios::binary);
      all[file.path().filename()] = {std::istreambuf_iterator<char>(stream), {}};
    }
    return all;
  }

  std::string folder_;
  SystemClock clock_;
};

TEST_F(SqliteStoreFiles, TheRulesHoldInAnOperatorsShellWhileTheServerRuns) {
  auto store = make();
  const auto row = [](const char* rank, const char* quota, const char* user, const char* code) {
    return std::string("INSERT INTO coupon VALUES('lunch', ") + rank + ", " + quota + ", " + user + ", '" + code +
           "', 200, 0)";
  };
  const char* bob = "CAST('bob' AS BLOB)";
  const char* code = "0123456789ABCDEFGHJKMNPQRS0";
  EXPECT_NE(shell(row("11", "10", bob, code)), "");
  EXPECT_NE(shell(row("11", "11", bob, code)).find("campaign_quota"), std::string::npos);
  EXPECT_NE(shell(row("10", "10", "CAST('user3' AS BLOB)", code)), "");
  EXPECT_NE(shell(row("10", "10", bob, to_text(coupon(3).code).c_str())), "");
  EXPECT_NE(shell(row("10", "10", "'bob'", code)), "") << "text is another value than bytes";
  EXPECT_NE(shell("UPDATE coupon SET rank = 11 WHERE rank = 8"), "");
  EXPECT_NE(shell("UPDATE coupon SET rank = 11, quota = 11 WHERE rank = 8"), "");
  EXPECT_NE(shell("UPDATE coupon SET campaign = 'dinner' WHERE rank = 8"), "");
  EXPECT_NE(shell("INSERT INTO campaign_quota VALUES('lunch', 9)").find("only be raised"), std::string::npos);
  EXPECT_NE(shell("INSERT INTO campaign_quota VALUES('lunch', 0)"), "");
  // What the rules allow, they allow; whether it is true is what verify looks at.
  EXPECT_EQ(shell(row("10", "10", bob, code)), "");
  EXPECT_EQ(shell("DELETE FROM coupon WHERE rank = 10"), "");
  auto rows = store->coupons(lunch, 0, 100);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->size(), 8U);
  // A raise.
  IssueBatch raise{.seen = progress(9), .next = progress(11), .quotas = {11}, .coupons = {coupon(10), coupon(11, 11)}};
  auto outcome = store->write(raise);
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(std::holds_alternative<Committed>(*outcome));
}

TEST_F(SqliteStoreFiles, AShellThatHoldsTheStoreMakesItUnavailableForAWhile) {
  auto store = SqliteStore::open({.folder = folder_, .clock = clock_, .busy_ms_max = 20});
  ASSERT_TRUE(store);
  sqlite3* shell = nullptr;
  sqlite3_open((folder_ + "/store.db").c_str(), &shell);
  sqlite3_exec(shell, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr);
  const auto held = (*store)->beat("a");
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().kind, FaultKind::unavailable) << held.error().what;
  const auto outcome = (*store)->write({.next = progress(1)});
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().retryable());
  sqlite3_exec(shell, "ROLLBACK", nullptr, nullptr, nullptr);
  sqlite3_close(shell);
  EXPECT_EQ((*store)->beat("a").value_or(false), true);
}

TEST_F(SqliteStoreFiles, ARemovedStoreIsMadeAnew) {
  make().reset();
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/store.db-wal")) << "a stopped server's store is one file";
  std::filesystem::remove(folder_ + "/store.db");
  auto store = open();
  ASSERT_TRUE(store) << store.error().what;
  EXPECT_FALSE((*store)->installation()->has_value());
  EXPECT_TRUE((*store)->progress()->empty());
}

TEST_F(SqliteStoreFiles, ATriggerThatWasDroppedIsBackAfterAStart) {
  make().reset();
  EXPECT_EQ(shell("DROP TRIGGER coupon_has_its_quota"), "");
  auto store = open();
  ASSERT_TRUE(store);
  EXPECT_NE(
      shell("INSERT INTO coupon VALUES('lunch', 11, 11, CAST('bob' AS BLOB), '0123456789ABCDEFGHJKMNPQRS0', 1, 0)"),
      "");
}

TEST_F(SqliteStoreFiles, ANewerOrAForeignStoreIsRefused) {
  make().reset();
  EXPECT_EQ(shell("PRAGMA user_version = 2"), "");
  auto newer = open();
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().kind, FaultKind::misconfigured);
  EXPECT_NE(newer.error().what.find("upgrade this node"), std::string::npos) << newer.error().what;
  EXPECT_FALSE(StoreReader::open(folder_));
  EXPECT_EQ(shell("PRAGMA user_version = 1; PRAGMA application_id = 1"), "");
  auto foreign = open();
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().kind, FaultKind::misconfigured);
  std::filesystem::remove(folder_ + "/store.db");
  EXPECT_EQ(shell("CREATE TABLE coupon(id INTEGER PRIMARY KEY, user_id INTEGER)"), "");
  auto others = open();
  ASSERT_FALSE(others);
  EXPECT_EQ(others.error().kind, FaultKind::misconfigured) << "somebody else's tables, without an id of their own";
  EXPECT_NE(shell("SELECT 1 FROM installation"), "") << "and nothing was made in them";
  std::filesystem::remove(folder_ + "/store.db");
  std::ofstream(folder_ + "/store.db") << std::string(5000, 'x');
  auto text = open();
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().kind, FaultKind::corrupt) << text.error().what;
}

TEST_F(SqliteStoreFiles, AStoreInWhichNothingWasMadeYetIsEmpty) {
  EXPECT_EQ(shell("PRAGMA journal_mode = WAL; PRAGMA user_version = 0"), "");
  auto reader = StoreReader::open(folder_);
  ASSERT_TRUE(reader) << reader.error().what;
  EXPECT_FALSE(reader->installation());
  EXPECT_TRUE(reader->coupons([](std::span<const CouponRow>) { FAIL() << "no coupon can be there"; }));
  EXPECT_TRUE(open());
}

TEST_F(SqliteStoreFiles, ReadingOfflineSeesEveryRowAndChangesNoByte) {
  auto store = make();
  const auto before = files();
  ASSERT_TRUE(before.contains("store.db-wal"));
  {
    auto reader = StoreReader::open(folder_);
    ASSERT_TRUE(reader) << reader.error().what;
    EXPECT_EQ(reader->installation(), InstallationId{7});
    EXPECT_EQ(reader->campaigns(), std::vector<CampaignRow>{terms});
    EXPECT_EQ(reader->quotas(), (std::vector<QuotaRow>{{lunch, 10}}));
    EXPECT_EQ(reader->progress(), std::vector<Progress>{progress(9)});
    ASSERT_EQ(reader->parked().size(), 1U);
    EXPECT_EQ(reader->parked()[0].coupon.rank, 9U);
    EXPECT_EQ(reader->parked()[0].reason, "why");
    EXPECT_EQ(reader->parked()[0].parked_at, Time(Millis(5)));
    std::vector<CouponRow> coupons;
    ASSERT_TRUE(reader->coupons(
        [&](std::span<const CouponRow> rows) { coupons.insert(coupons.end(), rows.begin(), rows.end()); }));
    ASSERT_EQ(coupons.size(), 8U);
    for (std::uint32_t i = 0; i < 8; ++i) {
      const auto expected = coupon(i + 1);
      EXPECT_EQ(coupons[i].campaign, expected.campaign);
      EXPECT_EQ(coupons[i].rank, expected.rank);
      EXPECT_EQ(coupons[i].quota, expected.quota);
      EXPECT_EQ(coupons[i].user, expected.user);
      EXPECT_EQ(coupons[i].code, expected.code);
      EXPECT_EQ(coupons[i].position, expected.position);
    }
  }
  EXPECT_EQ(files(), before);
}

TEST_F(SqliteStoreFiles, AValueThatFirstcomeCannotHaveWrittenIsNamedWithItsRow) {
  make().reset();
  const std::pair<const char*, const char*> changes[] = {
      {"UPDATE coupon SET user = x'00' WHERE rank = 4", "campaign lunch, rank 4: its user"},
      {"UPDATE coupon SET code = lower(code) WHERE rank = 4", "campaign lunch, rank 4: its code"},
      {"UPDATE coupon SET code = substr(code, 1, 26) || '?' WHERE rank = 4", "campaign lunch, rank 4: its code"},
  };
  const auto whole = files().at("store.db");
  for (const auto& [sql, told] : changes) {
    ASSERT_EQ(shell(sql), "");
    auto reader = StoreReader::open(folder_);
    ASSERT_TRUE(reader) << reader.error().what;
    const auto coupons = reader->coupons([](auto) {});
    ASSERT_FALSE(coupons) << sql;
    EXPECT_EQ(coupons.error().kind, FaultKind::corrupt);
    EXPECT_NE(coupons.error().what.find(told), std::string::npos) << coupons.error().what;
    std::ofstream(folder_ + "/store.db", std::ios::binary) << whole;
  }
  EXPECT_FALSE(StoreReader::open(folder_ + "/none"));
}

}  // namespace
}  // namespace firstcome
