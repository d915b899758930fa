// Over any second no more rows than the rate allows, whatever the batches are, and in the long run not fewer.
#include "issuer/pace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace firstcome {
namespace {

struct Sent {
  Uptime at;
  std::size_t rows;
};

/// Sends batches of up to batch_rows() as soon as the pace lets them go.
std::vector<Sent> send(double rate, Millis during, bool random_sizes) {
  std::minstd_rand dice(7);
  Pace pace;
  std::vector<Sent> sent;
  for (Uptime now{0}; now < during; ++now) {
    const std::size_t most = Pace::batch_rows(rate);
    if (pace.due(most, rate) > now) continue;
    const std::size_t rows = random_sizes ? 1 + dice() % most : most;
    pace.spend(rows, rate, now);
    sent.push_back({now, rows});
  }
  return sent;
}

std::size_t most_in_a_second(const std::vector<Sent>& sent) {
  std::size_t most = 0;
  for (std::size_t from = 0; from < sent.size(); ++from) {
    std::size_t rows = 0;
    for (std::size_t i = from; i < sent.size() && sent[i].at - sent[from].at <= Millis(1000); ++i) rows += sent[i].rows;
    most = std::max(most, rows);
  }
  return most;
}

class PaceTest : public testing::TestWithParam<double> {};

TEST_P(PaceTest, over_any_second_at_most_the_rate) {
  for (const bool random_sizes : {false, true}) {
    const auto sent = send(GetParam(), Millis(20'000), random_sizes);
    EXPECT_LE(static_cast<double>(most_in_a_second(sent)), std::max(1.0, std::ceil(GetParam())));
  }
}

TEST_P(PaceTest, in_the_long_run_the_rate_is_reached) {
  std::size_t rows = 0;
  for (const Sent& batch : send(GetParam(), Millis(20'000), false)) rows += batch.rows;
  EXPECT_GE(static_cast<double>(rows), 0.9 * 20 * GetParam() - 1);
}

INSTANTIATE_TEST_SUITE_P(Rates, PaceTest, testing::Values(0.25, 1.0, 2.5, 7.0, 25.0, 99.0, 1000.0, 3333.3));

TEST(PaceTest, unlimited_never_waits) {
  Pace pace;
  pace.spend(1000, 0, Uptime(5));
  EXPECT_EQ(pace.due(1000, 0), Uptime(0));
}

TEST(PaceTest, held_back_for_a_second_or_as_long_as_one_row_needs) {
  Pace pace;
  pace.hold_back(100, Uptime(0));
  EXPECT_GT(pace.due(10, 100), Uptime(1000));
  Pace slow;
  slow.hold_back(0.25, Uptime(0));
  EXPECT_EQ(slow.due(1, 0.25), Uptime(4000));
}

TEST(PaceTest, a_rate_beyond_every_integer_is_a_rate) {
  EXPECT_EQ(Pace::batch_rows(1e300), 1000U);
  Pace pace;
  pace.spend(1, 1e-300, Uptime(0));
  EXPECT_EQ(pace.due(1, 1e-300), Uptime(1'000'000'000'000)) << "30 years";
}

}  // namespace
}  // namespace firstcome
