// The Kafka journal on real brokers, beyond its contract: topics that cannot be a journal, what others write into it, a
// producer that breaks, a topic that is changed under it, brokers that are away.
#include "journal/kafka_journal.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

#include "journal/recording_follower.h"
#include "kafka/kafka_admin.h"
#include "kafka/kafka_producer.h"
#include "kafka_broker.h"

namespace firstcome {
namespace {

using namespace std::chrono_literals;
using kafka::Config;

constexpr Millis answer_max{20'000};

/// As the system's, but `ahead` of it.
class TestClock final : public Clock {
 public:
  Time now() override { return system_.now() + ahead; }
  Uptime uptime() override { return system_.uptime(); }
  Millis ahead{0};

 private:
  SystemClock system_;
};

Ticket ticket(std::uint64_t number) {
  Code code{};
  for (std::size_t i = 0; i < 8; ++i) code[i] = static_cast<std::uint8_t>(number >> (8 * i));
  return {.campaign = "lunch", .user = "user-" + std::to_string(number), .code = code};
}

class KafkaJournalTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const brokers = std::getenv("TEST_KAFKA");
    ASSERT_TRUE(brokers) << "no TEST_KAFKA (tools/x/servers.sh says where): ./x servers up";
    at(brokers);
  }
  void TearDown() override {
    if (journal_) journal_->stop();
  }

  void at(const std::string& brokers) {
    place_ = {.access = {.brokers = brokers, .options = {}, .password = {}},
              .topic = "journal-" + std::to_string(random_.next())};
  }

  kafka::Admin admin() { return kafka::Admin::open(place_.access).value(); }

  /// What make_topic() would make of one broker, with one value changed.
  Config config(const std::string& key = "", const std::string& value = "") {
    Config all{{"message.timestamp.type", "LogAppendTime"},
               {"cleanup.policy", "delete"},
               {"retention.ms", "-1"},
               {"retention.bytes", "-1"},
               {"unclean.leader.election.enable", "false"},
               {"flush.messages", "1"}};
    if (!key.empty()) all[key] = value;
    return all;
  }

  Result<void> open() {
    auto opened = KafkaJournal::open({.place = place_,
                                      .clock = clock_,
                                      .random = random_,
                                      .append_ms_max = append_ms_max_,
                                      .check_every = Millis(200),
                                      .on_journal_lost = [this](const Fault& fault) {
                                        std::lock_guard lock(lost_mutex_);
                                        lost_ = fault;
                                      }});
    if (!opened) return fail(opened.error());
    journal_ = std::move(*opened);
    return journal_->start(follower_);
  }

  std::optional<Fault> lost() {
    std::lock_guard lock(lost_mutex_);
    return lost_;
  }

  void make_and_open(std::uint32_t partitions = 1) {
    const auto made = make_topic(place_, {.partitions = partitions, .replication = {}}, random_);
    ASSERT_TRUE(made) << made.error().what;
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().what;
  }

  /// As somebody else who has the topic's name.
  void write(std::span<const std::uint8_t> body, std::uint32_t partition = 0) {
    std::optional<kafka::Delivery> told;
    auto producer = kafka::Producer::open(place_.access, place_.topic, 10, answer_max,
                                          [&](const auto& report) { told = report.delivery; });
    ASSERT_TRUE(producer) << producer.error().what;
    ASSERT_TRUE(producer->send(partition, 1, {}, body));
    producer->flush(answer_max);
    ASSERT_EQ(told, kafka::Delivery::done);
  }

  void write_installation(const Installation& installation) {
    std::vector<std::uint8_t> body;
    encode(installation, body);
    write(body);
  }

  SystemRandom random_;
  TestClock clock_;
  KafkaPlace place_;
  Millis append_ms_max_{4000};
  RecordingFollower follower_{Millis(30'000)};
  std::mutex lost_mutex_;
  std::optional<Fault> lost_;
  std::unique_ptr<KafkaJournal> journal_;
};

TEST_F(KafkaJournalTest, a_topic_that_is_not_there_is_refused_with_the_command) {
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, FaultKind::misconfigured);
  EXPECT_NE(opened.error().what.find("firstcome topic create --journal kafka://" + place_.access.brokers + "/" +
                                     place_.topic),
            std::string::npos)
      << opened.error().what;
}

struct Unfit {
  const char* key;
  const char* value;
  const char* mend;
};

class UnfitTopic : public KafkaJournalTest, public testing::WithParamInterface<Unfit> {};

TEST_P(UnfitTopic, is_refused_with_the_command_that_mends_it) {
  const auto& [key, value, mend] = GetParam();
  ASSERT_TRUE(admin().create(place_.topic, 1, 1, config(key, value), answer_max));
  for (const auto& refused : {open(), [&]() -> Result<void> {
                                auto made = make_topic(place_, {}, random_);
                                return made ? Result<void>{} : fail(made.error());
                              }()}) {
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().kind, FaultKind::misconfigured);
    EXPECT_NE(refused.error().what.find("--alter --entity-type topics --entity-name " + place_.topic +
                                        " --add-config " + mend),
              std::string::npos)
        << refused.error().what;
  }
}

INSTANTIATE_TEST_SUITE_P(
    , UnfitTopic,
    testing::Values(Unfit{"message.timestamp.type", "CreateTime", "message.timestamp.type=LogAppendTime"},
                    Unfit{"cleanup.policy", "compact", "cleanup.policy=delete"},
                    Unfit{"retention.ms", "604800000", "retention.ms=-1"},
                    Unfit{"retention.bytes", "1000000000", "retention.bytes=-1"},
                    Unfit{"unclean.leader.election.enable", "true", "unclean.leader.election.enable=false"},
                    Unfit{"flush.messages", "1000", "flush.messages=1"}),
    [](const auto& info) {
      std::string name = info.param.key;
      std::ranges::replace(name, '.', '_');
      return name;
    });

TEST_F(KafkaJournalTest, three_replicas_need_two_in_sync) {
  const char* const three = std::getenv("TEST_KAFKA_CLUSTER");
  ASSERT_TRUE(three);
  at(three);
  auto of_three = config("min.insync.replicas", "1");
  of_three.erase("flush.messages");
  ASSERT_TRUE(admin().create(place_.topic, 1, 3, of_three, answer_max));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().what.find("--add-config min.insync.replicas=2"), std::string::npos) << opened.error().what;
}

TEST_F(KafkaJournalTest, brokers_that_make_topics_by_themselves_are_refused) {
  KafkaBroker broker({{"auto.create.topics.enable", "true"}});
  at(broker.address());
  ASSERT_TRUE(admin().create(place_.topic, 1, 1, config(), answer_max));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, FaultKind::misconfigured);
  EXPECT_NE(opened.error().what.find("auto.create.topics.enable=false"), std::string::npos) << opened.error().what;
}

TEST_F(KafkaJournalTest, a_broker_that_only_we_do_not_reach_does_not_stand_for_all) {
  KafkaBroker broker;
  KafkaBroker hidden(broker, {{"node.id", "0"},  // it is asked first
                              {"advertised.listeners", "PLAINTEXT://127.0.0.1:" + std::to_string(free_port())}});
  at(broker.address());
  auto asking = admin();
  ASSERT_TRUE(follower_.wait_until([&] { return asking.brokers(answer_max) == 2; }));
  const auto began = std::chrono::steady_clock::now();
  const auto answer = asking.broker_configs(answer_max);
  ASSERT_TRUE(answer) << answer.error().what;
  ASSERT_EQ(answer->size(), 1U);
  EXPECT_EQ(answer->at("1").at("node.id"), "1");
  EXPECT_LT(std::chrono::steady_clock::now() - began, answer_max / 2) << "the other one is not waited for";
}

TEST_F(KafkaJournalTest, each_broker_must_be_fit) {
  const char* const three = std::getenv("TEST_KAFKA_CLUSTER");
  ASSERT_TRUE(three);
  at(three);
  const auto answer = admin().broker_configs(answer_max);
  ASSERT_TRUE(answer) << answer.error().what;
  ASSERT_EQ(answer->size(), 3U);
  for (const auto& [id, config] : *answer) EXPECT_TRUE(check_broker(id, config)) << id;
  Config older = answer->begin()->second;
  older.erase("telemetry.max.bytes");
  const auto refused = check_broker("2", older);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, FaultKind::misconfigured);
  EXPECT_NE(refused.error().what.find("broker 2 is older than Kafka 3.7"), std::string::npos) << refused.error().what;

  KafkaBroker fit;
  KafkaBroker unfit(fit, {{"node.id", "2"}, {"auto.create.topics.enable", "true"}});
  at(fit.address());
  auto asking = admin();
  ASSERT_TRUE(follower_.wait_until([&] { return asking.brokers(answer_max) == 2; }));
  ASSERT_TRUE(asking.create(place_.topic, 1, 1, config(), answer_max));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().what.find("broker 2 makes topics by itself"), std::string::npos) << opened.error().what;
}

TEST_F(KafkaJournalTest, each_campaign_stands_in_its_partition) {
  constexpr std::uint32_t partitions = 3, tickets = 60;
  make_and_open(partitions);
  const auto campaign_of_number = [](std::uint32_t number) { return "campaign-" + std::to_string(number % 12); };
  for (std::uint32_t number = 0; number < tickets; ++number) {
    auto one = ticket(number);
    one.campaign = campaign_of_number(number);
    ASSERT_TRUE(journal_->append(one, {}));
  }
  ASSERT_TRUE(follower_.wait_for_entries(partitions + tickets));
  std::map<std::uint32_t, Position> ends;
  std::map<std::string, std::vector<std::string>> users;
  for (const Shown& shown : follower_.entries()) {
    EXPECT_EQ(shown.position, ++ends[shown.partition]) << "of its partition";
    const auto* const one = std::get_if<Ticket>(&shown.entry);
    if (!one) continue;
    EXPECT_EQ(shown.partition, partition_of(one->campaign.view(), partitions)) << one->campaign.view();
    users[one->campaign.str()].push_back(one->user.str());
  }
  EXPECT_EQ(ends.size(), partitions) << "each has some";
  for (std::uint32_t number = 0; number < 12; ++number) {
    std::vector<std::string> appended;
    for (std::uint32_t i = number; i < tickets; i += 12) appended.push_back("user-" + std::to_string(i));
    EXPECT_EQ(users[campaign_of_number(number)], appended) << "in the order of their appends";
  }
}

TEST_F(KafkaJournalTest, a_beginning_that_was_deleted_ends_the_node) {
  make_and_open(3);
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  ASSERT_TRUE(follower_.wait_for_entries(4));
  const std::uint32_t other = partition_of("lunch", 3) == 1 ? 2 : 1;
  ASSERT_TRUE(delete_records(place_, other, 1));
  ASSERT_TRUE(follower_.wait_until([&] { return lost().has_value(); }));
  EXPECT_EQ(lost()->kind, FaultKind::corrupt);
  EXPECT_NE(lost()->what.find(place_.topic + " [" + std::to_string(other) +
                              "], position 1: the beginning of the partition has been deleted"),
            std::string::npos)
      << lost()->what;
  const auto again = open();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, FaultKind::corrupt) << again.error().what;
}

TEST_F(KafkaJournalTest, an_address_where_nobody_is_can_be_tried_again) {
  at("127.0.0.1:" + std::to_string(free_port()));
  const auto began = std::chrono::steady_clock::now();
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_TRUE(opened.error().retryable()) << opened.error().what;
  EXPECT_NE(opened.error().what.find(place_.access.brokers), std::string::npos) << opened.error().what;
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

TEST_F(KafkaJournalTest, making_the_topic_again_changes_nothing) {
  make_and_open(3);
  const auto entries = follower_.entries();
  ASSERT_EQ(entries.size(), 3U) << "an installation in each partition";
  const auto again = make_topic(place_, {}, random_);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_NE(again->find("3 partitions and 1 copy of each entry: who loses"), std::string::npos) << *again;
  const auto refuse = [&](const NewTopic& wanted, std::string_view says) {
    const auto other = make_topic(place_, wanted, random_);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().kind, FaultKind::misconfigured);
    EXPECT_NE(other.error().what.find(says), std::string::npos) << other.error().what;
  };
  refuse({.partitions = 5, .replication = {}}, "has 3 partitions, for ever, and not 5");
  refuse({.partitions = 3, .replication = 2}, "has 1 copy of each entry, and not 2");
  journal_->stop();
  RecordingFollower second;
  auto opened = KafkaJournal::open({.place = place_, .clock = clock_, .random = random_});
  ASSERT_TRUE(opened);
  ASSERT_TRUE((*opened)->start(second));
  EXPECT_EQ(second.entries(), entries);
  (*opened)->stop();
}

TEST_F(KafkaJournalTest, a_topic_with_too_few_partitions_is_no_journal_of_more) {
  ASSERT_TRUE(admin().create(place_.topic, 2, 1, config(), answer_max));
  const auto made = make_topic(place_, {.partitions = 5, .replication = {}}, random_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what.find("has 2 partitions, for ever, and not 5"), std::string::npos) << made.error().what;
  EXPECT_EQ(find_installations(place_, 2).value().size(), 0U);
}

TEST_F(KafkaJournalTest, a_topic_that_somebody_made_is_a_journal_of_all_its_partitions) {
  ASSERT_TRUE(admin().create(place_.topic, 2, 1, config(), answer_max));
  const auto made = make_topic(place_, {}, random_);
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_NE(made->find("2 partitions"), std::string::npos) << *made;
  EXPECT_EQ(find_installations(place_, 1).value().size(), 2U);
}

TEST_F(KafkaJournalTest, what_is_no_entry_of_ours_is_skipped_and_counted) {
  make_and_open();
  const std::string_view foreign = "a message of somebody else";
  write({reinterpret_cast<const std::uint8_t*>(foreign.data()), foreign.size()});
  write({});
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  EXPECT_EQ(follower_.entries().back().entry, Entry(ticket(1)));
  EXPECT_TRUE(follower_.wait_until([&] { return journal_->stats().skipped == 2; }));
}

TEST_F(KafkaJournalTest, an_entry_of_a_newer_firstcome_ends_the_node) {
  make_and_open();
  std::vector<std::uint8_t> body;
  encode(Entry(ticket(1)), body);
  body[2] = 200;  // the version
  const std::size_t checked = body.size() - 4;
  const auto checksum = static_cast<std::uint32_t>(XXH3_64bits(body.data(), checked));
  std::memcpy(body.data() + checked, &checksum, sizeof checksum);
  write(body);
  ASSERT_TRUE(follower_.wait_until([&] { return lost().has_value(); }));
  EXPECT_NE(lost()->what.find("upgrade"), std::string::npos) << lost()->what;
  EXPECT_FALSE(journal_->append(ticket(2), {}));
}

TEST_F(KafkaJournalTest, an_entry_of_ours_that_is_damaged_ends_the_node_with_its_position) {
  make_and_open();
  std::vector<std::uint8_t> body;
  encode(Entry(ticket(1)), body);
  body.back() ^= 1;
  write(body);
  ASSERT_TRUE(follower_.wait_until([&] { return lost().has_value(); }));
  EXPECT_EQ(lost()->kind, FaultKind::corrupt);
  EXPECT_NE(lost()->what.find("position 2"), std::string::npos) << lost()->what;
}

TEST_F(KafkaJournalTest, a_ticket_that_comes_twice_is_shown_twice) {
  make_and_open();
  std::vector<std::uint8_t> body;
  encode(Entry(ticket(1)), body);
  write(body);
  write(body);
  ASSERT_TRUE(follower_.wait_for_entries(3));
  EXPECT_EQ(follower_.entries()[1].entry, follower_.entries()[2].entry) << "the standings know the second one";
}

TEST_F(KafkaJournalTest, a_producer_that_breaks_is_replaced_and_tickets_are_sent_once_more) {
  make_and_open();
  constexpr std::uint64_t tickets = 2000;
  for (std::uint64_t number = 0; number < tickets; ++number) {
    if (number == tickets / 2) journal_->break_producer();
    ASSERT_TRUE(journal_->append(ticket(number), {.author = 0, .number = number}));
  }
  std::set<std::string> users;
  ASSERT_TRUE(follower_.wait_until([&] {
    for (const auto& shown : follower_.entries()) {
      if (const auto* one = std::get_if<Ticket>(&shown.entry)) users.insert(one->user.str());
    }
    return users.size() + follower_.failed().size() == tickets;
  })) << users.size();
  EXPECT_EQ(follower_.failed().size(), 0U);
  EXPECT_EQ(journal_->sender_stats().producers, 1U);
  EXPECT_EQ(journal_->stats().waiting, 0U);
  journal_->break_producer();
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->sender_stats().producers == 2; })) << "an idle one too";
}

TEST_F(KafkaJournalTest, brokers_that_are_away_leave_no_backlog) {
  KafkaBroker broker;
  at(broker.address());
  append_ms_max_ = Millis(1000);
  make_and_open();
  broker.kill();
  constexpr std::uint64_t tickets = 500;
  for (std::uint64_t number = 0; number < tickets; ++number) {
    ASSERT_TRUE(journal_->append(ticket(number), {.author = 0, .number = number}));
  }
  // Each is told, or nobody knows: none waits for the brokers to come back.
  EXPECT_TRUE(
      follower_.wait_until([&] { return follower_.failed().size() + journal_->sender_stats().unknown == tickets; }));
  EXPECT_EQ(journal_->stats().waiting, 0U);
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->why_silent().has_value(); }));
  EXPECT_NE(journal_->why_silent()->what.find(broker.address()), std::string::npos) << journal_->why_silent()->what;
  const auto heard = follower_.heard_count();
  broker.start();
  ASSERT_TRUE(follower_.wait_until([&] { return follower_.heard_count() > heard + 2; })) << "heard again";
  EXPECT_FALSE(journal_->why_silent());
  const auto before = follower_.count();
  ASSERT_TRUE(journal_->append(ticket(tickets), {}));
  ASSERT_TRUE(follower_.wait_until([&] { return follower_.count() > before; }));
  EXPECT_LE(follower_.count() - before, 1 + journal_->sender_stats().unknown);
}

TEST_F(KafkaJournalTest, partitions_that_are_added_change_nothing) {
  make_and_open();
  ASSERT_TRUE(add_partitions(place_, 4));
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  write({}, 3);
  journal_->stop();
  journal_.reset();
  RecordingFollower second;
  auto opened = KafkaJournal::open({.place = place_, .clock = clock_, .random = random_});
  ASSERT_TRUE(opened) << opened.error().what;
  ASSERT_TRUE((*opened)->start(second));
  EXPECT_EQ(second.entries(), follower_.entries());
  (*opened)->stop();
}

TEST_F(KafkaJournalTest, a_topic_that_is_deleted_and_made_anew_ends_the_node) {
  make_and_open();
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  ASSERT_TRUE(delete_topic(place_));
  ASSERT_TRUE(follower_.wait_until([&] { return make_topic(place_, {}, random_).has_value(); }));
  ASSERT_TRUE(follower_.wait_until([&] { return lost().has_value(); }));
  EXPECT_EQ(lost()->kind, FaultKind::corrupt) << lost()->what;
  EXPECT_EQ(follower_.count(), 2U) << "nothing of the new one was shown";
}

TEST_F(KafkaJournalTest, a_transaction_that_somebody_leaves_open_holds_nobody_up) {
  make_and_open();
  const OpenTransaction open(place_);
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  EXPECT_TRUE(follower_.wait_for_entries(2));
  EXPECT_EQ(journal_->stats().skipped, 1U);
}

TEST_F(KafkaJournalTest, a_topic_that_is_shorter_is_not_heard_and_when_others_fill_it_the_node_ends) {
  make_and_open();
  for (std::uint64_t number = 1; number <= 3; ++number) ASSERT_TRUE(journal_->append(ticket(number), {}));
  ASSERT_TRUE(follower_.wait_for_entries(4));
  const Installation same = journal_->installation();
  ASSERT_TRUE(delete_topic(place_));
  const auto unfit = config("retention.ms", "1000000");  // not looked into before it has its installation
  ASSERT_TRUE(follower_.wait_until([&] { return admin().create(place_.topic, 1, 1, unfit, answer_max).has_value(); }));
  write_installation(same);
  ASSERT_TRUE(set_config(place_, config()));
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->kafka_stats().exchanged >= 2; })) << "others may have it";
  ASSERT_TRUE(journal_->why_silent());
  EXPECT_NE(journal_->why_silent()->what.find("[0] says that it ends at 1, and it ended at 4 before"),
            std::string::npos)
      << journal_->why_silent()->what;
  const auto heard = follower_.heard_count();
  EXPECT_FALSE(lost());
  for (std::uint64_t number = 11; number <= 15; ++number) {
    std::vector<std::uint8_t> body;
    encode(Entry(ticket(number)), body);
    write(body);
  }
  ASSERT_TRUE(follower_.wait_until([&] { return lost().has_value(); }));
  EXPECT_EQ(lost()->kind, FaultKind::corrupt) << lost()->what;
  EXPECT_NE(lost()->what.find("position 4: another message"), std::string::npos) << lost()->what;
  EXPECT_EQ(follower_.heard_count(), heard);
  EXPECT_EQ(follower_.count(), 4U);
}

TEST_F(KafkaJournalTest, a_broker_that_comes_back_with_another_last_message_ends_the_node) {
  KafkaBroker broker;
  at(broker.address());
  make_and_open();
  for (std::uint64_t number = 1; number <= 3; ++number) ASSERT_TRUE(journal_->append(ticket(number), {}));
  ASSERT_TRUE(follower_.wait_for_entries(4));
  broker.stop();
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->why_silent().has_value(); }));
  broker.damage(place_.topic, "user-3");
  broker.start();
  ASSERT_TRUE(follower_.wait_until([&] { return lost().has_value(); }));
  EXPECT_NE(lost()->what.find("position 4: another message"), std::string::npos) << lost()->what;
}

TEST_F(KafkaJournalTest, another_connection_reads_on_where_the_one_before_was) {
  make_and_open(3);
  write({}, 1);  // the last message of a partition need not be an entry
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->stats().skipped == 1; }));
  journal_->doubt_reader();
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->kafka_stats().exchanged == 1; }));
  constexpr std::uint64_t exchanges = 4, tickets_each = 200;
  std::uint64_t number = 0;
  for (std::uint64_t i = 1; i <= exchanges; ++i) {
    for (std::uint64_t j = 0; j < tickets_each; ++j) {
      Ticket one = ticket(++number);
      one.campaign = CampaignId("c" + std::to_string(number % 12));
      ASSERT_TRUE(journal_->append(one, {}));
      if (j == tickets_each / 2) journal_->doubt_reader();
    }
    ASSERT_TRUE(follower_.wait_until([&] { return journal_->kafka_stats().exchanged >= 1 + i; }));
  }
  ASSERT_TRUE(follower_.wait_for_entries(3 + exchanges * tickets_each));
  const auto heard = follower_.heard_count();
  ASSERT_TRUE(follower_.wait_until([&] { return follower_.heard_count() > heard; }));
  std::map<std::uint32_t, Position> last;
  for (const Shown& shown : follower_.entries()) {
    EXPECT_GT(shown.position, last[shown.partition]) << "each once, and in order";
    last[shown.partition] = shown.position;
  }
  EXPECT_EQ(follower_.count(), 3 + exchanges * tickets_each);
  EXPECT_EQ(journal_->stats().waiting, 0U);
}

TEST_F(KafkaJournalTest, a_topic_that_is_made_unfit_is_not_read_until_it_is_mended) {
  make_and_open();
  ASSERT_FALSE(journal_->trouble());
  ASSERT_TRUE(set_config(place_, config("retention.ms", "1000000")));
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->trouble().has_value(); }));
  EXPECT_NE(journal_->trouble()->what.find("retention.ms=-1"), std::string::npos) << journal_->trouble()->what;
  const auto heard = follower_.heard_count() + 1;  // one may be on its way
  const RecordingFollower patience(Millis(2000));
  EXPECT_FALSE(patience.wait_until([&] { return follower_.heard_count() > heard; }));
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  EXPECT_FALSE(patience.wait_until([&] { return follower_.heard_count() > heard || follower_.count() > 1; }));
  ASSERT_TRUE(set_config(place_, config()));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  ASSERT_TRUE(follower_.wait_until([&] { return follower_.heard_count() > heard; }));
  EXPECT_FALSE(journal_->trouble());
  EXPECT_FALSE(lost());
}

TEST_F(KafkaJournalTest, a_longer_topic_in_the_place_of_a_deleted_one_is_not_read) {
  make_and_open();
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  ASSERT_TRUE(delete_topic(place_));
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->kafka_stats().silent_seconds > 3; }));
  auto other = place_;
  ASSERT_TRUE(follower_.wait_until([&] { return make_topic(other, {}, random_).has_value(); }));
  for (std::uint32_t user = 10; user < 15; ++user) {
    std::vector<std::uint8_t> body;
    encode(Entry(ticket(user)), body);
    write(body);
  }
  ASSERT_TRUE(follower_.wait_until([&] { return lost().has_value(); }));
  EXPECT_EQ(follower_.count(), 2U) << "nothing of the new one was shown";
}

TEST_F(KafkaJournalTest, ends_though_its_topic_is_gone) {
  make_and_open();
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  ASSERT_TRUE(delete_topic(place_));
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->kafka_stats().silent_seconds > 3; }));
  const auto began = std::chrono::steady_clock::now();
  journal_->stop();
  journal_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 15s);
}

TEST_F(KafkaJournalTest, an_entry_with_a_clients_stamp_is_skipped_by_all) {
  make_and_open();
  ASSERT_TRUE(set_config(place_, config("message.timestamp.type", "CreateTime")));
  ASSERT_TRUE(follower_.wait_until([&] { return journal_->trouble().has_value(); }));
  std::vector<std::uint8_t> body;
  encode(Entry(ticket(1)), body);
  write(body);
  ASSERT_TRUE(journal_->append(ticket(3), {7, 3}));
  auto reader = KafkaReader::open(place_);
  ASSERT_TRUE(reader) << reader.error().what;
  ASSERT_TRUE(follower_.wait_until([&] { return reader->ends(answer_max).value().at(0) == 3; })) << "it is written";
  ASSERT_TRUE(set_config(place_, config()));
  ASSERT_TRUE(follower_.wait_until([&] { return !journal_->trouble(); }));
  ASSERT_TRUE(follower_.wait_until([&] { return follower_.failed() == std::vector<AppendTag>{{7, 3}}; }))
      << "its own is told as failed";
  EXPECT_EQ(journal_->stats().waiting, 0U);
  ASSERT_TRUE(journal_->append(ticket(2), {}));
  ASSERT_TRUE(follower_.wait_for_entries(2));
  EXPECT_EQ(follower_.entries().back().entry, Entry(ticket(2)));
  EXPECT_EQ(journal_->stats().skipped, 2U);
  EXPECT_FALSE(lost());
}

TEST_F(KafkaJournalTest, a_topic_that_was_half_made_is_finished) {
  ASSERT_TRUE(admin().create(place_.topic, 2, 1, config(), answer_max));
  const Installation installation{.id = {1}, .partitions = 2};
  write_installation(installation);
  ASSERT_TRUE(follower_.wait_until([&] { return find_installations(place_, 1).has_value(); }));
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().what.find("in 1 of 2 partitions: firstcome topic create"), std::string::npos)
      << opened.error().what;
  const auto made = make_topic(place_, {}, random_);
  ASSERT_TRUE(made) << made.error().what;
  const auto installed = find_installations(place_, 1);
  ASSERT_TRUE(installed) << installed.error().what;
  EXPECT_EQ(*installed, (std::map<std::uint32_t, Installation>{{0, installation}, {1, installation}}));
}

/// The dice of somebody who is overtaken while he throws them.
class OvertakenRandom final : public Random {
 public:
  explicit OvertakenRandom(std::function<void()> overtake) : overtake_(std::move(overtake)) {}
  void fill(std::span<std::uint8_t> bytes) override {
    if (const auto overtake = std::exchange(overtake_, {})) overtake();
    system_.fill(bytes);
  }

 private:
  std::function<void()> overtake_;
  SystemRandom system_;
};

// He saw a topic without an installation, and draws one; the other's is in partition 0 by then, and nowhere else yet.
TEST_F(KafkaJournalTest, who_is_overtaken_while_he_makes_the_topic_writes_the_installation_of_the_other) {
  const Installation first{.id = {1}, .partitions = 2};
  OvertakenRandom random([&] { write_installation(first); });
  const auto made = make_topic(place_, {.partitions = 3, .replication = {}}, random);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what.find("2 partitions, for ever, and not 3"), std::string::npos) << made.error().what;
  const auto installed = find_installations(place_, 1);
  ASSERT_TRUE(installed) << installed.error().what;
  EXPECT_EQ(*installed, (std::map<std::uint32_t, Installation>{{0, first}, {1, first}}));
}

TEST_F(KafkaJournalTest, four_who_make_the_topic_at_once_agree) {
  std::vector<std::thread> makers;
  std::vector<Result<std::string>> said(4, fail(FaultKind::unavailable, ""));
  for (auto& mine : said) {
    makers.emplace_back([this, &mine] {
      SystemRandom random;
      mine = make_topic(place_, {.partitions = 3, .replication = {}}, random);
    });
  }
  for (auto& maker : makers) maker.join();
  const auto installed = find_installations(place_, 1);
  ASSERT_TRUE(installed) << installed.error().what;
  EXPECT_EQ(installed->size(), 3U);
  for (const auto& mine : said) EXPECT_TRUE(mine) << mine.error().what;
}

TEST_F(KafkaJournalTest, hears_by_how_much_its_clock_is_off) {
  clock_.ahead = Millis(-300'000);
  make_and_open();
  const auto off = [&] { return SystemClock().now() - follower_.heard_at(); };
  EXPECT_TRUE(follower_.wait_until([&] { return off() < Millis(2000); }))
      << "the installation's stamp was not over yet";
  clock_.ahead = Millis(300'000);
  ASSERT_TRUE(journal_->append(ticket(1), {}));
  EXPECT_TRUE(follower_.wait_until([&] { return off() > Millis(-2000) && follower_.count() == 2; }));
}

}  // namespace
}  // namespace firstcome
