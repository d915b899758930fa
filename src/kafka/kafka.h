#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

/// Kafka in our words: librdkafka is known to kafka.cc only.
namespace firstcome::kafka {

/// How to reach the brokers.
struct Access {
  std::string brokers;               ///< HOST:PORT,...
  std::vector<std::string> options;  ///< KEY=VALUE of librdkafka, for TLS and SASL
  std::string password;              ///< of SASL; in no text
};

/// A fault of the brokers as a client sees it: what was asked of whom, and what came of it.
///
///   misconfigured  refused by TLS, SASL or an access list; an option that librdkafka does not know
///   timed_out      asked, and no answer came
///   unavailable    everything else

struct Message {
  std::uint32_t partition = 0;
  std::int64_t offset = 0;
  Time stamp;
  bool stamped_by_broker = false;
  std::span<const std::uint8_t> key;  ///< valid until the callback returns, as is `body`
  std::span<const std::uint8_t> body;
};

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
  Result<void> assign(const std::map<std::uint32_t, std::int64_t>& offsets);

  /// Waits for the next message, gives it and those that are here already to `take`, at most `messages_max`. Returns
  /// how many; 0 when none came within `wait`.
  ///
  ///   Fails   corrupt: a message is damaged, or an assigned offset is not there (any more). A broker that cannot be
  ///           reached, or refuses, is no fault here: messages come when it is back, or lets us again (see refusal()).
  Result<std::size_t> poll(Millis wait, std::size_t messages_max, const std::function<void(const Message&)>& take);

  /// Why no messages come, if a broker refuses to give them. For the polling thread.
  std::optional<Fault> refusal() const;

  /// Up to where a partition has been read, control records too: the offset behind the last one. For the polling
  /// thread.
  std::int64_t reached(std::uint32_t partition) const;

  /// The offset behind the last message of each assigned partition, as its leader says now.
  Result<std::map<std::uint32_t, std::int64_t>> ends(std::span<const std::uint32_t> partitions, Millis longest);

  /// The offset of the first message that is there.
  Result<std::int64_t> begin(std::uint32_t partition, Millis longest);

 private:
  struct Parts;
  explicit Consumer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

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
    std::span<const std::uint8_t> key, body;  ///< of the message, to send it again
    std::string why;
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

/// A topic as the brokers describe it.
struct Topic {
  std::uint32_t partitions = 0;
  std::uint32_t replication = 0;  ///< of its partition with the fewest replicas
  std::map<std::string, std::string, std::less<>> config;
};

class Admin {
 public:
  static Result<Admin> open(const Access& access);
  ~Admin();
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;

  /// None: there is no such topic.
  Result<std::optional<Topic>> describe(const std::string& topic, Millis longest);

  Result<std::uint32_t> brokers(Millis longest);

  /// The settings of the first broker that answers.
  Result<std::map<std::string, std::string, std::less<>>> broker_config(Millis longest);

  /// misconfigured: it is there already, or the brokers do not let us.
  Result<void> create(const std::string& topic, std::uint32_t partitions, std::uint32_t replication,
                      const std::map<std::string, std::string, std::less<>>& config, Millis longest);

 private:
  struct Parts;
  explicit Admin(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firstcome::kafka
