#include "kafka/kafka_admin.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <utility>

#include "kafka/kafka_client.h"

namespace firstcome::kafka {
namespace {

struct FreeEvent {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using Event = std::unique_ptr<rd_kafka_event_t, FreeEvent>;

}  // namespace

struct Admin::Parts {
  Told told;
  rd_kafka_t* client = nullptr;
  ~Parts() {
    if (client) rd_kafka_destroy(client);
  }
  void ask_config(rd_kafka_ResourceType_t type, const std::string& name, Millis longest, rd_kafka_queue_t* into);
  Result<Config> topic_config(const std::string& name, Millis longest);
  Result<std::optional<Topic>> without_config(const std::string& name, Millis longest);
};

Admin::Admin(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Admin::~Admin() = default;
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;

Result<Admin> Admin::open(const Access& access) {
  auto parts = std::make_unique<Parts>();
  auto conf = conf_of(access, parts->told);
  if (!conf) return fail(conf.error());
  auto client = client_of(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!client) return fail(client.error());
  parts->client = *client;
  return Admin(std::move(parts));
}

namespace {

/// Metadata of the brokers, and of one topic or of none.
class Metadata {
 public:
  static Result<Metadata> ask(rd_kafka_t* client, const Troubles& troubles, rd_kafka_topic_t* topic, Millis longest) {
    Metadata asked;
    const auto error = rd_kafka_metadata(client, 0, topic, &asked.metadata_, as_int(longest));
    rd_kafka_poll(client, 0);  // what the callbacks have to say of it
    if (error) return fail(troubles.fault("ask the brokers", error));
    return asked;
  }
  Metadata() = default;
  ~Metadata() {
    if (metadata_) rd_kafka_metadata_destroy(metadata_);
  }
  Metadata(Metadata&& other) noexcept : metadata_(std::exchange(other.metadata_, nullptr)) {}
  Metadata& operator=(Metadata&&) = delete;
  const struct rd_kafka_metadata* operator->() const { return metadata_; }

 private:
  const struct rd_kafka_metadata* metadata_ = nullptr;
};

}  // namespace

Result<std::uint32_t> Admin::brokers(Millis longest) {
  auto metadata = Metadata::ask(parts_->client, parts_->told.troubles, nullptr, longest);
  if (!metadata) return fail(metadata.error());
  return static_cast<std::uint32_t>((*metadata)->broker_cnt);
}

void Admin::Parts::ask_config(rd_kafka_ResourceType_t type, const std::string& name, Millis longest,
                              rd_kafka_queue_t* into) {
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(type, name.c_str());
  rd_kafka_AdminOptions_t* const options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  std::array<char, 256> why{};
  rd_kafka_AdminOptions_set_request_timeout(options, as_int(longest), why.data(), why.size());
  rd_kafka_DescribeConfigs(client, &resource, 1, options, into);
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_ConfigResource_destroy(resource);
}

namespace {

/// An answer to ask_config(), and of whom: nobody where nothing is said but an error.
struct Configured {
  std::string name;
  Config config;
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
};

Configured configured(rd_kafka_event_t* event) {
  Configured said;
  said.error = rd_kafka_event_error(event);
  std::size_t count = 0;
  const auto* const result = rd_kafka_event_DescribeConfigs_result(event);
  const auto* const resources = result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : nullptr;
  if (said.error || count == 0) return said;
  said.name = rd_kafka_ConfigResource_name(resources[0]);
  said.error = rd_kafka_ConfigResource_error(resources[0]);
  std::size_t entries = 0;
  const auto* const all = rd_kafka_ConfigResource_configs(resources[0], &entries);
  for (std::size_t i = 0; i < entries; ++i) {
    const char* const value = rd_kafka_ConfigEntry_value(all[i]);
    said.config[rd_kafka_ConfigEntry_name(all[i])] = value ? value : "";
  }
  return said;
}

}  // namespace

Result<Config> Admin::Parts::topic_config(const std::string& name, Millis longest) {
  const Queue queue(rd_kafka_queue_new(client));
  ask_config(RD_KAFKA_RESOURCE_TOPIC, name, longest, queue.get());
  const Event event(rd_kafka_queue_poll(queue.get(), as_int(longest)));
  rd_kafka_poll(client, 0);
  auto said =
      event ? configured(event.get()) : Configured{.name = {}, .config = {}, .error = RD_KAFKA_RESP_ERR__TIMED_OUT};
  if (said.error) return fail(told.troubles.fault("ask for the settings of topic " + name, said.error));
  return std::move(said.config);
}

Result<std::optional<Topic>> Admin::Parts::without_config(const std::string& name, Millis longest) {
  rd_kafka_topic_t* const handle = rd_kafka_topic_new(client, name.c_str(), nullptr);
  if (!handle) return fail(FaultKind::misconfigured, fmt::format("\"{}\" cannot be a topic's name", name));
  auto metadata = Metadata::ask(client, told.troubles, handle, longest);
  rd_kafka_topic_destroy(handle);
  if (!metadata) return fail(metadata.error());
  Topic topic;
  for (int i = 0; i < (*metadata)->topic_cnt; ++i) {
    const auto& one = (*metadata)->topics[i];
    if (one.topic != name) continue;
    if (one.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::nullopt;
    if (one.err) return fail(told.troubles.fault("ask for topic " + name, one.err));
    topic.partitions = static_cast<std::uint32_t>(one.partition_cnt);
    for (int j = 0; j < one.partition_cnt; ++j) {
      const auto replicas = static_cast<std::uint32_t>(one.partitions[j].replica_cnt);
      topic.replication = j == 0 ? replicas : std::min(topic.replication, replicas);
    }
  }
  if (topic.partitions == 0) return std::nullopt;
  return topic;
}

Result<bool> Admin::has(const std::string& name, Millis longest) {
  auto topic = parts_->without_config(name, longest);
  if (!topic) return fail(topic.error());
  return topic->has_value();
}

Result<std::optional<Topic>> Admin::describe(const std::string& name, Millis longest) {
  auto topic = parts_->without_config(name, longest);
  if (!topic || !*topic) return topic;
  auto config = parts_->topic_config(name, longest);
  if (!config) return fail(config.error());
  (*topic)->config = std::move(*config);
  return topic;
}

Result<std::map<std::string, Config>> Admin::broker_configs(Millis longest) {
  constexpr Millis others_ms_max{1000};
  auto metadata = Metadata::ask(parts_->client, parts_->told.troubles, nullptr, longest);
  if (!metadata) return fail(metadata.error());
  const int brokers = (*metadata)->broker_cnt;
  if (brokers == 0) return fail(FaultKind::unavailable, "the brokers name no broker");
  const Queue queue(rd_kafka_queue_new(parts_->client));
  for (int i = 0; i < brokers; ++i) {
    parts_->ask_config(RD_KAFKA_RESOURCE_BROKER, std::to_string((*metadata)->brokers[i].id), longest, queue.get());
  }
  const auto fault_of = [&](const std::string& broker, rd_kafka_resp_err_t error) {
    const std::string whose = !broker.empty() ? "broker " + broker
                              : brokers == 1  ? "broker " + std::to_string((*metadata)->brokers[0].id)
                                              : "the brokers";
    return parts_->told.troubles.fault("ask for the settings of " + whose, error);
  };
  std::map<std::string, Config> found;
  std::optional<Fault> fault;
  SystemClock clock;
  const Uptime began = clock.uptime();
  for (int answers = 0; answers < brokers; ++answers) {
    const Uptime until = began + (found.empty() ? longest : std::min(others_ms_max, longest));
    const Event event(rd_kafka_queue_poll(queue.get(), as_int(std::max(until - clock.uptime(), Millis(0)))));
    rd_kafka_poll(parts_->client, 0);
    if (!event) break;
    auto said = configured(event.get());
    if (!said.error) {
      found.emplace(std::move(said.name), std::move(said.config));
      continue;
    }
    fault = fault_of(said.name, said.error);
    if (!fault->retryable()) return fail(*fault);  // what forbids it to us forbids it at all of them
  }
  if (!found.empty()) return found;
  return fail(fault ? *fault : fault_of("", RD_KAFKA_RESP_ERR__TIMED_OUT));
}

Result<void> Admin::create(const std::string& name, std::uint32_t partitions, std::uint32_t replication,
                           const Config& config, Millis longest) {
  std::array<char, 512> why{};
  rd_kafka_NewTopic_t* topic = rd_kafka_NewTopic_new(name.c_str(), static_cast<int>(partitions),
                                                     static_cast<int>(replication), why.data(), why.size());
  if (!topic) return fail(FaultKind::misconfigured, fmt::format("topic {}: {}", name, why.data()));
  for (const auto& [key, value] : config) rd_kafka_NewTopic_set_config(topic, key.c_str(), value.c_str());
  rd_kafka_AdminOptions_t* const options = rd_kafka_AdminOptions_new(parts_->client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_AdminOptions_set_request_timeout(options, as_int(longest), why.data(), why.size());
  rd_kafka_AdminOptions_set_operation_timeout(options, as_int(longest), why.data(), why.size());
  const Queue queue(rd_kafka_queue_new(parts_->client));
  rd_kafka_CreateTopics(parts_->client, &topic, 1, options, queue.get());
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_NewTopic_destroy(topic);
  const Event event(rd_kafka_queue_poll(queue.get(), as_int(longest) + 1000));
  rd_kafka_poll(parts_->client, 0);
  const std::string doing = "create topic " + name;
  if (!event) return fail(parts_->told.troubles.fault(doing, RD_KAFKA_RESP_ERR__TIMED_OUT));
  if (const auto error = rd_kafka_event_error(event.get())) return fail(parts_->told.troubles.fault(doing, error));
  std::size_t count = 0;
  const auto* const results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto error = rd_kafka_topic_result_error(results[i]);
    if (!error) continue;
    const char* const said = rd_kafka_topic_result_error_string(results[i]);
    return fail(Troubles::kind_of(error), fmt::format("{}: {}", doing, said ? said : rd_kafka_err2str(error)));
  }
  return {};
}

}  // namespace firstcome::kafka
