#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "kafka/kafka_access.h"

namespace firstcome::kafka {

struct Message {
  std::uint32_t partition = 0;
  std::int64_t offset = 0;
  Time stamp;
  bool stamped_by_broker = false;
  std::span<const std::uint8_t> key;  ///< valid until the callback returns, as is `body`
  std::span<const std::uint8_t> body;
};

using Offsets = std::map<std::uint32_t, std::int64_t>;  ///< by partition

/// Reads partitions of one topic, each from an offset on, without a consumer group.
///
///   Threads   one at a time; ends() from another one too.
class Consumer {
 public:
  static Result<Consumer> open(const Access& access, const std::string& topic);
  ~Consumer();
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;

  /// From now on exactly these partitions, from these offsets.
  Result<void> assign(const Offsets& offsets);

  /// Waits for the next message, gives it and those that are here already to `take`, at most `messages_max`. Returns
  /// how many; 0 when none came within `wait`.
  ///
  ///   Fails   corrupt: a message is damaged. unavailable: where it reads there is nothing (any more), as that broker
  ///           says; it reads no further. A broker that cannot be reached, or refuses, is no fault here: messages come
  ///           when it is back, or lets us again (see refusal()).
  Result<std::size_t> poll(Millis wait, std::size_t messages_max, const std::function<void(const Message&)>& take);

  /// Why no messages come, if a broker refuses to give them. For the polling thread.
  std::optional<Fault> refusal() const;
  void forget_refusal();

  /// Up to where a partition has been read, control records too: the offset behind the last one. For the polling
  /// thread.
  std::int64_t reached(std::uint32_t partition) const;

  /// The offset behind the last message of each assigned partition, as its leader says now.
  Result<Offsets> ends(std::span<const std::uint32_t> partitions, Millis longest);

  /// The offset of the first message of each that is there.
  Result<Offsets> begins(std::span<const std::uint32_t> partitions, Millis longest);

 private:
  struct Parts;
  explicit Consumer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firstcome::kafka
