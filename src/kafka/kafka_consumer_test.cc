// Proves that a question to a broker that goes away ends in time.
#include "kafka/kafka_consumer.h"

#include <gtest/gtest.h>

#include <array>

#include "kafka/fake_broker.h"

namespace firstcome::kafka {
namespace {

TEST(Consumer, asks_no_longer_than_it_was_told_to_when_the_broker_goes_away) {
  FakeBroker broker;
  auto consumer = Consumer::open({.brokers = broker.address(), .options = {}, .password = {}}, "journal").value();
  constexpr std::array<std::uint32_t, 1> first{0};
  const auto ends = consumer.ends(first, Millis(10'000));
  ASSERT_TRUE(ends) << ends.error().what;
  EXPECT_EQ(ends->at(0), 0);
  EXPECT_EQ(consumer.begins(first, Millis(10'000)).value().at(0), 0);
  broker.go_away();
  SystemClock clock;
  const Uptime before = clock.uptime();
  EXPECT_FALSE(consumer.begins(first, Millis(500)));
  EXPECT_FALSE(consumer.ends(first, Millis(500)));
  EXPECT_LT(clock.uptime() - before, Millis(5000));
}

}  // namespace
}  // namespace firstcome::kafka
