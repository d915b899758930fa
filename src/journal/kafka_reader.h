#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "journal/kafka_topic.h"
#include "kafka/kafka_consumer.h"
#include "model/entry.h"

namespace firstcome {

/// What stands behind the key of a message: who appended it, and as what. Others' keys are others' affair.
struct KafkaKey {
  std::uint64_t node = 0;
  std::uint64_t number = 0;
  std::array<std::uint8_t, 16> bytes() const;
  static std::optional<KafkaKey> of(std::span<const std::uint8_t> bytes);
};

/// Reads a topic as a journal: every entry of every partition from the first one on.
///
///   Position   the offset + 1.
///   Skipped    a message that is no entry of ours, wherever it stands, or that has a client's stamp, which is nobody's
///              time: so it is for everybody who reads it. Counted.
///   Fails      corrupt: a damaged entry, a first entry that is no installation, or one of another installation than
///              partition 0's; another message than was read, after exchange(). misconfigured: an entry of a newer
///              firstcome; an installation with a client's stamp. unavailable: the broker says that there is nothing
///              where it reads; another connection is needed.
///   Threads    one at a time; ends() from another one too.
class KafkaReader {
 public:
  /// Finds the installation, and stands before the first entry. unavailable, timed_out: the brokers cannot be reached.
  static Result<KafkaReader> open(const KafkaPlace& place);

  const Installation& installation() const { return installation_; }

  struct Read {
    Shown shown;
    std::optional<KafkaKey> key;
  };
  /// Adds the next entries to `into`; waits for the first one up to `wait`.
  Result<void> read(Millis wait, std::vector<Read>& into);

  using Ends = kafka::Offsets;  ///< by partition: the offset behind the last message
  Result<Ends> ends(Millis longest);

  /// Of entries that the last read() has skipped, for who sent them.
  const std::vector<KafkaKey>& skipped_keys() const { return skipped_keys_; }

  /// Has everything up to there been read?
  bool has_reached(const Ends& ends) const;

  /// Up to where each partition has been read.
  Ends reached() const;

  /// Is the first entry still the one that was read? A topic that was deleted and made anew has another one. And does
  /// each partition still begin with its first entry? Returns the ends, as a connection of its own was told.
  Result<Ends> check_begin(Millis longest) const;

  /// Another connection, which may find other leaders than that of this reader.
  Result<kafka::Consumer> connect() const { return kafka::Consumer::open(place_.access, place_.topic); }

  /// Goes on by that one from the last message of each partition, which must be the one that was read, and hands back
  /// the connection that it had. Not beside another call.
  Result<void> exchange(kafka::Consumer& other);

  /// Why nothing comes, if a broker refuses to give it.
  std::optional<Fault> refusal() const { return consumer_.refusal(); }
  void forget_refusal() { consumer_.forget_refusal(); }

  std::uint64_t skipped() const { return skipped_; }
  std::string skipped_last() const;  ///< where the last of them stands

 private:
  KafkaReader(KafkaPlace place, kafka::Consumer consumer, const Installation& installation)
      : place_(std::move(place)), consumer_(std::move(consumer)), installation_(installation) {}
  struct Last {  // message that was read of a partition
    std::int64_t offset = 0;
    Time stamp;
    std::uint64_t hash = 0;
    bool is_due_again = false;  // by the present connection
  };

  Result<void> take(const kafka::Message& message, std::vector<Read>& into);
  Result<bool> is_last_again(const kafka::Message& message);
  void skip(const kafka::Message& message);

  KafkaPlace place_;
  kafka::Consumer consumer_;
  Installation installation_;
  std::vector<std::uint32_t> partitions_;
  std::vector<bool> installed_;  // by partition
  std::map<std::uint32_t, Last> last_;
  std::uint64_t skipped_ = 0;
  std::pair<std::uint32_t, std::int64_t> skipped_last_;  // partition and offset
  std::vector<KafkaKey> skipped_keys_;
};

/// The installation records of partitions 0..partitions-1, where there are any; of partition 0's number of them, if it
/// has one. corrupt: an entry of ours stands before it, or two differ.
Result<std::map<std::uint32_t, Installation>> find_installations(const KafkaPlace& place, std::uint32_t partitions);

/// Reads the whole journal once, up to where it ends now, without changing anything, and shows it in batches.
Result<void> read_kafka_journal(const KafkaPlace& place, const std::function<void(std::span<const Shown>)>& show);

}  // namespace firstcome
