// Proves, on a real MariaDB, what the MySQL store promises beyond the contract of its port: what a lost connection, a
// deadlock, a lock and a stopped issuer do to it, that users are bytes, and that the reader sees one moment.
#include "store/mysql_store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "issuer/hand_store.h"
#include "issuer/issuer.h"
#include "mariadb.h"
#include "store/mysql_schema.h"
#include "store/mysql_session.h"
#include "store/mysql_store_reader.h"
#include "store_rows.h"
#include "wire.h"

namespace firstcome {
namespace {

using Steady = std::chrono::steady_clock;

class MysqlStoreOnMariadb : public testing::Test {
 protected:
  void SetUp() override {
    const auto shared = shared_mariadb();
    ASSERT_TRUE(shared) << start_them;
    database_.emplace(*shared);
    const auto migrated = mysql::migrate(server());
    ASSERT_TRUE(migrated) << migrated.error().what;
    wire_.emplace(server().port);
    auto wired = server();
    wired.port = wire_->port();
    auto opened = MysqlStore::open(wired);
    ASSERT_TRUE(opened) << opened.error().what;
    store_ = std::move(*opened);
  }

  const mysql::Server& server() const { return database_->server(); }

  /// The store without the wire.
  std::unique_ptr<MysqlStore> another() { return MysqlStore::open(server()).value(); }

  std::string number(std::string_view sql) { return value_by_hand(server(), sql); }

  /// Until a transaction in our database waits for a lock.
  void await_a_waiting_transaction() {
    const auto end = Steady::now() + std::chrono::seconds(5);
    const auto sql = fmt::format(
        "SELECT COUNT(*) FROM information_schema.innodb_trx AS t JOIN information_schema.processlist AS p ON "
        "p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = '{}'",
        server().database);
    while (number(sql) == "0") {
      ASSERT_LT(Steady::now(), end) << "nobody waits";
      // InnoDB shows a copy, which it does not renew while it was read within the last 100 ms.
      std::this_thread::sleep_for(Millis(150));
    }
  }

  mysql::Connection shell() { return mysql::Connection::open(server()).value(); }

  std::optional<TestDatabase> database_;
  std::optional<Wire> wire_;
  std::unique_ptr<MysqlStore> store_;
};

std::string insert_of(const CouponRow& row) {
  return fmt::format("INSERT INTO coupon VALUES('{}', {}, {}, '{}', '{}', {}, 0)", row.campaign.view(), row.rank,
                     row.quota, row.user.view(), to_text(row.code), row.position);
}

TEST_F(MysqlStoreOnMariadb, AConnectionThatIsLostBeforeTheCommitIsUnavailableAndTheNextCallConnectsAgain) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  for (const auto cut : {Wire::Cut::before, Wire::Cut::after}) {
    for (const auto* const at : {"START TRANSACTION", "UPDATE progress", "INSERT INTO coupon"}) {
      wire_->cut_at(Wire::holds(at), cut);
      const auto lost = store_->write(next_batch(3, 4));
      ASSERT_FALSE(lost) << at;
      EXPECT_EQ(lost.error().kind, FaultKind::unavailable) << at << ": " << lost.error().what;
      EXPECT_EQ(store_->progress()->front(), progress(3)) << "connected again, and nothing is written";
    }
  }
  EXPECT_EQ(words(store_->write(next_batch(3, 4))), "committed");
  EXPECT_EQ(store_->stats().lost, 6U);
  EXPECT_EQ(store_->stats().connects, 7U);
}

TEST_F(MysqlStoreOnMariadb, AConnectionThatIsLostInTheCommitIsUnknownAndTheFenceSaysWhatBecameOfIt) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  wire_->cut_at(Wire::holds("COMMIT"), Wire::Cut::before);
  const auto not_sent = store_->write(next_batch(3, 4));
  ASSERT_FALSE(not_sent);
  EXPECT_EQ(not_sent.error().kind, FaultKind::timed_out) << not_sent.error().what;
  EXPECT_EQ(store_->progress()->front(), progress(3));

  wire_->cut_at(Wire::holds("COMMIT"), Wire::Cut::after);
  const auto sent = store_->write(next_batch(3, 4));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().kind, FaultKind::timed_out) << sent.error().what;
  EXPECT_EQ(store_->progress()->front(), progress(4));
  EXPECT_EQ(words(store_->write(next_batch(3, 4))), "fence lost") << "it was written; again would be twice";
  EXPECT_EQ(number("SELECT COUNT(*) FROM coupon"), "4");
}

TEST_F(MysqlStoreOnMariadb, ABeatWhoseAnswerIsLostMayHaveCounted) {
  wire_->cut_at(Wire::holds("UPDATE issuer"), Wire::Cut::after);
  const auto lost = store_->beat("a");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, FaultKind::timed_out) << lost.error().what;
  EXPECT_TRUE(store_->beat("a").value_or(false));
  EXPECT_FALSE(another()->beat("b").value_or(true));
}

TEST_F(MysqlStoreOnMariadb, AServerThatSaysNothingHoldsNoCallForLongerThan10Seconds) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  wire_->hold(true);
  const auto began = Steady::now();
  const auto quiet = store_->write(next_batch(3, 4));
  EXPECT_LT(Steady::now() - began, std::chrono::seconds(10));
  ASSERT_FALSE(quiet);
  EXPECT_EQ(quiet.error().kind, FaultKind::unavailable) << quiet.error().what;
  const auto again = store_->beat("a");
  EXPECT_LT(Steady::now() - began, std::chrono::seconds(20));
  EXPECT_FALSE(again) << "nor does the way to a new connection";
  wire_->hold(false);
  EXPECT_EQ(words(store_->write(next_batch(3, 4))), "committed");
}

TEST_F(MysqlStoreOnMariadb, AConnectionThatDiedWhileItWasQuietTakesNoMoreThanOneAnswersTime) {
  ASSERT_TRUE(store_->beat("a"));
  std::this_thread::sleep_for(Millis(1100));  // quiet for longer than a second
  wire_->hold(true);
  const auto began = Steady::now();
  const auto dead = store_->beat("a");
  EXPECT_LT(Steady::now() - began, std::chrono::seconds(8));
  ASSERT_FALSE(dead);
  EXPECT_EQ(dead.error().kind, FaultKind::unavailable) << dead.error().what;
  wire_->hold(false);
  EXPECT_TRUE(store_->beat("a").value_or(false));
}

TEST_F(MysqlStoreOnMariadb, AConnectionThatTheServerEndedMeanwhileIsMadeAnewWithoutAFault) {
  ASSERT_TRUE(store_->beat("a"));
  std::this_thread::sleep_for(Millis(1100));  // quiet for longer than a second
  const auto id =
      number(fmt::format("SELECT MAX(id) FROM information_schema.processlist WHERE db = '{}' AND id <> "
                         "CONNECTION_ID()",
                         server().database));
  ASSERT_TRUE(by_hand(server(), "KILL " + id));
  const auto held = store_->beat("a");
  EXPECT_TRUE(held) << held.error().what;
  EXPECT_EQ(store_->stats().lost, 1U);
}

TEST_F(MysqlStoreOnMariadb, ADeadlockIsRepeatedFromTheFenceOn) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  // The other has written more, so that the server lets the store's transaction die. It holds rank 4, and wants the
  // progress, which the store holds while it wants rank 4.
  auto other = shell();
  ASSERT_TRUE(other.run("START TRANSACTION"));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(
        other.run(fmt::format("INSERT INTO campaign SET id = 'filler-{}', name = '', promise = 'journal', "
                              "paused = 0, closed = 0",
                              i)));
  }
  ASSERT_TRUE(other.run(insert_of(coupon(4))));
  auto written = std::async(std::launch::async, [this] { return store_->write(next_batch(3, 4)); });
  await_a_waiting_transaction();
  const auto moved = other.run("UPDATE progress SET position = position + 1");
  EXPECT_TRUE(moved) << moved.error().what;
  ASSERT_TRUE(other.run("ROLLBACK"));
  EXPECT_EQ(words(written.get()), "committed");
  EXPECT_GE(store_->stats().repeats, 1U);
  EXPECT_GE(store_->stats().deadlocks, 1U);
  EXPECT_EQ(store_->progress()->front(), progress(4));
}

TEST_F(MysqlStoreOnMariadb, ALockThatDoesNotGoIsUnavailableAndNothingStaysBehind) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  auto other = shell();
  ASSERT_TRUE(other.run("START TRANSACTION"));
  ASSERT_TRUE(other.run(insert_of(coupon(4))));
  const auto began = Steady::now();
  const auto waited = store_->write(next_batch(3, 4));
  EXPECT_LT(Steady::now() - began, std::chrono::seconds(10));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, FaultKind::unavailable) << waited.error().what;
  EXPECT_GE(store_->stats().repeats, 1U);
  // A lock wait undoes the insert only: without a ROLLBACK the fence would stand moved, and locked, in an open
  // transaction.
  ASSERT_TRUE(other.run("SET SESSION innodb_lock_wait_timeout = 1"));
  EXPECT_EQ(other.run(fmt::format("UPDATE progress SET position = position WHERE `rank` = 3")).value_or(0), 1U)
      << "progress is free, and where it was";
  ASSERT_TRUE(other.run("ROLLBACK"));
  EXPECT_EQ(words(store_->write(next_batch(3, 4))), "committed");
}

TEST_F(MysqlStoreOnMariadb, ATableThatIsLockedIsWaitedForNoLongerThanARow) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  auto other = shell();
  ASSERT_TRUE(other.run("LOCK TABLES coupon WRITE"));
  const auto waited = store_->write(next_batch(3, 4));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, FaultKind::unavailable) << waited.error().what;
  EXPECT_GE(store_->stats().lock_waits, 1U) << "the server has said so, and keeps nothing of ours";
  ASSERT_TRUE(other.run("UNLOCK TABLES"));
  EXPECT_EQ(words(store_->write(next_batch(3, 4))), "committed");
}

TEST_F(MysqlStoreOnMariadb, AnIssuerThatIsStoppedInsideItsTransactionLosesItsLocks) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  auto stopped = mysql::open_session(server(), std::chrono::seconds(3));  // as the store's own
  ASSERT_TRUE(stopped) << stopped.error().what;
  ASSERT_TRUE(stopped->run("START TRANSACTION"));
  ASSERT_TRUE(stopped->run("UPDATE progress SET position = 999"));
  auto outcome = store_->write(next_batch(3, 4));
  const auto end = Steady::now() + std::chrono::seconds(6);
  while (!outcome && Steady::now() < end) outcome = store_->write(next_batch(3, 4));
  EXPECT_EQ(words(outcome), "committed");
  const auto late = stopped->run("COMMIT");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().trouble, mysql::Trouble::lost) << late.error().what;
}

TEST_F(MysqlStoreOnMariadb, AnUpdateThatFindsItsRowAndNothingToChangeIsNoLostFence) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  EXPECT_EQ(words(store_->write({.seen = progress(3), .next = progress(3)})), "committed");
}

TEST_F(MysqlStoreOnMariadb, AZombieSeesTheFenceBeforeItHasSentACoupon) {
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  ASSERT_EQ(words(another()->write(next_batch(3, 5))), "committed");
  wire_->cut_at(Wire::holds("INSERT INTO coupon"), Wire::Cut::before);
  EXPECT_EQ(words(store_->write(next_batch(3, 4))), "fence lost");
  auto as_new = first_batch(4);
  as_new.campaign.reset();
  as_new.quotas.clear();
  EXPECT_EQ(words(store_->write(as_new)), "fence lost");
  EXPECT_FALSE(wire_->was_cut());
}

TEST_F(MysqlStoreOnMariadb, NobodyTakesThePlaceBeforeATransactionOfItsHolderIsDecided) {
  ASSERT_TRUE(store_->beat("a").value_or(false));
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  ASSERT_TRUE(shell().run("UPDATE issuer SET beat = beat - INTERVAL 4 SECOND"));
  std::promise<void> stands;
  wire_->cut_at(
      [&, is_coupon = Wire::holds("INSERT INTO coupon"), once = true](std::string_view packet) mutable {
        if (once && is_coupon(packet)) {
          once = false;
          wire_->hold(true);  // behind this packet: its answer does not come
          stands.set_value();
        }
        return false;
      },
      Wire::Cut::before);
  auto late = std::async(std::launch::async, [&] { return store_->write(next_batch(3, 4)); });
  stands.get_future().wait();
  const auto spare = another();
  auto taken = std::async(std::launch::async, [&] { return spare->beat("b"); });
  await_a_waiting_transaction();
  EXPECT_TRUE(taken.get().value_or(false)) << "the server has ended what stood still";
  wire_->hold(false);
  EXPECT_FALSE(late.get());
  EXPECT_EQ(number("SELECT COUNT(*) FROM coupon"), "3");
  EXPECT_EQ(words(store_->write(next_batch(3, 4))), "fence lost") << "though nobody has written";
}

TEST_F(MysqlStoreOnMariadb, ARefusedRowAmong500IsFoundByHalves) {
  ASSERT_EQ(words(store_->write(first_batch(1, 1000))), "committed");
  auto batch = next_batch(1, 501, 1000);
  batch.coupons[400].user = coupon(1).user;
  int inserts = 0;
  wire_->cut_at(
      [&](std::string_view packet) {
        inserts += packet.find("INSERT INTO coupon(") != std::string_view::npos ? 1 : 0;
        return false;
      },
      Wire::Cut::before);
  const auto refused = words(store_->write(batch));
  EXPECT_TRUE(refused.starts_with("refused: Duplicate entry 'lunch-user1'")) << refused;
  wire_->mend();
  EXPECT_LE(inserts, 20);
  EXPECT_EQ(number("SELECT COUNT(*) FROM coupon"), "1");
}

/// Two issuers as two processes have them, in the store's own time.
TEST_F(MysqlStoreOnMariadb, ASpareTakesOverAfter3SecondsAndWhoWakesUpIsASpare) {
  Standings standings;
  SystemClock clock;
  hand::HandJournal journal;
  Position position = 0;
  const auto add = [&](Entry entry) { standings.apply({++position, clock.now(), std::move(entry)}); };
  add(Installation{.id = {7}});
  add(Opened{.campaign = lunch, .name = {}, .quota = 100, .issue_rate = 0});
  std::uint8_t users = 0;
  const auto win = [&] {
    ++users;
    add(Ticket{.campaign = lunch, .user = "u" + std::to_string(users), .code = {users}});
  };
  const auto stores = {another(), another()};
  Issuer first(standings, **stores.begin(), journal, clock, {.holder = "first"});
  Issuer second(standings, **(stores.begin() + 1), journal, clock, {.holder = "second"});
  const auto step_until = [&](std::initializer_list<Issuer*> issuers, const std::function<bool()>& done) {
    const auto began = Steady::now();
    while (!done() && Steady::now() - began < std::chrono::seconds(15)) {
      for (auto* const issuer : issuers) issuer->step();
      std::this_thread::sleep_for(Millis(5));
    }
    return std::chrono::duration<double>(Steady::now() - began).count();
  };
  const auto rows = [&] { return number("SELECT COUNT(*) FROM coupon"); };
  win();
  step_until({&first, &second}, [&] { return rows() == "1"; });
  ASSERT_TRUE(first.counters().at_work);
  ASSERT_FALSE(second.counters().at_work);

  // The first one stands still, and has seen nothing of what comes.
  win();
  const double waited = step_until({&second}, [&] { return second.counters().at_work.load(); });
  EXPECT_GE(waited, 1.5) << "its last beat may have been a second old";
  EXPECT_LT(waited, 6.0);
  step_until({&second}, [&] { return rows() == "2"; });
  win();
  step_until({&first}, [&] { return !first.counters().at_work.load(); });
  EXPECT_EQ(rows(), "2") << "who slept has written nothing";
  step_until({&first, &second}, [&] { return rows() == "3"; });
  EXPECT_EQ(number("SELECT GROUP_CONCAT(`rank` ORDER BY `rank`) FROM coupon"), "1,2,3");
  EXPECT_EQ(first.counters().take_overs, 1U);
  EXPECT_EQ(second.counters().take_overs, 1U);
  EXPECT_EQ(first.counters().fences_lost + second.counters().fences_lost, 0U);
}

TEST_F(MysqlStoreOnMariadb, CallsAreCountedByKindWithTheirTimeAndTheirFaults) {
  const auto of = [&](MysqlStore::Call kind) -> const auto& {
    return store_->stats().of[static_cast<std::size_t>(kind)];
  };
  ASSERT_TRUE(store_->adopt(InstallationId{7}));
  ASSERT_EQ(words(store_->write(first_batch(3))), "committed");
  ASSERT_TRUE(store_->beat("a"));
  ASSERT_TRUE(store_->progress() && store_->parked());
  EXPECT_EQ(of(MysqlStore::Call::transaction).count, 2U);
  EXPECT_EQ(of(MysqlStore::Call::read).count, 2U);
  EXPECT_EQ(of(MysqlStore::Call::beat).count, 1U);
  wire_->cut_at(Wire::holds("UPDATE issuer"), Wire::Cut::before);
  ASSERT_FALSE(store_->beat("a"));
  EXPECT_EQ(of(MysqlStore::Call::beat).count, 2U);
  for (const auto kind : {MysqlStore::Call::transaction, MysqlStore::Call::read, MysqlStore::Call::beat}) {
    EXPECT_EQ(of(kind).faults, kind == MysqlStore::Call::beat ? 1U : 0U) << MysqlStore::to_string(kind);
    EXPECT_GT(of(kind).seconds, 0) << MysqlStore::to_string(kind);
    EXPECT_LT(of(kind).seconds, 60) << MysqlStore::to_string(kind);
  }
}

TEST_F(MysqlStoreOnMariadb, UsersAreBytes) {
  auto batch = first_batch(0);
  const char* users[] = {"alice", "Alice", "ALICE", "alice'", "alice\\", "%s", "X'00'"};
  for (std::uint32_t rank = 1; rank <= std::size(users); ++rank) {
    batch.coupons.push_back(coupon(rank));
    batch.coupons.back().user = users[rank - 1];
  }
  ASSERT_EQ(words(store_->write(batch)), "committed");
  auto blank = coupon(8);
  blank.user = "alice ";
  const auto by_shell = by_hand(server(), insert_of(blank));
  EXPECT_TRUE(by_shell) << "alice and 'alice ' are two: " << by_shell.error().what;
  blank = coupon(9);
  blank.user = "alice";
  EXPECT_FALSE(by_hand(server(), insert_of(blank)));
  const auto rows = store_->coupons(lunch, 0, std::size(users));
  ASSERT_TRUE(rows) << rows.error().what;
  for (std::size_t i = 0; i < std::size(users); ++i) EXPECT_EQ((*rows)[i].user, std::string_view(users[i]));
}

TEST_F(MysqlStoreOnMariadb, TheReasonOfARefusalIsTheServersAndPrintable) {
  auto batch = first_batch(3);
  batch.coupons.push_back(coupon(4));
  batch.coupons.back().user = coupon(2).user;
  batch.coupons.push_back(coupon(5));
  const auto outcome = store_->write(batch);
  EXPECT_TRUE(words(outcome).starts_with("refused: Duplicate entry 'lunch-user2")) << words(outcome);
  EXPECT_NE(words(outcome).find("1062"), std::string::npos) << words(outcome);
  EXPECT_TRUE(store_->progress()->empty());
}

TEST_F(MysqlStoreOnMariadb, APoisonedRowIsParkedByTheIssuerAndRetriedAfterItsCauseIsMended) {
  Standings standings;
  Position position = 0;
  hand::HandClock clock;
  hand::HandJournal journal;
  const auto add = [&](Entry entry) { standings.apply({++position, clock.now(), std::move(entry)}); };
  add(Installation{.id = {7}});
  add(Opened{.campaign = lunch, .name = {}, .quota = 6, .issue_rate = 0});
  for (std::uint8_t i = 1; i <= 6; ++i) {
    add(Ticket{.campaign = lunch, .user = "u" + std::to_string(i), .code = {i}});
  }
  // An operator gave u4 a coupon of another campaign, with the code of u4's ticket.
  auto poison = coupon(1);
  poison.campaign = "dinner";
  poison.code = {4};
  ASSERT_TRUE(by_hand(server(),
                      "INSERT INTO campaign SET id = 'dinner', name = '', promise = 'journal', paused = 0, "
                      "closed = 0"));
  ASSERT_TRUE(by_hand(server(), "INSERT INTO campaign_quota VALUES('dinner', 10)"));
  ASSERT_TRUE(by_hand(server(), insert_of(poison)));

  Issuer issuer(standings, *store_, journal, clock, {.issue_rate = 0, .issue_rate_total = 0});
  const auto checked = issuer.check();
  ASSERT_TRUE(checked) << checked.error().what;
  for (int step = 0; step < 20; ++step) clock.move_to(std::max(issuer.step(), clock.uptime() + Millis(1)));
  EXPECT_EQ(number("SELECT GROUP_CONCAT(`rank`) FROM coupon WHERE campaign = 'lunch'"), "1,2,3,5,6");
  const auto parked = issuer.parked();
  ASSERT_TRUE(parked && parked->size() == 1);
  EXPECT_EQ(parked->front().coupon.rank, 4U);
  EXPECT_NE(parked->front().reason.find("coupon_code"), std::string::npos) << parked->front().reason;

  ASSERT_TRUE(by_hand(server(), "DELETE FROM coupon WHERE campaign = 'dinner'"));
  EXPECT_EQ(words(issuer.retry(parked->front().number)), "committed");
  EXPECT_EQ(number("SELECT GROUP_CONCAT(`rank`) FROM coupon WHERE campaign = 'lunch'"), "1,2,3,4,5,6");
  EXPECT_EQ(number("SELECT COUNT(*) FROM parked_entry"), "0");
}

TEST_F(MysqlStoreOnMariadb, TheReaderSeesOneMomentOfEveryTableToTheLastBit) {
  const CampaignRow terms{.id = lunch,
                          .name = "L\xc3\xbcnch '\\\" \xf0\x9f\x8d\x95",
                          .window = {.opens_at = Time(Millis(-1)), .closes_at = std::nullopt},
                          .issue_rate = 0.1 + 0.2,
                          .promise = Promise::store,
                          .paused = true,
                          .closed = false};
  auto batch = first_batch(8);
  batch.campaign = terms;
  batch.next = progress(9);
  batch.next.chain.fill(0xff);
  batch.parked = {{.coupon = coupon(9), .reason = "why", .parked_at = Time(Millis(5))}};
  ASSERT_TRUE(store_->adopt(InstallationId{7}));
  ASSERT_EQ(words(store_->write(batch)), "committed");

  auto reader = MysqlStoreReader::open(server());
  ASSERT_TRUE(reader) << reader.error().what;
  auto more = next_batch(9, 10);
  more.seen = batch.next;
  ASSERT_EQ(words(store_->write(more)), "committed") << "reading holds nobody up";

  EXPECT_EQ(reader->installation(), InstallationId{7});
  EXPECT_EQ(reader->campaigns(), std::vector<CampaignRow>{terms});
  EXPECT_EQ(reader->quotas(), (std::vector<QuotaRow>{{lunch, 10}}));
  EXPECT_EQ(reader->progress(), std::vector<Progress>{batch.next});
  ASSERT_EQ(reader->parked().size(), 1U);
  EXPECT_EQ(reader->parked()[0].coupon.rank, 9U);
  EXPECT_EQ(reader->parked()[0].reason, "why");
  EXPECT_EQ(reader->parked()[0].parked_at, Time(Millis(5)));
  std::vector<CouponRow> coupons;
  const auto read = reader->coupons(
      [&](std::span<const CouponRow> rows) { coupons.insert(coupons.end(), rows.begin(), rows.end()); });
  ASSERT_TRUE(read) << read.error().what;
  ASSERT_EQ(coupons.size(), 8U) << "without rank 10, which came later";
  for (std::uint32_t i = 0; i < 8; ++i) {
    const auto expected = coupon(i + 1);
    EXPECT_EQ(coupons[i].campaign, expected.campaign);
    EXPECT_EQ(coupons[i].rank, expected.rank);
    EXPECT_EQ(coupons[i].quota, expected.quota);
    EXPECT_EQ(coupons[i].user, expected.user);
    EXPECT_EQ(coupons[i].code, expected.code);
    EXPECT_EQ(coupons[i].position, expected.position);
    EXPECT_EQ(coupons[i].issued_at, expected.issued_at);
  }
}

TEST_F(MysqlStoreOnMariadb, AValueThatFirstcomeCannotHaveWrittenIsNamedWithItsRow) {
  ASSERT_EQ(words(store_->write(first_batch(8))), "committed");
  const std::pair<const char*, const char*> changes[] = {
      {"user = X'00'", "campaign lunch, rank 4: its user"},
      {"code = LOWER(code)", "campaign lunch, rank 4: its code"},
      {"code = CONCAT(LEFT(code, 26), '?')", "campaign lunch, rank 4: its code"},
  };
  for (const auto& [change, told] : changes) {
    auto other = shell();
    ASSERT_TRUE(other.run("START TRANSACTION"));
    const auto changed = other.run(fmt::format("UPDATE coupon SET {} WHERE `rank` = 4", change));
    ASSERT_TRUE(changed) << changed.error().what;
    ASSERT_TRUE(other.run("COMMIT"));
    auto reader = MysqlStoreReader::open(server());
    ASSERT_TRUE(reader) << reader.error().what;
    const auto coupons = reader->coupons([](auto) {});
    ASSERT_FALSE(coupons) << change;
    EXPECT_EQ(coupons.error().kind, FaultKind::corrupt);
    EXPECT_NE(coupons.error().what.find(told), std::string::npos) << coupons.error().what;
    const auto page = store_->coupons(lunch, 0, 100);
    EXPECT_FALSE(page) << "nor is it shown to an operator";
    ASSERT_TRUE(by_hand(server(), fmt::format("UPDATE coupon SET user = 'user4', code = '{}' WHERE `rank` = 4",
                                              to_text(coupon(4).code))));
  }
}

/// What it comes to in time is measured by bench/store_bench.cc.
TEST_F(MysqlStoreOnMariadb, CouponsGoOutManyAtATime) {
  constexpr std::uint32_t rows = 1000;
  ASSERT_EQ(words(store_->write(first_batch(0, rows))), "committed");
  int packets = 0;
  wire_->cut_at(
      [&](std::string_view) {
        ++packets;
        return false;
      },
      Wire::Cut::before);
  ASSERT_EQ(words(store_->write(next_batch(0, rows, rows))), "committed");
  wire_->mend();
  EXPECT_LE(packets, 50) << "begin, fence, two inserts of 80 KB in some pieces, commit";
  EXPECT_EQ(number("SELECT COUNT(*) FROM coupon"), std::to_string(rows));
}

}  // namespace
}  // namespace firstcome
