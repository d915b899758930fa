// Runs the journal's contract on the Kafka adapter: a broker of its own for each clause, in a folder of its own, since
// clauses kill it, stop it and damage its files.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "journal/kafka_journal.h"
#include "journal_contract.h"

extern char** environ;

namespace firstcome {
namespace {

/// A topic of its own at the running broker, for clauses that leave the broker alone.
class KafkaHost final : public JournalHost {
 public:
  KafkaHost() {
    const char* const brokers = std::getenv("TEST_KAFKA");
    if (!brokers) return;
    place_ = {.access = {.brokers = brokers}, .topic = "contract-" + std::to_string(random_.next())};
    const auto made = make_topic(place_, {}, random_);
    why_ = made ? "" : made.error().what;
  }
  const std::string& why() const { return why_; }

  Result<std::unique_ptr<Journal>> open(std::size_t append_entries_max) override {
    auto opened = KafkaJournal::open(
        {.place = place_, .clock = clock_, .random = random_, .append_entries_max = append_entries_max});
    if (!opened) return fail(opened.error());
    return std::unique_ptr<Journal>(std::move(*opened));
  }
  void crash() override {}
  void fill(bool) override {}
  void damage(std::string_view) override {}
  Time now() override { return clock_.now(); }

 private:
  SystemClock clock_;
  SystemRandom random_;
  KafkaPlace place_;
  std::string why_ = "no TEST_KAFKA: start the servers with ./x servers up";
};

class KafkaJournalContract : public testing::TestWithParam<Clause<JournalHost>> {};

TEST_P(KafkaJournalContract, HoldsOnKafka) {
  KafkaHost host;
  ASSERT_EQ(host.why(), "");
  EXPECT_TRUE(GetParam().holds(host)) << GetParam().sentence;
}

std::vector<Clause<JournalHost>> clauses() {
  auto all = journal_contract();
  std::erase_if(all, [](const auto& clause) {
    return clause.label == "Durable" || clause.label == "Told" ||
           clause.label == "Fails";  // they need a broker to break
  });
  return all;
}

INSTANTIATE_TEST_SUITE_P(, KafkaJournalContract, testing::ValuesIn(clauses()),
                         [](const auto& info) { return info.param.label; });

}  // namespace
}  // namespace firstcome
