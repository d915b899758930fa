// Runs the journal's contract on the Kafka adapter: on one broker and on three of `./x servers up --cluster`; what
// kills the brokers, stops them or damages their files, on one and on three of its own. What a kill -9 cannot show is
// declared, and shown.
#include <cstdlib>
#include <map>
#include <ranges>

#include "journal/kafka_journal.h"
#include "journal_contract.h"
#include "kafka_broker.h"

namespace firstcome {
namespace {

/// How the host is less than the contract's words.
struct Deviations {
  /// Power off takes what the kernel has not written yet; a test has no power switch. So three brokers that never ask
  /// for an fsync, and are killed at once, lose nothing here. One broker has flush.messages=1, which check_topic() sees
  /// to; three are as strong as it is unlikely that all lose their power at once.
  static constexpr bool crash_keeps_what_the_kernel_holds = true;
  /// The room is the brokers' own affair: without any they end, and those that are away stand for it.
  static constexpr bool full_is_away = true;
};

/// Brokers of this test alone, which may be killed.
class OwnBrokers {
 public:
  explicit OwnBrokers(int count) {
    brokers_.push_back(std::make_unique<KafkaBroker>());
    for (int id = 2; id <= count; ++id) {
      brokers_.push_back(
          std::make_unique<KafkaBroker>(*brokers_[0], KafkaBroker::Config{{"node.id", std::to_string(id)}}));
    }
  }

  std::string addresses() const {
    std::string all;
    for (const auto& one : brokers_) all += (all.empty() ? "" : ",") + one->address();
    return all;
  }

  void kill() {
    for (const auto& one : brokers_) one->kill();
  }
  void start() {
    for (const auto& one : brokers_) one->launch();
    for (const auto& one : brokers_) one->await();
  }
  std::size_t count() const { return brokers_.size(); }
  /// The first one leads the others.
  void stop() {
    for (const auto& one : std::views::reverse(brokers_)) one->stop();
  }
  void damage(const std::string& topic, std::string_view text) {
    for (const auto& one : brokers_) one->damage(topic, text);
  }

 private:
  std::vector<std::unique_ptr<KafkaBroker>> brokers_;
};

/// A topic of its own.
class KafkaHost final : public JournalHost {
 public:
  /// `own`: brokers that may be killed.
  explicit KafkaHost(const std::string& brokers, OwnBrokers* own = nullptr)
      : own_(own),
        place_{.access = {.brokers = brokers, .options = {}, .password = {}},
               .topic = "contract-" + std::to_string(random_.next())} {
    const auto made = make_topic(place_, {}, random_);
    why_ = made ? "" : made.error().what;
  }
  explicit KafkaHost(OwnBrokers& own) : KafkaHost(own.addresses(), &own) {}
  ~KafkaHost() override { start_again(); }
  const std::string& why() const { return why_; }

  Result<std::unique_ptr<Journal>> open(std::size_t append_entries_max) override {
    start_again();
    // Brokers that have just started answer before they lead: a supervisor starts us again.
    for (const Uptime until = clock_.uptime() + wait_max();;) {
      auto opened = KafkaJournal::open(
          {.place = place_, .clock = clock_, .random = random_, .append_entries_max = append_entries_max});
      if (opened) return std::unique_ptr<Journal>(std::move(*opened));
      if (!opened.error().retryable() || clock_.uptime() >= until) return fail(opened.error());
    }
  }

  void crash() override {
    own_->kill();
    is_down_ = true;
  }

  std::uint64_t crashes() const override { return own_->count() == 1 ? 3 : 2; }  // they take seconds to come back

  void fill(bool full) override {
    static_assert(Deviations::full_is_away);
    if (full) {
      own_->stop();
      is_down_ = true;
    } else {
      start_again();
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
  void start_again() {
    if (std::exchange(is_down_, false)) own_->start();
  }

  OwnBrokers* const own_;
  bool is_down_ = false;
  SystemClock clock_;
  SystemRandom random_;
  KafkaPlace place_;
  std::string why_;
};

bool breaks_the_brokers(const Clause<JournalHost>& clause) {
  return clause.label == "Durable" || clause.label == "Told" || clause.label == "Fails";
}

/// One cluster for all clauses that kill it.
OwnBrokers& own_brokers(int count) {
  static std::map<int, OwnBrokers> all;
  return all.try_emplace(count, count).first->second;
}

testing::AssertionResult holds_at(KafkaHost& host, const Clause<JournalHost>& clause) {
  if (!host.why().empty()) return testing::AssertionFailure() << host.why();
  const auto held = clause.holds(host);
  return held ? held : testing::AssertionFailure() << clause.sentence << ": " << held.message();
}

testing::AssertionResult holds(int brokers, const char* variable, const Clause<JournalHost>& clause) {
  if (breaks_the_brokers(clause)) {
    KafkaHost host(own_brokers(brokers));
    return holds_at(host, clause);
  }
  const char* const shared = std::getenv(variable);
  if (!shared) {
    return testing::AssertionFailure() << "no " << variable
                                       << " (tools/x/servers.sh says where): ./x servers up --cluster";
  }
  KafkaHost host(shared);
  return holds_at(host, clause);
}

class KafkaJournalContract : public testing::TestWithParam<Clause<JournalHost>> {};

TEST_P(KafkaJournalContract, holds_on_one_broker) { EXPECT_TRUE(holds(1, "TEST_KAFKA", GetParam())); }
TEST_P(KafkaJournalContract, holds_on_three_brokers) {
  const auto held = holds(3, "TEST_KAFKA_CLUSTER", GetParam());
  const bool is_durable = GetParam().label == "Durable";  // no fsync is asked for, and all three are killed at once
  EXPECT_EQ(static_cast<bool>(held), !is_durable || Deviations::crash_keeps_what_the_kernel_holds) << held.message();
}

INSTANTIATE_TEST_SUITE_P(, KafkaJournalContract, testing::ValuesIn(journal_contract()),
                         [](const auto& info) { return info.param.label; });

}  // namespace
}  // namespace firstcome
