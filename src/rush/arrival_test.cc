// When and in which order users arrive: the same for the same seed, at the rate that was asked for, each user and each
// repeat once.
#include "rush/arrival.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace firstcome::rush {
namespace {

std::vector<std::int64_t> times(Schedule schedule, int count) {
  std::vector<std::int64_t> all;
  for (int i = 0; i < count; ++i) all.push_back(schedule.next_us());
  return all;
}

TEST(Schedule, without_a_rate_all_are_meant_for_the_start) {
  for (const auto shape : {Arrival::step, Arrival::ramp, Arrival::poisson})
    EXPECT_EQ(times(Schedule(shape, 0, 10, 1), 3), (std::vector<std::int64_t>{0, 0, 0}));
}

TEST(Schedule, a_step_is_even) {
  EXPECT_EQ(times(Schedule(Arrival::step, 1'000, 0, 1), 4), (std::vector<std::int64_t>{0, 1'000, 2'000, 3'000}));
}

TEST(Schedule, a_ramp_grows_evenly_and_then_stays) {
  // 1,000/s after 10 s: 5,000 claims in the ramp, a quarter of them in its first half.
  const auto all = times(Schedule(Arrival::ramp, 1'000, 10, 1), 6'001);
  const auto before = [&](std::int64_t us) { return std::ranges::lower_bound(all, us) - all.begin(); };
  EXPECT_NEAR(static_cast<double>(before(5'000'000)), 1'250, 2);
  EXPECT_NEAR(static_cast<double>(before(10'000'000)), 5'000, 2);
  EXPECT_NEAR(static_cast<double>(before(10'500'000)), 5'500, 2);
  EXPECT_TRUE(std::ranges::is_sorted(all));
}

TEST(Schedule, poisson_has_the_rate_and_the_spread_of_independent_arrivals) {
  const auto all = times(Schedule(Arrival::poisson, 1'000, 0, 3), 100'000);
  EXPECT_TRUE(std::ranges::is_sorted(all));
  EXPECT_NEAR(static_cast<double>(all.back()) / 1e6, 100, 2);  // the deviation is 0.3 s
  double squares = 0;
  for (std::size_t i = 1; i < all.size(); ++i) squares += std::pow(static_cast<double>(all[i] - all[i - 1]) - 1'000, 2);
  EXPECT_NEAR(std::sqrt(squares / 1e5), 1'000, 30);  // gaps deviate by as much as they last
}

TEST(Schedule, a_seed_reproduces_it) {
  EXPECT_EQ(times(Schedule(Arrival::poisson, 50, 0, 3), 100), times(Schedule(Arrival::poisson, 50, 0, 3), 100));
  EXPECT_NE(times(Schedule(Arrival::poisson, 50, 0, 3), 100), times(Schedule(Arrival::poisson, 50, 0, 4), 100));
}

TEST(ArrivalOrder, everybody_once_and_some_twice) {
  const auto order = arrival_order(10'000, 0.2, 1);
  EXPECT_NEAR(static_cast<double>(order.size()), 12'000, 200);
  std::vector<int> seen(10'000);
  std::uint32_t next = 0;
  for (const auto user : order) {
    if (++seen[user] == 1) EXPECT_EQ(user, next++) << "first claims come in the order of the users";
  }
  EXPECT_EQ(next, 10'000u);
  EXPECT_EQ(std::ranges::max(seen), 2);
}

TEST(ArrivalOrder, no_repeat_and_all_repeat) {
  EXPECT_EQ(arrival_order(3, 0, 1), (std::vector<std::uint32_t>{0, 1, 2}));
  EXPECT_EQ(arrival_order(3, 1, 1).size(), 6u);
  EXPECT_TRUE(arrival_order(0, 1, 1).empty());
}

TEST(Arrival, is_spelled_as_it_is_read) {
  for (const auto shape : {Arrival::step, Arrival::ramp, Arrival::poisson})
    EXPECT_EQ(parse_arrival(to_string(shape)), shape);
  EXPECT_FALSE(parse_arrival("flood"));
}

}  // namespace
}  // namespace firstcome::rush
