// Runs the journal's contract on the Kafka adapter: on one broker and on three of `./x servers up --cluster`; what
// kills the broker, stops it or damages its files, on one of its own.
#include <cstdlib>

#include "journal/kafka_journal.h"
#include "journal_contract.h"
#include "kafka_broker.h"

namespace firstcome {
namespace {

/// A topic of its own.
class KafkaHost final : public JournalHost {
 public:
  explicit KafkaHost(const std::string& brokers, KafkaBroker* own = nullptr)
      : own_(own),
        place_{.access = {.brokers = brokers, .options = {}, .password = {}},
               .topic = "contract-" + std::to_string(random_.next())} {
    const auto made = make_topic(place_, {}, random_);
    why_ = made ? "" : made.error().what;
  }
  const std::string& why() const { return why_; }

  Result<std::unique_ptr<Journal>> open(std::size_t append_entries_max) override {
    if (own_ && is_down_) own_->start();
    is_down_ = false;
    // A broker that has just started answers before it leads: a supervisor starts us again.
    for (const Uptime until = clock_.uptime() + wait_max();;) {
      auto opened = KafkaJournal::open(
          {.place = place_, .clock = clock_, .random = random_, .append_entries_max = append_entries_max});
      if (opened) return std::unique_ptr<Journal>(std::move(*opened));
      if (!opened.error().retryable() || clock_.uptime() >= until) return fail(opened.error());
    }
  }

  /// Deviation: the broker is killed, but the machine's page cache survives. That it asks for an fsync before it
  /// answers is what check_topic() sees to.
  void crash() override {
    own_->kill();
    is_down_ = true;
  }

  std::uint64_t crashes() const override { return 3; }  // a broker takes seconds to come back

  /// A broker that is away takes nothing, and its room is its own affair.
  void fill(bool full) override {
    if (full) {
      own_->stop();
    } else {
      own_->start();
    }
  }

  void damage(std::string_view text) override {
    own_->stop();
    own_->damage(place_.topic, text);
    own_->start();
  }

  Time now() override { return clock_.now(); }
  Millis wait_max() const override { return std::chrono::seconds(30); }

 private:
  KafkaBroker* const own_;
  bool is_down_ = false;
  SystemClock clock_;
  SystemRandom random_;
  KafkaPlace place_;
  std::string why_;
};

bool breaks_the_broker(const Clause<JournalHost>& clause) {
  return clause.label == "Durable" || clause.label == "Told" || clause.label == "Fails";
}

void holds_at(const char* variable, const Clause<JournalHost>& clause) {
  const char* const brokers = std::getenv(variable);
  ASSERT_TRUE(brokers) << "no " << variable << " (tools/x/servers.sh says where): ./x servers up --cluster";
  KafkaHost host(brokers);
  ASSERT_EQ(host.why(), "");
  EXPECT_TRUE(clause.holds(host)) << clause.sentence;
}

class KafkaJournalContract : public testing::TestWithParam<Clause<JournalHost>> {};

TEST_P(KafkaJournalContract, holds_on_one_broker) {
  if (!breaks_the_broker(GetParam())) return holds_at("TEST_KAFKA", GetParam());
  KafkaBroker broker;
  KafkaHost host(broker.address(), &broker);
  ASSERT_EQ(host.why(), "");
  EXPECT_TRUE(GetParam().holds(host)) << GetParam().sentence;
}

INSTANTIATE_TEST_SUITE_P(, KafkaJournalContract, testing::ValuesIn(journal_contract()),
                         [](const auto& info) { return info.param.label; });

class KafkaJournalContractOfThree : public testing::TestWithParam<Clause<JournalHost>> {};

TEST_P(KafkaJournalContractOfThree, holds_on_three_brokers) { holds_at("TEST_KAFKA_CLUSTER", GetParam()); }

std::vector<Clause<JournalHost>> of_three() {
  auto all = journal_contract();
  std::erase_if(all, breaks_the_broker);  // that is what `./x fault` does to three of them
  return all;
}

INSTANTIATE_TEST_SUITE_P(, KafkaJournalContractOfThree, testing::ValuesIn(of_three()),
                         [](const auto& info) { return info.param.label; });

}  // namespace
}  // namespace firstcome
