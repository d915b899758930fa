#pragma once

#include <librdkafka/rdkafka.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "kafka/kafka_access.h"
#include "kafka/kafka_producer.h"

/// What consumer, producer and admin share of librdkafka.
namespace firstcome::kafka {

constexpr Millis request_ms_max{3000};  // an answer of a broker; a half-open link is cut then

struct FreeConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, FreeConf>;

struct FreeQueue {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};
using Queue = std::unique_ptr<rd_kafka_queue_t, FreeQueue>;

/// What a client was told about its connections lately: a call that timed out says only that it timed out.
class Troubles {
 public:
  void note(rd_kafka_resp_err_t error, std::string reason);
  Fault fault(std::string_view doing, rd_kafka_resp_err_t error) const;

  static FaultKind kind_of(rd_kafka_resp_err_t error);

  /// "; what a person may do", or nothing.
  static std::string_view remedy(rd_kafka_resp_err_t error);

 private:
  /// What nobody can read there is no damaged message.
  static FaultKind kind_of_connection(rd_kafka_resp_err_t error);

  static constexpr Millis lately{30'000};  // librdkafka tries again, and says so, every 10 s at least

  mutable std::mutex mutex_;
  Uptime noted_{};
  rd_kafka_resp_err_t error_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  std::string reason_;
};

/// What every callback of a client gets.
struct Told {
  Troubles troubles;
  Producer::Delivered delivered;
};

Result<void> set(rd_kafka_conf_t* conf, const char* key, const std::string& value);

/// What every client needs, and the options of `access`. `told` must outlive the client.
Result<Conf> conf_of(const Access& access, Told& told);

Result<rd_kafka_t*> client_of(rd_kafka_type_t type, Conf conf);

inline int as_int(Millis time) { return static_cast<int>(time.count()); }

inline std::span<const std::uint8_t> bytes_of(const void* bytes, std::size_t size) {
  return {static_cast<const std::uint8_t*>(bytes), bytes ? size : 0};
}

}  // namespace firstcome::kafka
