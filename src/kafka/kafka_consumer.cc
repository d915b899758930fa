// DESIGN
//   A consumer has a group's name, since assign() wants one, but no group is ever joined and no offset committed.
#include "kafka/kafka_consumer.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "base/log.h"
#include "kafka/kafka_client.h"

namespace firstcome::kafka {
namespace {

constexpr Millis end_ms_max{5000};

struct FreeList {
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
};
using List = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeList>;

/// librdkafka 2.0.2 waits for ever for a consumer whose topic was deleted: then it is left behind, with what its
/// callbacks need.
void end_consumer(rd_kafka_t* client, std::shared_ptr<Told> told) {
  std::promise<void> is_over;
  auto over = is_over.get_future();
  std::thread ender([client, told = std::move(told), is_over = std::move(is_over)]() mutable {
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    is_over.set_value();
  });
  if (over.wait_for(end_ms_max) == std::future_status::ready) return ender.join();
  log::warn("the Kafka client does not end, and is left behind: was the topic deleted?");
  ender.detach();
}

}  // namespace

struct Consumer::Parts {
  std::shared_ptr<Told> told = std::make_shared<Told>();
  std::string topic;
  rd_kafka_t* client = nullptr;
  Queue queue;
  std::map<std::uint32_t, std::int64_t> reached;
  std::optional<Fault> refusal;
  std::vector<rd_kafka_message_t*> batch;

  ~Parts() {
    queue.reset();
    if (!client) return;
    end_consumer(client, told);
  }
  Result<std::size_t> take_one(rd_kafka_message_t& message, const std::function<void(const Message&)>& take);
  Result<Offsets> ask(std::span<const std::uint32_t> partitions, std::int64_t which, Millis longest,
                      std::string_view what);
};

Consumer::Consumer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Consumer::~Consumer() = default;
Consumer::Consumer(Consumer&&) noexcept = default;
Consumer& Consumer::operator=(Consumer&&) noexcept = default;

Result<Consumer> Consumer::open(const Access& access, const std::string& topic) {
  auto parts = std::make_unique<Parts>();
  parts->topic = topic;
  auto conf = conf_of(access, *parts->told);
  if (!conf) return fail(conf.error());
  const std::pair<const char*, const char*> settings[] = {
      {"group.id", "firstcome"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},  // where nothing is there is no reason to go on at the newest message
      {"enable.partition.eof", "true"},
      // By default a transaction that somebody else leaves open holds us up; none of our messages is in one.
      {"isolation.level", "read_uncommitted"},
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
    return fail(parts_->told->troubles.fault("assign topic " + parts_->topic, error));
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
    // Of the group, whose rights we do not need.
    if (message.partition < 0 || message.err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) return 0;
    Fault fault = told->troubles.fault(fmt::format("read topic {} [{}]", topic, message.partition), message.err);
    if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) return fail(std::move(fault));
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
  rd_kafka_poll(parts_->client, 0);
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
void Consumer::forget_refusal() { parts_->refusal.reset(); }

/// Of rd_kafka_query_watermark_offsets(), which is made for this, the time-out does not hold before librdkafka 2.3: a
/// broker that goes away in the middle of the question is waited for.
Result<Offsets> Consumer::Parts::ask(std::span<const std::uint32_t> partitions, std::int64_t which, Millis longest,
                                     std::string_view what) {
  if (partitions.empty()) return Offsets{};
  const List list(rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size())));
  for (const std::uint32_t partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<std::int32_t>(partition))->offset = which;
  }
  const std::string doing = "ask where topic " + topic + " " + std::string(what);
  const auto error = rd_kafka_offsets_for_times(client, list.get(), as_int(longest));
  rd_kafka_poll(client, 0);  // what the callbacks have to say of it, though nobody may read meanwhile
  if (error) return fail(told->troubles.fault(doing, error));
  Offsets offsets;
  for (int i = 0; i < list->cnt; ++i) {
    const auto& one = list->elems[i];
    if (one.err) return fail(told->troubles.fault(doing, one.err));
    offsets[static_cast<std::uint32_t>(one.partition)] = one.offset;
  }
  return offsets;
}

Result<Offsets> Consumer::ends(std::span<const std::uint32_t> partitions, Millis longest) {
  return parts_->ask(partitions, RD_KAFKA_OFFSET_END, longest, "ends");
}

Result<Offsets> Consumer::begins(std::span<const std::uint32_t> partitions, Millis longest) {
  return parts_->ask(partitions, RD_KAFKA_OFFSET_BEGINNING, longest, "begins");
}

}  // namespace firstcome::kafka
