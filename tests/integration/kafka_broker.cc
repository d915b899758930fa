#include "kafka_broker.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "base/assert.h"
#include "kafka/kafka_admin.h"

namespace firstcome {
namespace {

std::string jars() {
  const char* const named = std::getenv("TEST_KAFKA_JARS");
  MUST(named && std::filesystem::is_directory(named),
       "TEST_KAFKA_JARS names the jars of a Kafka broker (tools/x/servers.sh says where): ./x servers up fetches them");
  return std::string(named) + "/*";
}

/// CRC-32C (Castagnoli), bit by bit.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82F63B78U & (0U - (crc & 1U)));
  }
  return ~crc;
}

std::uint32_t read_u32(std::string_view bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
  return number;
}

void write_u32(std::uint32_t number, char* to) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(number >> (24 - 8 * i));
}

}  // namespace

KafkaBroker::KafkaBroker(const Config& config) : port_(free_port()), controller_port_(free_port()) {
  make({{"process.roles", "broker,controller"},
        {"node.id", "1"},
        {"listeners", fmt::format("PLAINTEXT://{},CONTROLLER://127.0.0.1:{}", address(), controller_port_)}},
       config);
}

KafkaBroker::KafkaBroker(const KafkaBroker& first, const Config& config)
    : port_(free_port()), controller_port_(first.controller_port_) {
  make({{"process.roles", "broker"}, {"listeners", "PLAINTEXT://" + address()}}, config);
}

void KafkaBroker::make(Config own, const Config& config) {
  std::string name = (std::filesystem::temp_directory_path() / "firstcome-kafka-XXXXXX").string();
  MUST(mkdtemp(name.data()) != nullptr, "a temporary folder can be made");
  folder_ = name;
  Config all{{"controller.quorum.voters", fmt::format("1@127.0.0.1:{}", controller_port_)},
             {"controller.listener.names", "CONTROLLER"},
             {"advertised.listeners", "PLAINTEXT://" + address()},
             {"listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"},
             {"log.dirs", folder_ + "/data"},
             {"auto.create.topics.enable", "false"},
             {"offsets.topic.replication.factor", "1"},
             {"unclean.leader.election.enable", "false"},
             {"controlled.shutdown.enable", "false"}};
  all.merge(own);
  for (const auto& [key, value] : config) all[key] = value;
  {
    std::ofstream file(folder_ + "/server.properties");
    for (const auto& [key, value] : all) {
      if (!value.empty()) file << key << "=" << value << "\n";
    }
  }
  const auto made =
      std::system(fmt::format("java -cp '{1}' kafka.tools.StorageTool format -t firstcome-for-testing0 -c "
                              "{0}/server.properties >{0}/log 2>&1",
                              folder_, jars())
                      .c_str());
  MUST(made == 0, "the broker's folder can be made; its last words are in " + folder_ + "/log");
  start();
}

KafkaBroker::~KafkaBroker() {
  process_.kill();
  std::filesystem::remove_all(folder_);
}

std::string KafkaBroker::address() const { return fmt::format("127.0.0.1:{}", port_); }

void KafkaBroker::stop() { process_.end(SIGTERM); }

void KafkaBroker::launch() {
  process_.start({"java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", jars(), "kafka.Kafka",
                  folder_ + "/server.properties"},
                 folder_ + "/log");
}

void KafkaBroker::await() {
  auto admin = kafka::Admin::open({.brokers = address(), .options = {}, .password = {}}).value();
  constexpr int tries_max = 60;
  for (int tries = 0; !admin.brokers(Millis(1000)); ++tries) {
    MUST(tries < tries_max && process_.is_alive(), "the broker starts; its last words are in " + folder_ + "/log");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void KafkaBroker::damage(const std::string& topic, std::string_view text) {
  // A record batch: base offset (8), length of what follows (4), leader's epoch (4), magic (1), checksum (4) of the
  // rest.
  constexpr std::size_t head = 12, checksum_at = 17, checked_from = 21;
  const std::string path = folder_ + "/data/" + topic + "-0/00000000000000000000.log";
  std::ifstream in(path, std::ios::binary);
  std::string log{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto at = log.find(text);
  MUST(at != std::string::npos, "the topic holds the text");
  log[at] = static_cast<char>(log[at] ^ 1);
  for (std::size_t batch = 0; batch + head < log.size();) {
    const std::size_t size = head + read_u32(std::string_view(log).substr(batch + 8));
    if (at < batch + size) {
      write_u32(crc32c(std::string_view(log).substr(batch + checked_from, size - checked_from)),
                &log[batch + checksum_at]);
      break;
    }
    batch += size;
  }
  std::ofstream(path, std::ios::binary) << log;
}

namespace {

/// A client of its own for one call, which `ask` makes and whose answer it waits for.
Result<void> as_operator(const KafkaPlace& place, const std::function<void(rd_kafka_t*, rd_kafka_queue_t*)>& ask) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", place.access.brokers.c_str(), why.data(), why.size());
  rd_kafka_t* const client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  MUST(client != nullptr, why.data());
  rd_kafka_queue_t* const queue = rd_kafka_queue_new(client);
  ask(client, queue);
  constexpr int answer_ms_max = 20'000;
  rd_kafka_event_t* const event = rd_kafka_queue_poll(queue, answer_ms_max);
  const auto error = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
  const Result<void> result = error ? fail(FaultKind::unavailable, rd_kafka_err2str(error)) : Result<void>{};
  if (event) rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(client);
  return result;
}

}  // namespace

Result<void> add_partitions(const KafkaPlace& place, std::size_t partitions) {
  return as_operator(place, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    std::array<char, 512> why{};
    rd_kafka_NewPartitions_t* more =
        rd_kafka_NewPartitions_new(place.topic.c_str(), partitions, why.data(), why.size());
    rd_kafka_CreatePartitions(client, &more, 1, nullptr, queue);
    rd_kafka_NewPartitions_destroy(more);
  });
}

Result<void> delete_topic(const KafkaPlace& place) {
  return as_operator(place, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_DeleteTopic_t* topic = rd_kafka_DeleteTopic_new(place.topic.c_str());
    rd_kafka_DeleteTopics(client, &topic, 1, nullptr, queue);
    rd_kafka_DeleteTopic_destroy(topic);
  });
}

Result<void> set_config(const KafkaPlace& place, const kafka::Config& config) {
  return as_operator(place, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_ConfigResource_t* topic = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, place.topic.c_str());
    for (const auto& [key, value] : config) rd_kafka_ConfigResource_set_config(topic, key.c_str(), value.c_str());
    rd_kafka_AlterConfigs(client, &topic, 1, nullptr, queue);
    rd_kafka_ConfigResource_destroy(topic);
  });
}

Result<void> delete_records(const KafkaPlace& place, std::uint32_t partition, std::int64_t offset) {
  return as_operator(place, [&](rd_kafka_t* client, rd_kafka_queue_t* queue) {
    rd_kafka_topic_partition_list_t* const where = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(where, place.topic.c_str(), static_cast<std::int32_t>(partition))->offset =
        offset;
    rd_kafka_DeleteRecords_t* records = rd_kafka_DeleteRecords_new(where);
    rd_kafka_DeleteRecords(client, &records, 1, nullptr, queue);
    rd_kafka_DeleteRecords_destroy(records);
    rd_kafka_topic_partition_list_destroy(where);
  });
}

OpenTransaction::OpenTransaction(const KafkaPlace& place) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", place.access.brokers.c_str(), why.data(), why.size());
  rd_kafka_conf_set(conf, "transactional.id", place.topic.c_str(), why.data(), why.size());
  client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  MUST(client_ != nullptr, why.data());
  constexpr int longest_ms = 30'000;
  const auto must = [](rd_kafka_error_t* error) { MUST(error == nullptr, rd_kafka_error_string(error)); };
  must(rd_kafka_init_transactions(client_, longest_ms));
  must(rd_kafka_begin_transaction(client_));
  const std::string body = "of somebody else";
  MUST(rd_kafka_producev(client_, RD_KAFKA_V_TOPIC(place.topic.c_str()), RD_KAFKA_V_PARTITION(0),
                         RD_KAFKA_V_VALUE(const_cast<char*>(body.data()), body.size()),
                         RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR,
       "the message is taken");
  MUST(rd_kafka_flush(client_, longest_ms) == RD_KAFKA_RESP_ERR_NO_ERROR, "the message is written");
}

OpenTransaction::~OpenTransaction() {
  constexpr int longest_ms = 10'000;
  if (rd_kafka_error_t* const error = rd_kafka_abort_transaction(client_, longest_ms)) rd_kafka_error_destroy(error);
  rd_kafka_destroy(client_);
}

}  // namespace firstcome
