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
  Result<std::map<std::string, std::string, std::less<>>> config(rd_kafka_ResourceType_t type, const std::string& name,
                                                                 Millis longest);
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

Result<std::map<std::string, std::string, std::less<>>> Admin::Parts::config(rd_kafka_ResourceType_t type,
                                                                             const std::string& name, Millis longest) {
  const std::string doing =
      fmt::format("ask for the settings of {} {}", type == RD_KAFKA_RESOURCE_BROKER ? "broker" : "topic", name);
  rd_kafka_ConfigResource_t* resource = rd_kafka_ConfigResource_new(type, name.c_str());
  rd_kafka_AdminOptions_t* const options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  std::array<char, 256> why{};
  rd_kafka_AdminOptions_set_request_timeout(options, as_int(longest), why.data(), why.size());
  const Queue queue(rd_kafka_queue_new(client));
  rd_kafka_DescribeConfigs(client, &resource, 1, options, queue.get());
  rd_kafka_AdminOptions_destroy(options);
  rd_kafka_ConfigResource_destroy(resource);
  const Event event(rd_kafka_queue_poll(queue.get(), as_int(longest)));
  rd_kafka_poll(client, 0);
  if (!event) return fail(told.troubles.fault(doing, RD_KAFKA_RESP_ERR__TIMED_OUT));
  if (const auto error = rd_kafka_event_error(event.get())) return fail(told.troubles.fault(doing, error));
  std::size_t count = 0;
  const auto* const resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &count);
  std::map<std::string, std::string, std::less<>> config;
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto error = rd_kafka_ConfigResource_error(resources[i])) return fail(told.troubles.fault(doing, error));
    std::size_t entries = 0;
    const auto* const all = rd_kafka_ConfigResource_configs(resources[i], &entries);
    for (std::size_t j = 0; j < entries; ++j) {
      const char* const value = rd_kafka_ConfigEntry_value(all[j]);
      config[rd_kafka_ConfigEntry_name(all[j])] = value ? value : "";
    }
  }
  return config;
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
  auto config = parts_->config(RD_KAFKA_RESOURCE_TOPIC, name, longest);
  if (!config) return fail(config.error());
  (*topic)->config = std::move(*config);
  return topic;
}

Result<std::map<std::string, std::string, std::less<>>> Admin::broker_config(Millis longest) {
  auto metadata = Metadata::ask(parts_->client, parts_->told.troubles, nullptr, longest);
  if (!metadata) return fail(metadata.error());
  Fault last{FaultKind::unavailable, "the brokers name no broker"};
  for (int i = 0; i < (*metadata)->broker_cnt; ++i) {
    auto config = parts_->config(RD_KAFKA_RESOURCE_BROKER, std::to_string((*metadata)->brokers[i].id), longest);
    if (config || !config.error().retryable()) return config;
    last = config.error();  // one that only we do not reach must not stand for all
  }
  return fail(std::move(last));
}

Result<void> Admin::create(const std::string& name, std::uint32_t partitions, std::uint32_t replication,
                           const std::map<std::string, std::string, std::less<>>& config, Millis longest) {
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
