// DESIGN
//   Written for librdkafka 2.0.2 (Debian 12). Its defaults are made for throughput and for groups; those that lose,
//   repeat or hide something are set here, each with its reason. A consumer has a group's name, since assign() wants
//   one, but no group is ever joined and no offset committed.
#include "kafka/kafka.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <atomic>
#include <cstring>
#include <future>
#include <mutex>
#include <thread>

#include "base/log.h"

namespace firstcome::kafka {
namespace {

using std::chrono::milliseconds;

constexpr Millis reconnect_first{50}, reconnect_most{1000};
constexpr Millis request_ms_max{3000};  // an answer of a broker; a half-open link is cut then
constexpr Millis connect_ms_max{3000};
constexpr Millis end_ms_max{5000};

struct FreeConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, FreeConf>;

struct FreeList {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeList>;

struct FreeQueue {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
using Queue = std::unique_ptr<rd_kafka_queue_t, FreeQueue>;

struct FreeEvent {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};
using Event = std::unique_ptr<rd_kafka_event_t, FreeEvent>;

/// What a person can do about a connection that is refused, or never made.
std::string_view remedy(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return "; look at sasl.mechanism and sasl.username in --journal-options, and at --journal-password-file";
    case RD_KAFKA_RESP_ERR__SSL:
      return "; ssl.ca.location in --journal-options must name the authority of the broker's certificate, which must "
             "be one for the name in --journal, and in force";
    case RD_KAFKA_RESP_ERR__BAD_MSG:
      return "; that is no Kafka broker, or one that wants TLS: look at --journal";
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      return "; is the broker up there, and does --journal name it rightly?";
    default:
      return "";
  }
}

/// Without "(after 3ms in state CONNECT, 1 identical error(s) suppressed)", which differs each time.
std::string without_state(std::string reason) {
  const auto state = reason.rfind(" (after ");
  if (state != std::string::npos) reason.resize(state);
  return reason;
}

/// What a client was told about its connections lately: a call that timed out says only that it timed out.
class Troubles {
 public:
  void note(rd_kafka_resp_err_t error, std::string reason) {
    std::lock_guard lock(mutex_);
    error_ = error;
    reason_ = without_state(std::move(reason));
  }
  Fault fault(std::string_view doing, rd_kafka_resp_err_t error) const {
    std::lock_guard lock(mutex_);
    const bool timed_out = error == RD_KAFKA_RESP_ERR__TIMED_OUT || error == RD_KAFKA_RESP_ERR__TRANSPORT ||
                           error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (timed_out && error_ != RD_KAFKA_RESP_ERR_NO_ERROR)
      return {kind_of_connection(error_), fmt::format("{}: {}{}", doing, reason_, remedy(error_))};
    return {kind_of(error), fmt::format("{}: {}", doing, rd_kafka_err2str(error))};
  }

  /// What nobody can read there is no damaged message.
  static FaultKind kind_of_connection(rd_kafka_resp_err_t error) {
    return error == RD_KAFKA_RESP_ERR__BAD_MSG ? FaultKind::unavailable : kind_of(error);
  }

  static FaultKind kind_of(rd_kafka_resp_err_t error) {
    switch (error) {
      case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      case RD_KAFKA_RESP_ERR__SSL:
      case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
      case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
      case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
      case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
      case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return FaultKind::misconfigured;
      case RD_KAFKA_RESP_ERR__BAD_MSG:
      case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return FaultKind::corrupt;
      case RD_KAFKA_RESP_ERR__TIMED_OUT:
        return FaultKind::timed_out;
      default:
        return FaultKind::unavailable;
    }
  }

 private:
  mutable std::mutex mutex_;
  rd_kafka_resp_err_t error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string reason_;
};

/// What every callback of a client gets.
struct Told {
  Troubles troubles;
  Producer::Delivered delivered;
};

void on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  static_cast<Told*>(opaque)->troubles.note(static_cast<rd_kafka_resp_err_t>(error), reason);
}

/// librdkafka logs every lost connection, of every client, again and again: our own log says it once, as a fault.
void on_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  constexpr int critical = 2;
  if (level <= critical) log::error("librdkafka", {{"facility", facility}, {"text", text}});
}

Result<void> set(rd_kafka_conf_t* conf, const char* key, const std::string& value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, key, value.c_str(), why.data(), why.size()) == RD_KAFKA_CONF_OK) return {};
  return fail(FaultKind::misconfigured, fmt::format("journal_options: {}", why.data()));
}

Result<Conf> conf_of(const Access& access, Told& told) {
  Conf conf(rd_kafka_conf_new());
  const std::pair<const char*, std::string> settings[] = {
      {"bootstrap.servers", access.brokers},
      {"client.id", "firstcome"},
      {"reconnect.backoff.ms", std::to_string(reconnect_first.count())},
      {"reconnect.backoff.max.ms", std::to_string(reconnect_most.count())},
      {"socket.timeout.ms", std::to_string(request_ms_max.count())},
      {"socket.connection.setup.timeout.ms", std::to_string(connect_ms_max.count())},
      {"socket.keepalive.enable", "true"},
      {"socket.nagle.disable", "true"},
      {"retry.backoff.ms", "50"},
      {"log_level", "2"},
  };
  for (const auto& [key, value] : settings) {
    if (auto done = set(conf.get(), key, value); !done) return fail(done.error());
  }
  for (const auto& option : access.options) {
    const auto equals = option.find('=');
    const std::string key = option.substr(0, equals);
    if (auto done = set(conf.get(), key.c_str(), option.substr(equals + 1)); !done) return fail(done.error());
  }
  if (!access.password.empty()) {
    if (auto done = set(conf.get(), "sasl.password", access.password); !done) return fail(done.error());
  }
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_opaque(conf.get(), &told);
  return conf;
}

Result<rd_kafka_t*> client_of(rd_kafka_type_t type, Conf conf) {
  std::array<char, 512> why{};
  rd_kafka_t* const client = rd_kafka_new(type, conf.get(), why.data(), why.size());
  if (!client) return fail(FaultKind::misconfigured, fmt::format("Kafka client: {}", why.data()));
  (void)conf.release();  // it is the client's now
  return client;
}

int as_int(Millis time) { return static_cast<int>(time.count()); }

std::span<const std::uint8_t> bytes_of(const void* bytes, std::size_t size) {
  return {static_cast<const std::uint8_t*>(bytes), bytes ? size : 0};
}

/// librdkafka 2.0.2 waits for ever for a consumer whose topic was deleted: then it is left behind, for the process
/// ends.
void end_consumer(rd_kafka_t* client) {
  std::promise<void> is_over;
  auto over = is_over.get_future();
  std::thread ender([client, is_over = std::move(is_over)]() mutable {
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    is_over.set_value();
  });
  if (over.wait_for(end_ms_max) == std::future_status::ready) return ender.join();
  log::warn("the Kafka client does not end, and is left behind: was the topic deleted?");
  ender.detach();
}

}  // namespace

// --- Consumer ---

struct Consumer::Parts {
  Told told;
  std::string topic;
  rd_kafka_t* client = nullptr;
  Queue queue;
  std::map<std::uint32_t, std::int64_t> reached;
  std::optional<Fault> refusal;
  std::vector<rd_kafka_message_t*> batch;

  ~Parts() {
    queue.reset();
    if (!client) return;
    end_consumer(client);
  }
  Result<std::size_t> take_one(rd_kafka_message_t& message, const std::function<void(const Message&)>& take);
};

Consumer::Consumer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Consumer::~Consumer() = default;
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;

Result<Consumer> Consumer::open(const Access& access, const std::string& topic) {
  auto parts = std::make_unique<Parts>();
  parts->topic = topic;
  auto conf = conf_of(access, parts->told);
  if (!conf) return fail(conf.error());
  const std::pair<const char*, const char*> settings[] = {
      {"group.id", "firstcome"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},  // an offset that is not there is a lost journal, and not the newest message
      {"enable.partition.eof", "true"},
      {"check.crcs", "true"},
      {"max.poll.interval.ms", "86400000"},  // who does not read for a while is no dead member of a group
      {"allow.auto.create.topics", "false"},
      {"fetch.error.backoff.ms", "50"},
      {"fetch.wait.max.ms", "250"},
      // A start reads the whole topic: at the defaults librdkafka pauses whenever it is ahead of us.
      {"queued.min.messages", "1000000"},
      {"queued.max.messages.kbytes", "131072"},
  };
  for (const auto& [key, value] : settings) {
    if (auto done = set(conf->get(), key, value); !done) return fail(done.error());
  }
  auto client = client_of(RD_KAFKA_CONSUMER, std::move(*conf));
  if (!client) return fail(client.error());
  parts->client = *client;
  rd_kafka_poll_set_consumer(parts->client);
  parts->queue.reset(rd_kafka_queue_get_consumer(parts->client));
  return Consumer(std::move(parts));
}

Result<void> Consumer::assign(const std::map<std::uint32_t, std::int64_t>& offsets) {
  const List list(rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const auto& [partition, offset] : offsets) {
    auto* const one =
        rd_kafka_topic_partition_list_add(list.get(), parts_->topic.c_str(), static_cast<std::int32_t>(partition));
    one->offset = offset;
  }
  parts_->reached = offsets;
  if (const auto error = rd_kafka_assign(parts_->client, list.get())) {
    return fail(parts_->told.troubles.fault("assign " + parts_->topic, error));
  }
  return {};
}

Result<std::size_t> Consumer::Parts::take_one(rd_kafka_message_t& message,
                                              const std::function<void(const Message&)>& take) {
  const auto partition = static_cast<std::uint32_t>(message.partition);
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    reached[partition] = std::max(reached[partition], message.offset);
    return 0;
  }
  if (message.err) {
    if (message.partition < 0) return 0;  // of the group, whose rights we do not need
    Fault fault = told.troubles.fault(fmt::format("read {} [{}]", topic, message.partition), message.err);
    if (fault.kind == FaultKind::corrupt) return fail(std::move(fault));
    if (fault.kind == FaultKind::misconfigured) refusal = std::move(fault);
    return 0;  // else a broker that is away, or a leader that moves: librdkafka goes on by itself
  }
  refusal.reset();
  // librdkafka 2.0.2 may give a message again after a leader has moved.
  if (message.offset < reached[partition]) return 0;
  rd_kafka_timestamp_type_t type{};
  const std::int64_t stamp = rd_kafka_message_timestamp(&message, &type);
  take({.partition = partition,
        .offset = message.offset,
        .stamp = Time(Millis(stamp)),
        .stamped_by_broker = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME,
        .key = bytes_of(message.key, message.key_len),
        .body = bytes_of(message.payload, message.len)});
  reached[partition] = message.offset + 1;
  return 1;
}

Result<std::size_t> Consumer::poll(Millis wait, std::size_t messages_max,
                                   const std::function<void(const Message&)>& take) {
  rd_kafka_message_t* const first = rd_kafka_consumer_poll(parts_->client, as_int(wait));
  if (!first) return 0;
  auto taken = parts_->take_one(*first, take);
  rd_kafka_message_destroy(first);
  if (!taken) return taken;
  std::size_t count = *taken;
  // What is here already, without waiting for a batch to fill.
  parts_->batch.resize(messages_max);
  const auto got = rd_kafka_consume_batch_queue(parts_->queue.get(), 0, parts_->batch.data(), messages_max);
  std::optional<Fault> fault;
  for (ssize_t i = 0; i < got; ++i) {
    if (!fault) {
      taken = parts_->take_one(*parts_->batch[static_cast<std::size_t>(i)], take);
      if (taken) {
        count += *taken;
      } else {
        fault = taken.error();
      }
    }
    rd_kafka_message_destroy(parts_->batch[static_cast<std::size_t>(i)]);
  }
  if (fault) return fail(*fault);
  return count;
}

std::int64_t Consumer::reached(std::uint32_t partition) const {
  const auto found = parts_->reached.find(partition);
  return found == parts_->reached.end() ? 0 : found->second;
}

std::optional<Fault> Consumer::refusal() const { return parts_->refusal; }

Result<std::map<std::uint32_t, std::int64_t>> Consumer::ends(std::span<const std::uint32_t> partitions,
                                                             Millis longest) {
  const List list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const std::uint32_t partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), parts_->topic.c_str(), static_cast<std::int32_t>(partition))->offset =
        RD_KAFKA_OFFSET_END;
  }
  const std::string doing = "ask where " + parts_->topic + " ends";
  if (const auto error = rd_kafka_offsets_for_times(parts_->client, list.get(), as_int(longest))) {
    return fail(parts_->told.troubles.fault(doing, error));
  }
  std::map<std::uint32_t, std::int64_t> ends;
  for (int i = 0; i < list->cnt; ++i) {
    const auto& one = list->elems[i];
    if (one.err) return fail(parts_->told.troubles.fault(doing, one.err));
    ends[static_cast<std::uint32_t>(one.partition)] = one.offset;
  }
  return ends;
}

Result<std::int64_t> Consumer::begin(std::uint32_t partition, Millis longest) {
  std::int64_t low = 0, high = 0;
  const auto error = rd_kafka_query_watermark_offsets(
      parts_->client, parts_->topic.c_str(), static_cast<std::int32_t>(partition), &low, &high, as_int(longest));
  if (error) return fail(parts_->told.troubles.fault("ask where " + parts_->topic + " begins", error));
  return low;
}

// --- Producer ---

struct Producer::Parts {
  Told told;
  rd_kafka_t* client = nullptr;
  rd_kafka_topic_t* topic = nullptr;

  ~Parts() {
    if (topic) rd_kafka_topic_destroy(topic);
    if (client) rd_kafka_destroy(client);
  }
};

namespace {

Delivery delivery_of(const rd_kafka_message_t& message) {
  if (!message.err) return Delivery::done;
  switch (rd_kafka_message_status(&message)) {
    case RD_KAFKA_MSG_STATUS_PERSISTED:
      return Delivery::done;
    case RD_KAFKA_MSG_STATUS_NOT_PERSISTED:
      return Delivery::failed;
    default:
      return Delivery::unknown;
  }
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& told = *static_cast<Told*>(opaque);
  told.delivered({.number = reinterpret_cast<std::uintptr_t>(message->_private),
                  .delivery = delivery_of(*message),
                  .partition = static_cast<std::uint32_t>(message->partition),
                  .key = bytes_of(message->key, message->key_len),
                  .body = bytes_of(message->payload, message->len),
                  .why = message->err ? rd_kafka_err2str(message->err) : ""});
}

}  // namespace

Producer::Producer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Producer::~Producer() = default;
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;

Result<Producer> Producer::open(const Access& access, const std::string& topic, std::size_t messages_max,
                                Millis message_ms_max, Delivered delivered) {
  auto parts = std::make_unique<Parts>();
  parts->told.delivered = std::move(delivered);
  auto conf = conf_of(access, parts->told);
  if (!conf) return fail(conf.error());
  const std::pair<const char*, std::string> settings[] = {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      // Without it the first message of a batch travels alone, and the brokers commit twice as often.
      {"linger.ms", "0.5"},
      {"queue.buffering.max.messages", std::to_string(messages_max)},
      // By default five minutes, in which nobody is told anything.
      {"message.timeout.ms", std::to_string(message_ms_max.count())},
      {"request.timeout.ms", std::to_string(std::min(message_ms_max, request_ms_max).count())},
  };
  for (const auto& [key, value] : settings) {
    if (auto done = set(conf->get(), key, value); !done) return fail(done.error());
  }
  rd_kafka_conf_set_dr_msg_cb(conf->get(), on_delivery);
  auto client = client_of(RD_KAFKA_PRODUCER, std::move(*conf));
  if (!client) return fail(client.error());
  parts->client = *client;
  parts->topic = rd_kafka_topic_new(parts->client, topic.c_str(), nullptr);
  if (!parts->topic) {
    return fail(FaultKind::misconfigured, fmt::format("topic {}: {}", topic, rd_kafka_err2str(rd_kafka_last_error())));
  }
  return Producer(std::move(parts));
}

Result<void> Producer::send(std::uint32_t partition, std::uint64_t number, std::span<const std::uint8_t> key,
                            std::span<const std::uint8_t> body) {
  static_assert(sizeof(void*) >= sizeof number);
  void* const opaque =
      reinterpret_cast<void*>(number);  // NOLINT(performance-no-int-to-ptr): librdkafka's only place for it
  const int refused =
      rd_kafka_produce(parts_->topic, static_cast<std::int32_t>(partition), RD_KAFKA_MSG_F_COPY,
                       const_cast<std::uint8_t*>(body.data()), body.size(), key.data(), key.size(), opaque);
  if (!refused) return {};
  const auto error = rd_kafka_last_error();
  const auto kind = error == RD_KAFKA_RESP_ERR__QUEUE_FULL ? FaultKind::overloaded : FaultKind::unavailable;
  return fail(kind, fmt::format("append to the topic: {}", rd_kafka_err2str(error)));
}

void Producer::poll(Millis longest) { rd_kafka_poll(parts_->client, as_int(longest)); }

bool Producer::flush(Millis longest) { return rd_kafka_flush(parts_->client, as_int(longest)) == 0; }

void Producer::purge() {
  rd_kafka_purge(parts_->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  constexpr Millis told_by{5000};  // purging is local
  rd_kafka_flush(parts_->client, as_int(told_by));
}

std::optional<Fault> Producer::fatal() const {
  std::array<char, 512> why{};
  const auto error = rd_kafka_fatal_error(parts_->client, why.data(), why.size());
  if (!error) return {};
  return Fault{FaultKind::unavailable, fmt::format("the idempotent producer broke: {}", why.data())};
}

void Producer::break_sequence() {
  rd_kafka_test_fatal_error(parts_->client, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "broken by a test");
}

// --- Admin ---

struct Admin::Parts {
  Told told;
  rd_kafka_t* client = nullptr;
  ~Parts() {
    if (client) rd_kafka_destroy(client);
  }
  Result<std::map<std::string, std::string, std::less<>>> config(rd_kafka_ResourceType_t type, const std::string& name,
                                                                 Millis longest);
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
  const std::string doing = "ask for the settings of " + name;
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

Result<std::optional<Topic>> Admin::describe(const std::string& name, Millis longest) {
  rd_kafka_topic_t* const handle = rd_kafka_topic_new(parts_->client, name.c_str(), nullptr);
  if (!handle) return fail(FaultKind::misconfigured, fmt::format("\"{}\" cannot be a topic's name", name));
  auto metadata = Metadata::ask(parts_->client, parts_->told.troubles, handle, longest);
  rd_kafka_topic_destroy(handle);
  if (!metadata) return fail(metadata.error());
  Topic topic;
  for (int i = 0; i < (*metadata)->topic_cnt; ++i) {
    const auto& one = (*metadata)->topics[i];
    if (one.topic != name) continue;
    if (one.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) return std::nullopt;
    if (one.err) return fail(parts_->told.troubles.fault("ask for topic " + name, one.err));
    topic.partitions = static_cast<std::uint32_t>(one.partition_cnt);
    for (int j = 0; j < one.partition_cnt; ++j) {
      const auto replicas = static_cast<std::uint32_t>(one.partitions[j].replica_cnt);
      topic.replication = j == 0 ? replicas : std::min(topic.replication, replicas);
    }
  }
  if (topic.partitions == 0) return std::nullopt;
  auto config = parts_->config(RD_KAFKA_RESOURCE_TOPIC, name, longest);
  if (!config) return fail(config.error());
  topic.config = std::move(*config);
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
