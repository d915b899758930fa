#pragma once

#include <cstdint>
#include <optional>

#include "kafka/kafka_consumer.h"

namespace firstcome {

/// Where partitions end at least, by all that was told so far, whoever said it: a leader never tells less than what was
/// told before it was asked (KIP-207 of Kafka). Who does is the leader no more, but cut off from those who chose
/// another; or what was there is lost.
class ToldEnds {
 public:
  void learn(const kafka::Offsets& ends);

  struct Behind {
    std::uint32_t partition = 0;
    std::int64_t end = 0;     ///< as it was told now
    std::int64_t before = 0;  ///< and before
  };
  /// Of `ends` that were asked for after all that was learnt: the first that is less. If there is none they are learnt.
  std::optional<Behind> look(const kafka::Offsets& ends);

 private:
  kafka::Offsets told_;
};

}  // namespace firstcome
