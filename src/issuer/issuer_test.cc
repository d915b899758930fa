// What the standings owe becomes rows: each once, in rank order, at the rate, through faults, restarts and other
// issuers.
#include "issuer/issuer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "issuer/hand_store.h"

namespace firstcome {
namespace {

using hand::HandClock;
using hand::HandJournal;
using hand::HandStore;

class IssuerTest : public testing::Test {
 protected:
  IssuerTest() {
    add(Installation{.id = {7}});
    behind_.apply({1, clock_.now(), Installation{.id = {7}}});
  }

  void add(Entry entry) { standings_.apply({++position_, clock_.now(), std::move(entry)}); }
  void open(const char* campaign, std::uint32_t quota, std::optional<double> rate = 0,
            std::optional<Promise> promise = {}) {
    Opened opened{.campaign = campaign, .name = {}, .quota = quota, .issue_rate = rate, .promise = promise};
    add(opened);
  }
  void win(const char* campaign, int count, int from = 1) {
    for (int i = from; i < from + count; ++i) {
      add(Ticket{.campaign = campaign, .user = "u" + std::to_string(i), .code = {static_cast<std::uint8_t>(i)}});
    }
  }
  void start(IssuerSettings settings = {}) {
    settings.issue_rate_total = total_rate;
    issuer_ = std::make_unique<Issuer>(standings_, store_, journal_, clock_, settings);
    const auto checked = issuer_->check();
    ASSERT_TRUE(checked) << checked.error().what;
  }
  /// The place is its own since the first one has worked for a while, at 10 a second.
  std::unique_ptr<Issuer> spare_of_a_first() {
    open("lunch", 1000, 10.0);
    win("lunch", 100);
    start({.holder = "spare"});
    auto spare = std::move(issuer_);
    start({.holder = "first"});
    run(Millis(1500));
    store_.at_work = "spare";
    return spare;
  }
  /// Steps whenever the issuer asks for it.
  void run(Issuer& issuer, Millis during) {
    const Uptime end = clock_.uptime() + during;
    while (clock_.uptime() < end) {
      const Uptime next = issuer.step();
      clock_.move_to(std::min(end, std::max(next, clock_.uptime() + Millis(1))));
    }
  }
  void run(Millis during) { run(*issuer_, during); }
  /// A spare that has read nothing but the first entry of the journal, beside one that has written two coupons.
  Issuer spare_that_is_behind() {
    open("lunch", 10);
    win("lunch", 2);
    start();
    run(Millis(100));
    return {behind_, store_, journal_, clock_, {.holder = "spare", .issue_rate_total = 0, .is_alone = false}};
  }
  std::vector<HandStore::Row>& rows(const char* campaign) { return store_.coupons_of[campaign]; }
  std::size_t most_in_a_second(const std::vector<HandStore::Row>& all) {
    std::size_t most = 0;
    for (const auto& first : all) {
      most = std::max(most, static_cast<std::size_t>(std::ranges::count_if(all, [&](const auto& row) {
                        return row.at >= first.at && row.at - first.at < Millis(1000);
                      })));
    }
    return most;
  }
  void expect_dense(const char* campaign, std::size_t count) {
    ASSERT_EQ(rows(campaign).size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      const CouponRow& row = rows(campaign)[i].coupon;
      const Winner& winner = standings_.find(campaign)->winners()[static_cast<std::uint32_t>(i)];
      EXPECT_EQ(row.rank, i + 1);
      EXPECT_EQ(row.user, winner.user());
      EXPECT_EQ(row.code, winner.code);
      EXPECT_EQ(row.position, winner.position);
    }
  }

  HandClock clock_;
  HandJournal journal_;
  HandStore store_{clock_};
  Standings standings_;
  Standings behind_;
  Position position_ = 0;
  std::unique_ptr<Issuer> issuer_;
  double total_rate = 0;
};

TEST_F(IssuerTest, writes_in_rank_order_with_progress_and_the_terms) {
  open("lunch", 3);
  win("lunch", 3);
  add(QuotaRaised{.campaign = "lunch", .quota = 5});
  win("lunch", 2, 4);
  add(Closed{.campaign = "lunch"});
  start();
  run(Millis(100));
  expect_dense("lunch", 5);
  EXPECT_EQ(rows("lunch")[2].coupon.quota, 3U) << "the quota in force when the ticket counted";
  EXPECT_EQ(rows("lunch")[3].coupon.quota, 5U);
  EXPECT_EQ(store_.quotas, (std::vector<std::uint32_t>{3, 5}));
  ASSERT_TRUE(store_.terms);
  EXPECT_TRUE(store_.terms->closed);
  const Progress& progress = store_.progress_of.at("lunch");
  EXPECT_EQ(progress.rank, 5U);
  EXPECT_EQ(progress.position, position_) << "up to the closing";
  EXPECT_EQ(progress.chain, standings_.find("lunch")->changes()[2].chain);
}

TEST_F(IssuerTest, over_any_second_at_most_issue_rate_rows_and_not_fewer_in_the_long_run) {
  open("lunch", 1000, 25.0);
  win("lunch", 200);
  start();
  run(Millis(4000));
  EXPECT_LE(most_in_a_second(rows("lunch")), 25U);
  EXPECT_GE(rows("lunch").size(), 90U);
  expect_dense("lunch", rows("lunch").size());
}

TEST_F(IssuerTest, a_rate_may_be_a_fraction) {
  open("lunch", 1000, 0.5);
  win("lunch", 10);
  start();
  run(Millis(10'500));
  ASSERT_EQ(rows("lunch").size(), 6U);
  for (std::size_t i = 1; i < 6; ++i) EXPECT_GE(rows("lunch")[i].at - rows("lunch")[i - 1].at, Millis(2000));
}

TEST_F(IssuerTest, campaigns_take_turns_under_the_rate_of_the_store) {
  total_rate = 20;
  open("lunch", 1000, 0.0);
  open("dinner", 1000, 0.0);
  win("lunch", 100);
  win("dinner", 100, 101);
  start();
  run(Millis(3000));
  std::vector<HandStore::Row> all = rows("lunch");
  all.insert(all.end(), rows("dinner").begin(), rows("dinner").end());
  EXPECT_LE(most_in_a_second(all), 20U);
  EXPECT_GE(all.size(), 50U);
  const auto apart = static_cast<int>(rows("lunch").size()) - static_cast<int>(rows("dinner").size());
  EXPECT_LE(std::abs(apart), 2);
}

TEST_F(IssuerTest, small_batches_do_not_starve_a_large_one_under_the_rate_of_the_store) {
  total_rate = 25;  // less than the two small ones could take together
  open("lunch", 1000, 0.0);
  open("dinner", 1000, 19.0);
  open("supper", 1000, 19.0);
  win("lunch", 500);
  win("dinner", 500, 501);
  win("supper", 500, 1001);
  start();
  run(Millis(20'000));
  std::vector<HandStore::Row> all;
  for (const char* campaign : {"lunch", "dinner", "supper"}) {
    all.insert(all.end(), rows(campaign).begin(), rows(campaign).end());
  }
  EXPECT_LE(most_in_a_second(all), 25U);
  EXPECT_GE(all.size(), 470U) << "who waits for its turn costs the store's rate little";
  // A turn is a batch, a tenth of a second's rows: two of lunch, which has the store's rate only, one of each other.
  EXPECT_NEAR(static_cast<double>(rows("lunch").size()), 240, 10);
  EXPECT_NEAR(static_cast<double>(rows("dinner").size()), 120, 10);
  EXPECT_NEAR(static_cast<double>(rows("supper").size()), 120, 10);
}

TEST_F(IssuerTest, the_rate_holds_over_an_outage_and_a_restart) {
  open("lunch", 1000, 10.0);
  win("lunch", 100);
  start();
  run(Millis(1500));
  store_.fail_writes = 3;
  run(Millis(3000));
  EXPECT_EQ(store_.fail_writes, 0);
  for (int i = 0; i < 3; ++i) {
    start();
    run(Millis(1300));
  }
  run(Millis(2000));
  EXPECT_LE(most_in_a_second(rows("lunch")), 10U);
  EXPECT_GT(rows("lunch").size(), 20U);
  expect_dense("lunch", rows("lunch").size());
}

TEST_F(IssuerTest, the_rate_holds_when_a_spare_takes_over) {
  auto spare = spare_of_a_first();
  issuer_ = std::move(spare);
  run(Millis(3000));
  EXPECT_LE(most_in_a_second(rows("lunch")), 10U);
  expect_dense("lunch", rows("lunch").size());
  EXPECT_GT(rows("lunch").size(), 20U);
}

TEST_F(IssuerTest, who_comes_to_work_counts_what_the_other_one_sent_in_vain) {
  auto spare = spare_of_a_first();
  run(*spare, Millis(3000));  // knows the last row
  const std::size_t before = rows("lunch").size();
  store_.at_work = "other";  // whose rows are undone, whenever they came
  run(*spare, Millis(1100));
  store_.at_work = "spare";
  const Uptime came = clock_.uptime();
  run(*spare, Millis(3000));
  ASSERT_GT(rows("lunch").size(), before);
  const auto first = std::ranges::find_if(store_.sent, [&](const auto& batch) { return batch.at >= came; });
  ASSERT_NE(first, store_.sent.end());
  EXPECT_GE(first->at - came, Millis(1000));
}

TEST_F(IssuerTest, the_rate_holds_when_a_commit_lands_after_its_answer_was_given_up) {
  total_rate = 30;
  for (const char* campaign : {"lunch", "dinner"}) {
    open(campaign, 5000);
    win(campaign, 5000);
  }
  start();
  run(Millis(2000));
  // From before the beat that is due anyway on; until after the end of the pause that it then makes.
  for (Millis late{900}; late < Millis(2500); late += Millis(40)) {
    store_.late_by = late;
    run(Millis(5000));
  }
  std::vector<HandStore::Row> all = rows("lunch");
  all.insert(all.end(), rows("dinner").begin(), rows("dinner").end());
  EXPECT_LE(most_in_a_second(all), 30U);
  EXPECT_GT(all.size(), 1000U);
  expect_dense("lunch", rows("lunch").size());
  expect_dense("dinner", rows("dinner").size());
}

TEST_F(IssuerTest, a_store_that_fails_shows_until_it_takes_coupons_again) {
  open("lunch", 10);
  win("lunch", 2);
  start();
  run(Millis(500));
  EXPECT_TRUE(issuer_->counters().at_work);
  win("lunch", 3, 3);
  store_.fail_writes = 3;
  EXPECT_FALSE(issuer_->trouble());
  run(Millis(100));
  EXPECT_FALSE(issuer_->counters().at_work);
  EXPECT_TRUE(issuer_->trouble());
  run(Millis(300));
  EXPECT_EQ(issuer_->counters().owed, 3U) << "measured while it fails, too";
  EXPECT_FALSE(issuer_->counters().stopped) << "it needs no person";
  run(Millis(3000));
  EXPECT_TRUE(issuer_->counters().at_work);
  EXPECT_FALSE(issuer_->trouble());
  expect_dense("lunch", 5);

  store_.fail_reads = 1;
  store_.at_work = "spare";
  run(Millis(1500));
  store_.at_work.reset();
  run(Millis(3000));
  EXPECT_TRUE(issuer_->counters().at_work) << "nothing is owed, and the store answers";
}

TEST_F(IssuerTest, a_refused_write_shows_until_the_next_one_a_missed_beat_until_the_next_beat) {
  open("lunch", 10, 1.0 / 60);
  win("lunch", 10);
  start();
  run(Millis(1000));
  ASSERT_EQ(rows("lunch").size(), 1U) << "the next one is due in a minute";
  store_.fail_beats = 1;
  run(Millis(3000));
  ASSERT_EQ(store_.fail_beats, 0);
  EXPECT_FALSE(issuer_->trouble());
  EXPECT_TRUE(issuer_->counters().at_work);
  store_.fail_writes = 1;
  run(Millis(62'000));
  ASSERT_EQ(store_.fail_writes, 0);
  EXPECT_TRUE(issuer_->trouble()) << "it answers beats, and has taken no coupon";
  EXPECT_FALSE(issuer_->counters().at_work);
  run(Millis(60'000));
  EXPECT_FALSE(issuer_->trouble());
  expect_dense("lunch", 2);
  store_.unknown_writes = 1;
  run(Millis(62'000));
  ASSERT_EQ(store_.unknown_writes, 0);
  EXPECT_FALSE(issuer_->trouble()) << "it had taken that one";
  store_.fail_writes = 1;
  run(Millis(62'000));
  ASSERT_EQ(store_.fail_writes, 0);
  store_.at_work = "other";
  run(Millis(2000));
  store_.at_work = "embedded";
  store_.fail_beats = 1;
  run(Millis(3000));
  EXPECT_FALSE(issuer_->trouble()) << "of a beat, and not of that write any more";
}

TEST_F(IssuerTest, a_refused_write_shows_until_the_store_takes_anothers_coupon) {
  open("lunch", 10, 1.0 / 60);
  open("dinner", 10);
  win("lunch", 5);
  start();
  run(Millis(1000));
  store_.fail_writes = 1;
  run(Millis(62'000));
  ASSERT_EQ(store_.fail_writes, 0);
  ASSERT_TRUE(issuer_->trouble());
  win("dinner", 1, 100);
  run(Millis(1000));
  EXPECT_FALSE(issuer_->trouble());
  store_.fail_beats = 1;
  run(Millis(3000));
  ASSERT_EQ(store_.fail_beats, 0);
  EXPECT_FALSE(issuer_->trouble());
  EXPECT_TRUE(issuer_->counters().at_work);
}

TEST_F(IssuerTest, what_the_store_has_lost_is_owed) {
  open("lunch", 10);
  win("lunch", 2);
  start();
  run(Millis(1000));
  ASSERT_EQ(issuer_->counters().owed, 0U);
  store_.progress_of.clear();
  store_.coupons_of.clear();
  store_.fail_writes = 1000;
  run(Millis(15'000));
  EXPECT_EQ(issuer_->counters().owed, 2U);
}

TEST_F(IssuerTest, what_is_owed_shows_when_the_issuer_has_stopped) {
  open("lunch", 10, 1.0 / 60);
  win("lunch", 3);
  start();
  run(Millis(1500));
  ASSERT_EQ(issuer_->counters().owed, 2U);
  store_.id = InstallationId{9};
  run(Millis(20'000));
  ASSERT_TRUE(issuer_->counters().stopped);
  EXPECT_EQ(issuer_->counters().owed, 2U);
}

TEST_F(IssuerTest, a_slow_store_is_filled_slowly) {
  total_rate = 1000;
  open("lunch", 1000, 100.0);
  open("dinner", 1000, 0.5);
  win("lunch", 1000);
  win("dinner", 10, 1001);
  store_.each_takes = Millis(700);  // a beat and a read of the progress: longer than a beat may be late
  start();
  run(Millis(120'000));
  EXPECT_GT(rows("lunch").size(), 100U);
  EXPECT_GT(rows("dinner").size(), 5U);
}

TEST_F(IssuerTest, what_is_owed_shows_while_a_write_hangs) {
  open("lunch", 10);
  start();
  run(Millis(50));
  ASSERT_EQ(issuer_->counters().owed, 0U);
  win("lunch", 3);
  std::uint64_t owed = 0;
  store_.on_write = [&] { owed = issuer_->counters().owed; };
  run(Millis(50));
  EXPECT_EQ(owed, 3U);
  expect_dense("lunch", 3);
}

TEST_F(IssuerTest, a_spare_whose_store_was_away_tries_again_as_soon_as_one_that_never_was) {
  open("lunch", 10);
  win("lunch", 3);
  store_.at_work = "other";
  start({.holder = "spare"});
  store_.fail_beats = 8;
  run(Millis(40'000));
  ASSERT_EQ(store_.fail_beats, 0);
  store_.fail_beats = 1;
  while (store_.fail_beats > 0) run(Millis(1));
  store_.at_work = "spare";  // the other one's beat is old
  run(Millis(200));
  expect_dense("lunch", 3);
}

TEST_F(IssuerTest, who_is_the_spare_is_told_at_its_start_and_when_it_changes) {
  const auto told = [this](Millis time) {
    testing::internal::CaptureStderr();
    run(time);
    return testing::internal::GetCapturedStderr();
  };
  const auto count = [](const std::string& log, std::string_view what) {
    std::size_t times = 0;
    for (auto at = log.find(what); at != std::string::npos; at = log.find(what, at + 1)) ++times;
    return times;
  };
  store_.at_work = "other";
  start({.holder = "second"});
  const std::string at_start = told(Millis(3000));
  EXPECT_EQ(count(at_start, "issuer waits as a spare: another one is at work"), 1U) << at_start;
  EXPECT_NE(at_start.find("second"), std::string::npos) << at_start;
  store_.at_work = "second";
  const std::string later = told(Millis(3000));
  EXPECT_EQ(count(later, "issuer at work"), 1U) << later;
  EXPECT_EQ(count(later, "spare"), 0U) << later;
}

TEST_F(IssuerTest, a_spare_owes_nothing) {
  open("lunch", 10);
  win("lunch", 2);
  start({.holder = "spare"});
  store_.at_work = "first";
  run(Millis(3000));
  EXPECT_EQ(issuer_->counters().owed, 0U) << "else an alarm would go off wherever there is a spare";
  EXPECT_EQ(issuer_->counters().owed_since_ms, 0);
  store_.at_work = "spare";
  store_.fail_writes = 100;
  run(Millis(2000));
  EXPECT_EQ(issuer_->counters().owed, 2U) << "it took over";
}

TEST_F(IssuerTest, a_lost_fence_means_read_again_and_go_on) {
  open("lunch", 10);
  win("lunch", 2);
  start();
  run(Millis(10));
  // Somebody else writes rank 3.
  win("lunch", 1, 3);
  Issuer other(standings_, store_, journal_, clock_, {.issue_rate_total = 0});
  ASSERT_TRUE(other.check());
  clock_.move_to(clock_.uptime() + Millis(1));
  other.step();
  expect_dense("lunch", 3);
  win("lunch", 1, 4);
  run(Millis(50));
  EXPECT_EQ(issuer_->counters().fences_lost.load(), 1U);
  run(Millis(3000));
  expect_dense("lunch", 4);
}

TEST_F(IssuerTest, an_unknown_commit_is_read_again_never_assumed) {
  open("lunch", 10);
  win("lunch", 3);
  start();
  store_.unknown_writes = 1;
  const int reads = store_.reads;
  run(Millis(2000));
  EXPECT_GT(store_.reads, reads);
  expect_dense("lunch", 3);
  win("lunch", 3, 4);
  store_.fail_writes = 2;
  run(Millis(5000));
  expect_dense("lunch", 6);
  EXPECT_EQ(issuer_->counters().faults.load(), 3U);
}

TEST_F(IssuerTest, after_an_unknown_commit_nothing_is_written_before_a_beat) {
  open("lunch", 10);
  win("lunch", 3);
  store_.unknown_writes = 1;
  start();
  run(Millis(50));
  win("lunch", 3, 4);
  run(Millis(900));
  ASSERT_EQ(store_.sent.size(), 2U);
  ASSERT_LT(store_.sent[1].at - store_.sent[0].at, Millis(1000)) << "no beat would be due";
  EXPECT_EQ(store_.sent[1].beats, store_.sent[0].beats + 1);
}

TEST_F(IssuerTest, a_refused_row_is_found_by_halving_and_parked) {
  open("lunch", 100);
  win("lunch", 50);
  store_.poison = {"u33"};
  start();
  run(Millis(3000));
  EXPECT_EQ(rows("lunch").size(), 49U);
  ASSERT_EQ(store_.parked_now.size(), 1U);
  EXPECT_EQ(store_.parked_now[0].coupon.rank, 33U);
  EXPECT_EQ(store_.parked_now[0].reason, "value too long");
  EXPECT_EQ(store_.progress_of.at("lunch").rank, 50U) << "parked counts as done";
  EXPECT_EQ(issuer_->counters().parked.load(), 1U);

  const auto refused = issuer_->retry(store_.parked_now[0].number);
  ASSERT_TRUE(refused);
  EXPECT_TRUE(std::holds_alternative<RowRefused>(*refused));
  store_.poison.clear();
  const auto retried = issuer_->retry(store_.parked_now[0].number);
  ASSERT_TRUE(retried);
  EXPECT_TRUE(std::holds_alternative<Committed>(*retried));
  EXPECT_EQ(rows("lunch").size(), 50U);
  EXPECT_FALSE(issuer_->retry(99));
}

TEST_F(IssuerTest, a_refused_row_is_found_however_often_the_store_is_read_meanwhile) {
  open("lunch", 1000, 1000.0);
  win("lunch", 200);
  store_.poison = {"u1", "u101"};
  store_.each_takes = Millis(150);  // with one parked the store is read every second
  start();
  run(Millis(60'000));
  EXPECT_EQ(store_.parked_now.size(), 2U);
  EXPECT_EQ(rows("lunch").size(), 198U);
}

TEST_F(IssuerTest, rows_that_were_refused_with_their_batch_count_against_the_rate) {
  open("lunch", 1000, 100.0);
  win("lunch", 200);
  store_.poison = {"u15"};
  start();
  run(Millis(5000));
  std::size_t most = 0;
  for (const auto& first : store_.sent) {
    std::size_t in_a_second = 0;
    for (const auto& batch : store_.sent) {
      if (batch.at >= first.at && batch.at - first.at < Millis(1000)) in_a_second += batch.rows;
    }
    most = std::max(most, in_a_second);
  }
  EXPECT_LE(most, 100U);
  EXPECT_EQ(rows("lunch").size(), 199U);
  EXPECT_EQ(store_.parked_now.size(), 1U);
}

TEST_F(IssuerTest, who_comes_to_work_and_how_far_the_store_is_can_be_watched) {
  open("lunch", 10);
  open("dinner", 10);
  win("lunch", 3);
  win("dinner", 2, 4);
  store_.at_work = "other";
  start({.holder = "spare"});
  EXPECT_EQ(issuer_->counters().beat_ms, -1);
  run(Millis(3000));
  EXPECT_EQ(issuer_->counters().take_overs, 0U);
  EXPECT_GE(issuer_->counters().beat_ms, (clock_.uptime() - Millis(1500)).count()) << "a spare asks, too";
  store_.at_work = "spare";
  run(Millis(3000));
  EXPECT_EQ(issuer_->counters().take_overs, 1U);
  EXPECT_EQ(issuer_->counters().rank, 5U);
}

TEST_F(IssuerTest, too_many_parked_stop_their_campaign_only) {
  open("lunch", 100);
  open("dinner", 100);
  win("lunch", 20);
  win("dinner", 20, 21);
  for (int i = 1; i <= 20; ++i) store_.poison.insert("u" + std::to_string(i));
  start({.parked_max = 3});
  run(Millis(3000));
  EXPECT_EQ(store_.parked_now.size(), 4U);
  EXPECT_EQ(store_.progress_of.at("lunch").rank, 4U);
  EXPECT_EQ(issuer_->counters().stopped_campaigns.load(), 1U);
  expect_dense("dinner", 20);

  start({.parked_max = 3});
  run(Millis(3000));
  EXPECT_EQ(store_.parked_now.size(), 4U) << "still stopped after a restart";
  store_.poison.clear();
  ASSERT_TRUE(issuer_->retry(store_.parked_now[0].number));
  run(Millis(3000));
  EXPECT_EQ(rows("lunch").size() + store_.parked_now.size(), 20U);
}

TEST_F(IssuerTest, with_promise_store_the_journal_is_told_and_told_again) {
  open("lunch", 10, 0, Promise::store);
  win("lunch", 5);
  store_.poison = {"u2"};
  start();
  run(Millis(1500));
  ASSERT_FALSE(journal_.appended.empty());
  const Issued told{.campaign = "lunch", .rank = 5, .parked = {2}};
  EXPECT_EQ(std::get<Issued>(journal_.appended.back()), told);
  const std::size_t appended = journal_.appended.size();
  run(Millis(2500));  // it is not seen
  EXPECT_EQ(journal_.appended.size(), appended + 1);
  EXPECT_EQ(std::get<Issued>(journal_.appended.back()), told);
  add(journal_.appended.back());
  run(Millis(5000));
  EXPECT_EQ(journal_.appended.size(), appended + 1) << "seen: nothing more to tell";
  store_.poison.clear();
  ASSERT_TRUE(issuer_->retry(1));
  EXPECT_EQ(std::get<Issued>(journal_.appended.back()).parked.size(), 0U);
}

TEST_F(IssuerTest, a_retry_with_an_unknown_outcome_is_read_again) {
  open("lunch", 10, 0, Promise::store);
  win("lunch", 5);
  store_.poison = {"u2"};
  start();
  run(Millis(1500));
  add(journal_.appended.back());
  store_.poison.clear();
  store_.unknown_writes = 1;
  EXPECT_FALSE(issuer_->retry(1));
  run(Millis(3000));
  EXPECT_EQ(std::get<Issued>(journal_.appended.back()).parked.size(), 0U) << "the winner is no longer parked";
}

TEST_F(IssuerTest, a_retry_counts_against_the_rate) {
  open("lunch", 10, 1.0);
  win("lunch", 3);
  store_.poison = {"u1"};
  start();
  run(Millis(2500));
  store_.poison.clear();
  const auto before = rows("lunch").size();
  ASSERT_TRUE(issuer_->retry(1));
  run(Millis(1000));
  EXPECT_EQ(rows("lunch").size(), before + 1) << "what is due waits for a second after the retry";
  run(Millis(3000));
  EXPECT_EQ(rows("lunch").size(), 3U);
}

TEST_F(IssuerTest, a_store_that_is_written_anew_tells_no_old_news) {
  open("lunch", 10, 1.0, Promise::store);
  win("lunch", 5);
  add(Issued{.campaign = "lunch", .rank = 5, .parked = {}});
  store_.poison = {"u2"};
  start();
  run(Millis(20'000));
  EXPECT_EQ(rows("lunch").size(), 4U);
  EXPECT_TRUE(journal_.appended.empty());
}

TEST_F(IssuerTest, a_store_of_another_journal_is_refused) {
  open("lunch", 10);
  store_.id = InstallationId{9};
  issuer_ = std::make_unique<Issuer>(standings_, store_, journal_, clock_, IssuerSettings{});
  const auto checked = issuer_->check();
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, FaultKind::misconfigured);
  run(Millis(10'000));
  EXPECT_TRUE(store_.progress_of.empty());
}

TEST_F(IssuerTest, a_store_ahead_of_the_journal_or_with_another_chain_is_refused) {
  open("lunch", 10);
  win("lunch", 3);
  start();
  run(Millis(100));
  const Progress written = store_.progress_of.at("lunch");
  const auto expect_refused = [&](const char* words) {
    Issuer issuer(standings_, store_, journal_, clock_, {});
    const auto checked = issuer.check();
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().kind, FaultKind::corrupt);
    EXPECT_NE(checked.error().what.find(words), std::string::npos) << checked.error().what;
  };
  store_.progress_of["lunch"].position += 5;
  expect_refused("ahead of the journal");
  store_.progress_of["lunch"] = written;
  store_.progress_of["lunch"].chain[0] ^= 1;
  expect_refused("not that of this journal");
  store_.progress_of["lunch"] = written;
  store_.progress_of["lunch"].rank -= 1;
  expect_refused("not that of this journal");
  store_.progress_of["lunch"] = written;
  store_.progress_of["supper"] = {.campaign = "supper", .position = 1};
  expect_refused("does not know");
}

TEST_F(IssuerTest, a_removed_store_is_written_anew_from_the_first_entry) {
  open("lunch", 10);
  win("lunch", 3);
  start();
  run(Millis(100));
  store_.id.reset();
  store_.progress_of.clear();
  store_.coupons_of.clear();
  store_.at_work.reset();
  win("lunch", 1, 4);
  run(Millis(3000));
  expect_dense("lunch", 4);
  EXPECT_EQ(store_.id, InstallationId{7});
}

TEST_F(IssuerTest, a_store_that_was_set_back_while_nothing_was_due_is_filled_again) {
  open("lunch", 10);
  win("lunch", 2);
  start();
  run(Millis(100));
  const auto coupons = store_.coupons_of;
  const auto progress = store_.progress_of;
  win("lunch", 1, 3);
  run(Millis(100));
  expect_dense("lunch", 3);
  store_.coupons_of = coupons;
  store_.progress_of = progress;
  run(Millis(12'000));
  expect_dense("lunch", 3);
}

TEST_F(IssuerTest, who_is_behind_another_issuer_waits_for_the_journal_and_goes_on) {
  Issuer spare = spare_that_is_behind();
  store_.at_work = "spare";
  ASSERT_TRUE(spare.check());
  run(spare, Millis(30'000));
  EXPECT_FALSE(spare.counters().stopped) << "nobody has said that the journal has no more";
  spare.heard();
  spare.heard();
  run(spare, Millis(30'000));
  EXPECT_FALSE(spare.counters().stopped);
  spare.heard();
  run(spare, Millis(30'000));
  EXPECT_TRUE(spare.counters().stopped) << "the journal was read to its end, and the store is ahead of it";
}

TEST_F(IssuerTest, who_is_behind_with_one_campaign_holds_back_no_other_one_for_it) {
  const auto both = [this](const Entry& entry) {
    add(entry);
    behind_.apply({position_, clock_.now(), entry});
  };
  both(Opened{.campaign = "zzz", .name = {}, .quota = 10, .issue_rate = 1.0 / 60});
  both(Ticket{.campaign = "zzz", .user = "u1", .code = {1}});
  both(Ticket{.campaign = "zzz", .user = "u2", .code = {2}});
  Issuer late(behind_, store_, journal_, clock_, {.holder = "late", .issue_rate_total = 0, .is_alone = false});
  run(late, Millis(1000));
  ASSERT_EQ(rows("zzz").size(), 1U) << "the next one is due in a minute";
  const Opened aaa{.campaign = "aaa", .name = {}, .quota = 1, .issue_rate = 0};
  const Time added = clock_.now();
  add(aaa);
  start({.holder = "other"});
  store_.at_work = "other";
  run(Millis(1000));
  ASSERT_TRUE(store_.progress_of.contains("aaa"));
  store_.at_work = "late";  // who has not noticed
  clock_.move_to(clock_.uptime() + Millis(70'000));
  late.step();
  ASSERT_TRUE(late.trouble());
  clock_.move_to(clock_.uptime() + Millis(300));
  late.step();
  EXPECT_EQ(late.counters().owed, 1U);
  behind_.apply({position_, added, aaa});
  run(late, Millis(5000));
  EXPECT_EQ(rows("zzz").size(), 2U) << "nobody had written there";
}

TEST_F(IssuerTest, who_is_behind_believes_only_what_was_heard_before_he_looked) {
  Issuer spare = spare_that_is_behind();
  store_.at_work = "spare";
  ASSERT_TRUE(spare.check());
  store_.on_read = [&] {
    for (int i = 0; i < 3; ++i) spare.heard();
  };
  spare.step();
  store_.on_read = {};
  EXPECT_FALSE(spare.counters().stopped) << "the journal came while it looked";
  clock_.move_to(clock_.uptime() + Millis(5000));
  spare.step();
  EXPECT_TRUE(spare.counters().stopped);
}

TEST_F(IssuerTest, a_spare_that_was_behind_at_its_start_may_be_behind_once_more) {
  Issuer spare = spare_that_is_behind();
  ASSERT_TRUE(spare.check());
  for (std::uint32_t user = 3; user <= 5; ++user) {
    store_.at_work.reset();
    win("lunch", 1, user);
    run(Millis(3000));                            // the other one writes
    for (int i = 0; i < 100; ++i) spare.heard();  // as of long ago
    store_.at_work = "spare";
    run(spare, Millis(30'000));
    EXPECT_FALSE(spare.counters().stopped) << "that row it sees for the first time";
  }
}

TEST_F(IssuerTest, a_spare_writes_nothing_until_it_is_at_work) {
  open("lunch", 10);
  win("lunch", 3);
  store_.at_work = "the other one";
  start({.holder = "spare"});
  run(Millis(5000));
  EXPECT_TRUE(rows("lunch").empty());
  EXPECT_FALSE(issuer_->counters().at_work.load());
  store_.at_work.reset();
  run(Millis(5000));
  expect_dense("lunch", 3);
}

}  // namespace
}  // namespace firstcome
