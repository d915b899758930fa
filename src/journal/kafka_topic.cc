#include "journal/kafka_topic.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/clock.h"
#include "base/limits.h"
#include "base/noun.h"
#include "journal/kafka_reader.h"
#include "kafka/kafka_producer.h"

namespace firstcome {
namespace {

using kafka::Config;

constexpr Millis answer_ms_max{5000};
constexpr Millis made_ms_max{20'000};  // a topic that was created has a leader by then
constexpr std::uint32_t replication_wanted = 3;

Config config_of(std::uint32_t replication) {
  Config config{{"message.timestamp.type", "LogAppendTime"},
                {"cleanup.policy", "delete"},
                {"retention.ms", "-1"},
                {"retention.bytes", "-1"},
                {"unclean.leader.election.enable", "false"}};
  if (replication >= replication_wanted) {
    config["min.insync.replicas"] = std::to_string(replication - 1);
  } else {
    config["flush.messages"] = "1";
  }
  return config;
}

std::string_view value_of(const Config& config, std::string_view key) {
  const auto found = config.find(key);
  return found == config.end() ? std::string_view() : std::string_view(found->second);
}

int number_of(std::string_view text) { return text.empty() ? 0 : std::atoi(std::string(text).c_str()); }

std::unexpected<Fault> unfit(const KafkaPlace& place, std::string_view key, std::string_view is,
                             std::string_view wanted, std::string_view why) {
  return fail(
      FaultKind::misconfigured,
      fmt::format("topic {} has {}={}, and a journal needs {} ({}): kafka-configs.sh --bootstrap-server {} --alter "
                  "--entity-type topics --entity-name {} --add-config {}={}",
                  place.topic, key, is.empty() ? "(nothing)" : is, wanted, why, place.access.brokers, place.topic, key,
                  wanted));
}

std::string_view why_of(std::string_view key) {
  if (key == "message.timestamp.type") return "the time of a claim is the broker's, not a client's";
  if (key == "unclean.leader.election.enable") return "a replica that is behind must not become the leader";
  if (key == "min.insync.replicas") return "what is acknowledged must be on two brokers";
  if (key == "flush.messages") return "with fewer than three replicas only the disk holds what was acknowledged";
  return "entries are never deleted";
}

Result<void> check_config(const KafkaPlace& place, const kafka::Topic& topic) {
  for (const auto& [key, wanted] : config_of(topic.replication)) {
    const auto is = value_of(topic.config, key);
    const bool fits = key == "min.insync.replicas" ? number_of(is) >= 2 : is == wanted;
    if (!fits) return unfit(place, key, is, wanted, why_of(key));
  }
  return {};
}

Result<void> check_brokers(kafka::Admin& admin, Millis longest) {
  const auto brokers = admin.broker_configs(longest);
  if (!brokers) return fail(brokers.error());
  for (const auto& [id, config] : *brokers) {
    if (auto fits = check_broker(id, config); !fits) return fits;
  }
  return {};
}

/// A topic that was made is known to the brokers, and has its leaders, a little later: until then they say so.
template <class Asked>
auto ask_until_known(Asked asked) -> decltype(asked()) {
  SystemClock clock;
  const Uptime until = clock.uptime() + made_ms_max;
  for (;;) {
    auto answer = asked();
    if (answer || !answer.error().retryable() || clock.uptime() >= until) return answer;
    std::this_thread::sleep_for(Millis(50));
  }
}

Result<kafka::Topic> await_topic(const KafkaPlace& place, kafka::Admin& admin) {
  return ask_until_known([&]() -> Result<kafka::Topic> {
    auto topic = admin.describe(place.topic, answer_ms_max);
    if (!topic) return fail(topic.error());
    if (*topic) return std::move(**topic);
    return fail(FaultKind::timed_out,
                "the brokers made topic " + place.topic + ", but do not know it yet: run the command again");
  });
}

std::string partitions_in_words(std::uint32_t number) {
  return fmt::format("{} {}", number, noun(number, "partition"));
}
std::string copies_in_words(std::uint32_t number) {
  return fmt::format("{} {}", number, noun(number, "copy", "copies"));
}

std::unexpected<Fault> too_few_or_many(const KafkaPlace& place, std::uint32_t partitions, std::uint32_t wanted) {
  return fail(FaultKind::misconfigured,
              fmt::format("topic {} at {} has {}, for ever, and not {}: leave --partitions out, or make another topic",
                          place.topic, place.access.brokers, partitions_in_words(partitions), wanted));
}

std::unexpected<Fault> no_topic(const KafkaPlace& place) {
  return fail(FaultKind::misconfigured,
              fmt::format("there is no topic {} at {}: is the name right? Where there was a journal once it has been "
                          "deleted: do not make another. Before the first start: firstcome topic create --journal "
                          "kafka://{}/{} {}",
                          place.topic, place.access.brokers, place.access.brokers, place.topic, as_here));
}

/// Sends the installation into one partition, and waits until it is there.
Result<void> install(const KafkaPlace& place, std::uint32_t partition, const Installation& installation) {
  std::optional<kafka::Producer::Report> told;
  auto producer =
      kafka::Producer::open(place.access, place.topic, 10, answer_ms_max, [&](const auto& report) { told = report; });
  if (!producer) return fail(producer.error());
  std::vector<std::uint8_t> body;
  encode(installation, body);
  if (auto sent = producer->send(partition, 1, {}, body); !sent) return sent;
  producer->flush(made_ms_max);
  if (told && told->delivery == kafka::Delivery::done) return {};
  const auto broken = producer->fatal();
  const Fault why = broken ? *broken : told ? told->why : Fault{FaultKind::timed_out, "no answer"};
  return fail(
      why.retryable() ? FaultKind::timed_out : why.kind,
      fmt::format("write the installation into {} [{}]: {}; run the command again", place.topic, partition, why.what));
}

}  // namespace

Result<void> find_topic(const KafkaPlace& place) {
  auto admin = kafka::Admin::open(place.access);
  if (!admin) return fail(admin.error());
  const auto has = admin->has(place.topic, answer_ms_max);
  if (!has) return fail(has.error());
  return *has ? Result<void>{} : no_topic(place);
}

Result<void> check_broker(std::string_view id, const kafka::Config& config) {
  if (value_of(config, "auto.create.topics.enable") != "false") {
    return fail(FaultKind::misconfigured,
                fmt::format("broker {} makes topics by itself, so that a deleted journal would come back as an empty "
                            "one: set auto.create.topics.enable=false in its server.properties",
                            id));
  }
  if (!config.contains("telemetry.max.bytes")) {
    return fail(FaultKind::misconfigured,
                fmt::format("broker {} is older than Kafka 3.7, where a consumer can see what was never acknowledged: "
                            "upgrade it",
                            id));
  }
  return {};
}

Result<void> check_topic(const KafkaPlace& place, kafka::Admin& admin, Millis longest) {
  auto topic = admin.describe(place.topic, longest);
  if (!topic) return fail(topic.error());
  if (!*topic) return no_topic(place);
  if (auto fits = check_config(place, **topic); !fits) return fits;
  return check_brokers(admin, longest);
}

Result<std::string> make_topic(const KafkaPlace& place, const NewTopic& wanted, Random& random) {
  std::uint32_t partitions = wanted.partitions.value_or(1);
  if (partitions == 0 || partitions > limits::partitions_max) {
    return fail(FaultKind::misconfigured, fmt::format("a journal has 1 to {} partitions", limits::partitions_max));
  }
  auto admin = kafka::Admin::open(place.access);
  if (!admin) return fail(admin.error());
  auto there = admin->describe(place.topic, answer_ms_max);
  if (!there) return fail(there.error());
  if (!*there) {
    auto brokers = admin->brokers(answer_ms_max);
    if (!brokers) return fail(brokers.error());
    const std::uint32_t replication = wanted.replication.value_or(std::min(*brokers, replication_wanted));
    auto made = admin->create(place.topic, partitions, replication, config_of(replication), made_ms_max);
    if (!made) {  // or somebody else makes it this very moment
      there = admin->describe(place.topic, answer_ms_max);
      if (!there || !*there) return fail(made.error());
    }
  }
  auto topic = await_topic(place, *admin);
  if (!topic) return fail(topic.error());
  if (auto fits = check_config(place, *topic); !fits) return fail(fits.error());
  if (auto fits = check_brokers(*admin, answer_ms_max); !fits) return fail(fits.error());
  if (!wanted.partitions) partitions = std::min(topic->partitions, limits::partitions_max);

  // What is there already says how many partitions count; with nothing there, it is as wanted.
  auto installed = ask_until_known([&] { return find_installations(place, std::min(partitions, topic->partitions)); });
  if (!installed) return fail(installed.error());
  if (installed->empty()) {
    if (topic->partitions < partitions) return too_few_or_many(place, topic->partitions, partitions);
    Installation drawn{.id = {}, .partitions = partitions};
    for (auto& byte : drawn.id) byte = static_cast<std::uint8_t>(random.next());
    if (auto done = install(place, 0, drawn); !done) return fail(done.error());
    // Of two who do this at once, the first in partition 0 is the one.
    installed = ask_until_known([&] { return find_installations(place, 1); });
    if (!installed) return fail(installed.error());
    if (installed->empty())
      return fail(FaultKind::timed_out, "the installation is not there yet: run the command again");
  }
  const Installation installation = installed->begin()->second;
  for (std::uint32_t partition = 0; partition < installation.partitions; ++partition) {
    if (installed->contains(partition)) continue;
    if (auto done = install(place, partition, installation); !done) return fail(done.error());
  }
  if (installation.partitions != wanted.partitions.value_or(installation.partitions)) {
    return too_few_or_many(place, installation.partitions, partitions);
  }
  if (wanted.replication && topic->replication != *wanted.replication) {
    return fail(
        FaultKind::misconfigured,
        fmt::format("topic {} at {} has {} of each entry, and not {}: leave --replication out, or change it with "
                    "kafka-reassign-partitions.sh",
                    place.topic, place.access.brokers, copies_in_words(topic->replication), *wanted.replication));
  }
  return fmt::format("topic {} at {} is a journal with {} and {} of each entry{}", place.topic, place.access.brokers,
                     partitions_in_words(installation.partitions), copies_in_words(topic->replication),
                     topic->replication == 1 ? ": who loses that broker's disk loses the journal" : "");
}

}  // namespace firstcome
