// A parked coupon was retried through the spare's node. The issuer at work kept its own list of parked coupons, so for
// it the coupon stayed parked: the campaign stayed stopped, and with promise = "store" its winner was told pending for
// ever. Found by the simulation, with two nodes, a poisoned row and parked_max = 0.
#include <gtest/gtest.h>

#include <algorithm>

#include "issuer/hand_store.h"
#include "issuer/issuer.h"

namespace firstcome {
namespace {

TEST(Regress, retry_through_the_spare) {
  hand::HandClock clock;
  hand::HandJournal journal;
  hand::HandStore store(clock);
  Standings standings(0, 8);
  Position position = 0;
  const auto add = [&](Entry entry) { standings.apply({++position, clock.now(), std::move(entry)}); };
  add(Installation{.id = {7}});
  add(Opened{.campaign = "lunch", .name = {}, .quota = 3, .issue_rate = 0, .promise = Promise::store});
  for (const char* const user : {"alice", "bob", "carol"}) add(Ticket{.campaign = "lunch", .user = user, .code = {}});

  const IssuerSettings at_work{.holder = "first", .issue_rate_total = 0, .parked_max = 0};
  Issuer first(standings, store, journal, clock, at_work);
  Issuer spare(standings, store, journal, clock, {.holder = "spare"});
  const auto run = [&](Millis during) {
    for (const Uptime end = clock.uptime() + during; clock.uptime() < end;) {
      clock.move_to(std::min(end, std::max(first.step(), clock.uptime() + Millis(1))));
    }
  };
  store.poison = {"alice"};
  run(Millis(1500));
  ASSERT_EQ(first.counters().stopped_campaigns.load(), 1U);

  store.poison.clear();
  ASSERT_TRUE(spare.retry(store.parked_now.front().number));
  run(Millis(3000));
  EXPECT_EQ(store.coupons_of["lunch"].size(), 3U) << "the campaign goes on";
  EXPECT_EQ(journal.appended.back(), Entry(Issued{.campaign = "lunch", .rank = 3, .parked = {}}));
}

}  // namespace
}  // namespace firstcome
