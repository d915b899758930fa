#include "kafka/fake_broker.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <cstdint>

#include "base/assert.h"

namespace firstcome::kafka {

struct FakeBroker::Parts {
  rd_kafka_t* client = nullptr;
  rd_kafka_mock_cluster_t* cluster = nullptr;

  ~Parts() {
    if (cluster) rd_kafka_mock_cluster_destroy(cluster);
    if (client) rd_kafka_destroy(client);
  }
};

FakeBroker::FakeBroker() : parts_(std::make_unique<Parts>()) {
  std::array<char, 512> why{};
  rd_kafka_conf_t* const conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "log_level", "2", why.data(), why.size());  // else it misses brokers, which it is itself
  parts_->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  MUST(parts_->client != nullptr, why.data());
  parts_->cluster = rd_kafka_mock_cluster_new(parts_->client, 1);
  MUST(parts_->cluster != nullptr, "a broker in this process can be made");
}

FakeBroker::~FakeBroker() = default;

std::string FakeBroker::address() const { return rd_kafka_mock_cluster_bootstraps(parts_->cluster); }

void FakeBroker::break_next_batch() {
  constexpr std::int16_t produce = 0;  // the request's number in Kafka's protocol
  rd_kafka_mock_push_request_errors(parts_->cluster, produce, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
}

void FakeBroker::go_away() { rd_kafka_mock_broker_set_down(parts_->cluster, 1); }

}  // namespace firstcome::kafka
