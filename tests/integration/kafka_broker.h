#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "journal/kafka_topic.h"
#include "own_process.h"

struct rd_kafka_s;

namespace firstcome {

/// A Kafka broker of this test alone, in a temporary folder, on free ports. Its jars are those of `./x servers up`, as
/// TEST_KAFKA_JARS names them.
class KafkaBroker {
 public:
  using Config = std::map<std::string, std::string>;

  /// `config` of the broker, besides what makes it small; "" leaves a key out.
  explicit KafkaBroker(const Config& config = {});

  /// Another one in the cluster of `first`, with a node.id of its own in `config`.
  KafkaBroker(const KafkaBroker& first, const Config& config);
  ~KafkaBroker();
  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  std::string address() const;  ///< 127.0.0.1:PORT

  void kill() { process_.kill(); }
  void stop();    ///< as an operator does
  void start() {  ///< until it answers
    launch();
    await();
  }
  void launch();
  void await();

  /// Changes a byte of the record that holds `text`, and makes the checksum of its batch right again: what a bad
  /// program does, and a bad disk does not. Of a broker that is stopped.
  void damage(const std::string& topic, std::string_view text);

 private:
  void make(Config own, const Config& config);

  std::string folder_;
  std::uint16_t port_, controller_port_;
  OwnProcess process_;
};

/// What an operator does to a topic with Kafka's own tools.
Result<void> add_partitions(const KafkaPlace& place, std::size_t partitions);
Result<void> delete_topic(const KafkaPlace& place);
Result<void> set_config(const KafkaPlace& place, const kafka::Config& config);

/// A message of somebody else who writes in a transaction, and leaves it open for as long as this lives.
class OpenTransaction {
 public:
  explicit OpenTransaction(const KafkaPlace& place);
  ~OpenTransaction();
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;

 private:
  rd_kafka_s* client_ = nullptr;
};

/// The first `offset` messages of a partition are gone.
Result<void> delete_records(const KafkaPlace& place, std::uint32_t partition, std::int64_t offset);

}  // namespace firstcome
