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
    unsigned times_in_a_row = 0;
  };
  /// Of `ends` that were asked for after all that was learnt: the first that is less. If there is none they are learnt.
  std::optional<Behind> look(const kafka::Offsets& ends);

  /// What nobody tells any more is lost. It is not learnt again.
  void give_up(const Behind& behind);

 private:
  kafka::Offsets told_, lost_;
  unsigned times_in_a_row_ = 0;
};

}  // namespace firstcome
