#include "kafka/kafka_producer.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>

#include "kafka/kafka_client.h"

namespace firstcome::kafka {

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
                  .offset = message->offset,
                  .key = bytes_of(message->key, message->key_len),
                  .body = bytes_of(message->payload, message->len),
                  .why = message->err ? told.troubles.fault("append to the topic", message->err)
                                      : Fault{FaultKind::unavailable, ""}});
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
  Fault fault = parts_->told.troubles.fault("append to the topic", error);
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) fault.kind = FaultKind::overloaded;
  return fail(std::move(fault));
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
  const auto cause = rd_kafka_fatal_error(parts_->client, why.data(), why.size());
  if (!cause) return {};
  if (Troubles::kind_of(cause) == FaultKind::misconfigured) {  // in words that are the same at each broker
    return Fault{FaultKind::misconfigured,
                 fmt::format("append to the topic: {}{}", rd_kafka_err2str(cause), Troubles::remedy(cause))};
  }
  return Fault{FaultKind::unavailable, fmt::format("the idempotent producer broke: {}", why.data())};
}

void Producer::break_sequence() {
  rd_kafka_test_fatal_error(parts_->client, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "broken by a test");
}

}  // namespace firstcome::kafka
