// The crowd asks in the order of the intended times, whether it is a first claim or a retry, and nobody is forgotten.
#include "rush/crowd.h"

#include <gtest/gtest.h>

namespace firstcome::rush {
namespace {

/// Users 0, 1, 2 arrive at 0, 1,000 and 2,000 µs after the start.
class CrowdTest : public testing::Test {
 protected:
  CrowdTest() { crowd.start(5'000); }

  Crowd::Due send() {
    const auto due = crowd.earliest().value();
    crowd.sent(due);
    return due;
  }

  Crowd crowd{{0, 1, 2}, Schedule(Arrival::step, 1'000, 0, 1)};
};

TEST_F(CrowdTest, arrives_at_its_times) {
  for (std::uint32_t user = 0; user < 3; ++user) {
    const auto due = send();
    EXPECT_EQ(due.asking, user);
    EXPECT_EQ(due.intended_us, 5'000 + 1'000 * user);
    EXPECT_EQ(crowd[user].first_us, due.intended_us);
    EXPECT_EQ(crowd[user].attempts, 1);
  }
  EXPECT_FALSE(crowd.earliest());
}

TEST_F(CrowdTest, a_retry_comes_between_arrivals_at_its_time) {
  send();
  crowd.again(0, 6'500);
  EXPECT_EQ(send().asking, 1u);
  const auto retry = send();
  EXPECT_EQ(retry.asking, 0u);
  EXPECT_EQ(retry.intended_us, 6'500);
  EXPECT_EQ(crowd[0].attempts, 2);
  EXPECT_EQ(crowd[0].first_us, 5'000) << "the first intended time stays";
  EXPECT_EQ(send().asking, 2u);
  EXPECT_FALSE(crowd.earliest());
}

TEST_F(CrowdTest, retries_go_on_after_the_last_arrival) {
  for (int i = 0; i < 3; ++i) send();
  crowd.again(2, 9'000);
  crowd.again(1, 8'000);
  EXPECT_EQ(send().asking, 1u);
  EXPECT_EQ(send().asking, 2u);
  EXPECT_FALSE(crowd.earliest());
}

TEST_F(CrowdTest, who_is_passed_over_goes_first_when_taken_back) {
  crowd.pass_over(crowd.earliest().value());
  EXPECT_EQ(crowd.arrived(), 0u) << "it has not asked";
  EXPECT_EQ(send().asking, 1u);
  crowd.take_back();
  const auto due = send();
  EXPECT_EQ(due.asking, 0u);
  EXPECT_EQ(due.intended_us, 5'000) << "its time does not move";
  EXPECT_EQ(crowd[0].first_us, 5'000);
  EXPECT_EQ(send().asking, 2u);
  EXPECT_EQ(crowd.arrived(), 3u);
  EXPECT_FALSE(crowd.earliest());
}

TEST_F(CrowdTest, who_has_not_asked_cannot_ask_again) { EXPECT_DEATH(crowd.again(0, 1), "asked"); }

TEST_F(CrowdTest, who_has_ended_cannot_ask_again) {
  send();
  crowd[0].ended = true;
  EXPECT_DEATH(crowd.again(0, 1), "asked");
}

}  // namespace
}  // namespace firstcome::rush
