// An issuer at work stood still for seconds; the spare took over, wrote, and died; the first went on as if it had been
// alone, so that within one second both wrote at the full rate of the store. Found by the simulation (an issuer paused
// inside a write, and the store's clock put forward).
#include <gtest/gtest.h>

#include <algorithm>

#include "issuer/hand_store.h"
#include "issuer/issuer.h"

namespace firstcome {
namespace {

TEST(Regress, rate_after_standing_still) {
  hand::HandClock clock;
  hand::HandJournal journal;
  hand::HandStore store(clock);
  Standings standings(0, 8);
  Position position = 0;
  const auto add = [&](Entry entry) { standings.apply({++position, clock.now(), std::move(entry)}); };
  const auto win = [&](const char* campaign, int from) {
    for (int i = from; i < from + 60; ++i) {
      add(Ticket{.campaign = campaign, .user = "u" + std::to_string(i), .code = {static_cast<std::uint8_t>(i)}});
    }
  };
  add(Installation{.id = {7}});
  for (const char* const campaign : {"dinner", "lunch"}) {
    add(Opened{.campaign = campaign, .name = {}, .quota = 100, .issue_rate = 0});
  }
  constexpr double rate = 10;
  Issuer first(standings, store, journal, clock, {.holder = "first", .issue_rate_total = rate});
  Issuer spare(standings, store, journal, clock, {.holder = "spare", .issue_rate_total = rate});
  const auto run = [&](Issuer& issuer, Millis during) {
    for (const Uptime end = clock.uptime() + during; clock.uptime() < end;) {
      clock.move_to(std::min(end, std::max(issuer.step(), clock.uptime() + Millis(1))));
    }
  };
  run(first, Millis(1500));
  win("lunch", 1);
  store.at_work = "spare";
  run(spare, Millis(5000));
  ASSERT_GT(store.coupons_of["lunch"].size(), 10U);
  win("dinner", 101);
  store.at_work = "first";
  run(first, Millis(3000));
  ASSERT_GT(store.coupons_of["dinner"].size(), 0U);

  std::vector<Uptime> times;
  for (const char* const campaign : {"dinner", "lunch"}) {
    for (const auto& row : store.coupons_of[campaign]) times.push_back(row.at);
  }
  std::ranges::sort(times);
  for (std::size_t i = 10; i < times.size(); ++i) EXPECT_GE(times[i] - times[i - 10], Millis(1000));
}

}  // namespace
}  // namespace firstcome
