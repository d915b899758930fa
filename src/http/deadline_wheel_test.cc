#include "http/deadline_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace firstcome::http {
namespace {

/// Against a map of deadlines: nobody early, nobody late by more than a step, nobody twice.
TEST(DeadlineWheel, tells_every_deadline_in_its_step) {
  constexpr Millis step{10};
  DeadlineWheel wheel(step, 16);  // the ring is 160 ms; deadlines go far beyond it
  std::map<std::uint32_t, Uptime> wanted;
  std::map<std::uint32_t, Uptime> told_at;
  std::mt19937 random(7);
  Uptime now{1000};
  wheel.advance(now, [](std::uint32_t) {});
  for (int turn = 0; turn < 20'000; ++turn) {
    const std::uint32_t id = random() % 40;
    if (random() % 3 == 0) {
      wheel.remove(id);
      wanted.erase(id);
    } else {
      wanted[id] = now + Millis{random() % 600};
      told_at[id] = wheel.schedule(id, wanted[id]);
    }
    now += Millis{random() % (turn % 1000 == 0 ? 1000 : 15)};
    wheel.advance(now, [&](std::uint32_t due) {
      ASSERT_TRUE(wanted.contains(due));
      EXPECT_LE(told_at[due], now);
      if (wanted[due] > now) {
        told_at[due] = wheel.schedule(due, wanted[due]);
        EXPECT_GT(told_at[due], now - step);
      } else {
        wanted.erase(due);
      }
    });
    for (const auto& [waiting, at] : wanted) EXPECT_GT(at + 2 * step, now) << waiting << " was not told";
  }
}

}  // namespace
}  // namespace firstcome::http
