#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "journal/journal.h"
#include "journal/kafka_reader.h"
#include "kafka/kafka_consumer.h"
#include "kafka/kafka_producer.h"

namespace firstcome {

/// Sends entries to the topic, and knows of each until it was seen there, or given up.
///
///   Order     entries of a partition stand in the order of send().
///   Batches   while a batch of a partition is on its way, what comes for that partition waits for the next one: a
///   commit
///             of the brokers is shared by all who wait, and librdkafka, which burns a core while messages queue behind
///             its requests, never has such a queue.
///   Given up  an entry that was not acknowledged after `append_ms_max`: half of it to wait for its turn, half on its
///   way.
///             told as failed if it cannot have been written, else as unknown.
///   Repeated  when the idempotent producer breaks (fatal), another one takes its place, and its tickets without a
///             report are sent once more, if it comes in their time; an operator's entry is not.
///   Pauses    after a producer that took another's place, and broke before anything was acknowledged: from 100 ms to
///             5 s, in which all wait for their turn. So too where none can be opened.
///   Threads   send(), seen(), skipped(), refusal() and stats() from any; the rest on one.
///   Bounds    `append_entries_max` entries are known at once; beyond, send() fails with overloaded.
class KafkaSender {
 public:
  struct Options {
    KafkaPlace place;
    Clock& clock;
    std::uint64_t node = 0;  ///< in the keys of our messages
    std::size_t append_entries_max = 0;
    Millis append_ms_max{};
  };

  static Result<std::unique_ptr<KafkaSender>> open(Options options);
  ~KafkaSender();

  Result<void> send(std::uint32_t partition, const Entry& entry, AppendTag tag);

  /// It stands in the topic: nobody waits for its report. Returns when it was sent, if it was known.
  std::optional<Time> seen(std::uint64_t number);

  /// It stands in the topic, and everybody skips it.
  void skipped(std::uint64_t number);

  /// Appends that will never be seen, since the last call, and why.
  struct Failed {
    std::vector<AppendTag> tags;
    std::string why;
  };
  Failed take_failed();

  /// Why the brokers take nothing from this node, if that was so in the last 10 s: only a person can mend it. Any
  /// thread.
  std::optional<Fault> refusal() const;

  /// Where each partition ended at least, by what was acknowledged. Any thread.
  kafka::Offsets acknowledged() const;

  /// Refuses from now on.
  void close();

  std::size_t waiting() const;

  /// After close(): waits until all are seen or told, gives up the others, ends the thread. Idempotent.
  void stop();

  struct Stats {
    std::atomic<std::uint64_t> batches{0};
    std::atomic<std::uint64_t> sent{0};       ///< entries in them
    std::atomic<double> batch_seconds{0};     ///< until all of a batch was acknowledged; sum
    std::atomic<std::uint64_t> producers{0};  ///< that broke
    std::atomic<std::uint64_t> sent_again{0};
    std::atomic<std::uint64_t> unknown{0};
    std::atomic<std::uint64_t> failed{0};
  };
  const Stats& stats() const { return stats_; }

  /// For tests: as if the brokers had broken the producer's sequence.
  void break_producer() { is_to_break_ = true; }

 private:
  struct Pending {
    AppendTag tag;
    Time sent;
    bool is_ticket = false;
    bool was_repeated = false;  // or waits for it
    bool may_stand = false;     // in the topic, though nobody reported that
  };
  struct Message {
    std::uint64_t number = 0;
    Uptime until{};            // its turn must have come by then
    bool is_repeated = false;  // these stand before the others
    std::vector<std::uint8_t> body;
  };
  struct Line {  // of a partition
    std::deque<Message> waiting;
    std::vector<Message> batch;  // being handed over
    std::size_t on_the_way = 0;  // of the present batch, without a report
    std::int64_t acknowledged = 0;
    Uptime since{};
  };

  explicit KafkaSender(Options options) : options_(std::move(options)) {}
  Result<void> open_producer();
  void run();
  void take_batches();
  void hand_over();
  void end_late(Line& line, Uptime now);
  void reported(const kafka::Producer::Report& report);
  void settle(const kafka::Producer::Report& report);
  void give_up(std::uint64_t number, bool is_certain, std::string_view why);
  void note_refused(const Fault& fault);
  void tell_refusal();
  void close_producer(const Fault& why);
  void wait_to_open(bool is_first);
  void open_next();

  const Options options_;
  // Of the sender's thread.
  std::optional<kafka::Producer> producer_;  // none between one that broke and the next
  bool has_delivered_ = true;                // the present one; the first is not held to it
  bool refusal_is_told_ = false;
  Millis pause_{0};
  Uptime open_at_{};

  mutable std::mutex mutex_;
  std::condition_variable wakes_;
  std::unordered_map<std::uint64_t, Pending> pending_;  // by number, until seen or given up
  std::unordered_map<std::uint32_t, Line> lines_;
  std::uint64_t last_number_ = 0;
  std::size_t on_the_way_ = 0;
  std::size_t waiting_ = 0;  // in lines
  Failed failed_;
  std::optional<Fault> refusal_;
  Uptime refused_at_{};
  bool closed_ = false;
  bool stopping_ = false;

  bool replacing_ = false;
  std::vector<std::pair<std::uint32_t, Message>> again_;  // tickets of a broken producer
  std::atomic<bool> is_to_break_{false};
  Stats stats_;
  std::thread thread_;
};

}  // namespace firstcome
