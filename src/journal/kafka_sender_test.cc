// Proves, on a broker that breaks producers when the test wants, that the sender sends a ticket once more and nothing
// else, whenever the report of the broken producer comes.
#include "journal/kafka_sender.h"

#include <gtest/gtest.h>

#include <set>

#include "kafka/fake_broker.h"
#include "kafka/kafka_consumer.h"

namespace firstcome {
namespace {

const Ticket ticket{.campaign = "lunch", .user = "alice", .code = {}};

class KafkaSenderTest : public testing::Test {
 protected:
  KafkaSenderTest()
      : place_{.access = {.brokers = broker_.address(), .options = {}, .password = {}}, .topic = "journal"} {}

  /// A sender that sent this one entry, and has ended.
  std::unique_ptr<KafkaSender> send(const Entry& entry, std::uint64_t node = 1) {
    auto sender = KafkaSender::open({.place = place_,
                                     .clock = clock_,
                                     .node = node,
                                     .append_entries_max = 100,
                                     .append_ms_max = Millis(10'000)})
                      .value();
    EXPECT_TRUE(sender->send(0, entry, {.author = 0, .number = 7}));
    sender->close();
    sender->stop();
    return sender;
  }

  /// The nodes whose messages stand in the topic, once for each message.
  std::multiset<std::uint64_t> nodes(std::size_t count) {
    auto consumer = kafka::Consumer::open(place_.access, place_.topic).value();
    EXPECT_TRUE(consumer.assign({{0, 0}}));
    std::multiset<std::uint64_t> nodes;
    const Uptime until = clock_.uptime() + Millis(10'000);
    while (nodes.size() < count && clock_.uptime() < until) {
      const auto polled = consumer.poll(Millis(100), count, [&](const kafka::Message& message) {
        nodes.insert(KafkaKey::of(message.key).value().node);
      });
      EXPECT_TRUE(polled) << polled.error().what;
    }
    return nodes;
  }

  SystemClock clock_;
  kafka::FakeBroker broker_;
  const KafkaPlace place_;
};

// The report comes before the sender has seen that the producer broke, or while it replaces it: in half of the rounds
// or more the former.
TEST_F(KafkaSenderTest, a_ticket_whose_producer_breaks_is_sent_once_more) {
  constexpr std::uint64_t rounds = 50;
  std::multiset<std::uint64_t> all;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    broker_.break_next_batch();
    const auto sender = send(ticket, round);
    ASSERT_EQ(sender->stats().producers, 1U) << round;
    ASSERT_EQ(sender->stats().sent_again, 1U) << round;
    ASSERT_EQ(sender->stats().unknown + sender->stats().failed, 0U) << round;
    ASSERT_EQ(sender->waiting(), 1U) << "to be seen";
    ASSERT_EQ(sender->acknowledged(), (kafka::Offsets{{0, static_cast<std::int64_t>(round) + 1}}));
    all.insert(round);
  }
  EXPECT_EQ(nodes(rounds), all);
}

TEST_F(KafkaSenderTest, a_ticket_whose_second_producer_breaks_too_is_given_up) {
  broker_.break_next_batch();
  broker_.break_next_batch();
  const auto sender = send(ticket);
  EXPECT_EQ(sender->stats().producers, 2U);
  EXPECT_EQ(sender->stats().sent_again, 1U);
  EXPECT_EQ(sender->stats().unknown, 1U) << "the first may have been written";
  EXPECT_TRUE(sender->take_failed().tags.empty());
  EXPECT_EQ(sender->waiting(), 0U);
}

TEST_F(KafkaSenderTest, an_operators_entry_is_not_sent_once_more) {
  broker_.break_next_batch();
  const auto sender = send(QuotaRaised{.campaign = "lunch", .quota = 200});
  EXPECT_EQ(sender->stats().producers, 1U);
  EXPECT_EQ(sender->stats().sent_again, 0U);
  EXPECT_EQ(sender->stats().unknown, 1U);
  EXPECT_EQ(sender->waiting(), 0U);
}

}  // namespace
}  // namespace firstcome
