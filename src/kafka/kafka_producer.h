#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "kafka/kafka_access.h"

namespace firstcome::kafka {

/// What became of a message that was sent.
enum class Delivery : std::uint8_t { done, failed, unknown };

/// Sends to one topic, idempotently, acknowledged by all replicas in sync.
///
///   Order     messages of a partition stand in the order of send().
///   Told      each message that send() took is told to `delivered` once, from poll(), flush() or purge().
///   Bounds    send() refuses (overloaded) beyond `messages_max` untold messages.
///   Threads   send() from any; all else one at a time.
class Producer {
 public:
  struct Report {
    std::uint64_t number = 0;  ///< that send() was given
    Delivery delivery = Delivery::done;
    std::uint32_t partition = 0;
    std::int64_t offset = -1;                 ///< where one that is done stands; negative: not known
    std::span<const std::uint8_t> key, body;  ///< of the message, to send it again
    /// Of one that is not done; misconfigured: the brokers refuse what we may not do.
    Fault why{FaultKind::unavailable, ""};
  };
  using Delivered = std::function<void(const Report&)>;

  static Result<Producer> open(const Access& access, const std::string& topic, std::size_t messages_max,
                               Millis message_ms_max, Delivered delivered);
  ~Producer();
  Producer(Producer&&) noexcept;
  Producer& operator=(Producer&&) noexcept;

  Result<void> send(std::uint32_t partition, std::uint64_t number, std::span<const std::uint8_t> key,
                    std::span<const std::uint8_t> body);

  /// Tells what has been delivered; waits for the first of it.
  void poll(Millis longest);

  /// Waits until all is told, or the time is over. False: not all.
  bool flush(Millis longest);

  /// Gives up what is not delivered: each message is told as failed or unknown.
  void purge();

  /// The producer is of no more use, and this is why: open another.
  std::optional<Fault> fatal() const;

  /// For tests: as if the broker had broken the idempotent sequence.
  void break_sequence();

 private:
  struct Parts;
  explicit Producer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firstcome::kafka
