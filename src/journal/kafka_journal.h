#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "journal/journal.h"
#include "journal/kafka_reader.h"
#include "journal/kafka_sender.h"
#include "journal/told_ends.h"
#include "kafka/kafka_admin.h"

namespace firstcome {

/// The journal as a Kafka topic, for many processes.
///
///   Order      a campaign's entries stand in one partition (the installation says of how many); positions are
///              offsets + 1.
///   Durable    acks=all, and what check_topic() asks of the brokers: as strong as the topic's replication.
///   Stamped    by the brokers. heard() gives this node's clock, put right by the stamps of its own entries.
///   Told       answers come from what was seen in the topic, never from a delivery report. A ticket without a report
///              after `append_ms_max` is given up: told as failed if it cannot have been written, else neither. Where
///              the producer breaks, another one takes its place, and the tickets without a report are sent once more;
///              an operator's entry is not.
///   Leaders    who tells less than was told before is the leader no more (told_ends.h), though he says that he is, or
///              entries are lost: nothing is shown or heard until another connection finds who has what was there.
///              Not seen: a newer leader of whom nobody has told this process.
///   Fails      a topic that does not keep the promises is refused at the start. Afterwards trouble() tells, and
///              nothing is shown or heard until it is mended. Where something else stands in the place of what was
///              read, or an entry cannot be read, on_journal_lost() ends the process: this node must not answer from a
///              journal that is not that of the others.
class KafkaJournal final : public Journal {
 public:
  struct Options {
    KafkaPlace place;
    Clock& clock;
    Random& random;

    std::size_t append_entries_max = limits::append_entries_max;
    Millis append_ms_max{4000};  ///< less than in_flight_ms_max: who asks again finds his ticket given up
    Millis check_every{60'000};  ///< the topic's settings and first entry

    /// Must not return, but in tests: then the journal is dead, and says nothing any more.
    std::function<void(const Fault&)> on_journal_lost = end_process;
  };

  /// Logs and aborts.
  [[noreturn]] static void end_process(const Fault& fault);

  static Result<std::unique_ptr<KafkaJournal>> open(Options options);

  /// stop() comes first.
  ~KafkaJournal() override;

  Result<void> start(Follower& follower) override;
  Result<void> append(Entry entry, AppendTag tag) override;
  void stop() override;
  std::optional<Fault> trouble() const override;
  std::optional<Fault> why_silent() const override;
  Stats stats() const override;

  const Installation& installation() const { return reader_.installation(); }

  /// For metrics; any thread.
  struct Calls {
    std::uint64_t count = 0;
    std::uint64_t failed = 0;
    double seconds = 0;  ///< sum
  };
  struct KafkaStats {
    std::uint64_t lag_entries = 0;  ///< at the last look: messages that are there and were not read
    double silent_seconds = 0;      ///< since the brokers last said where the topic ends
    std::uint64_t exchanged = 0;    ///< connections that read, and were given up for another
    Calls ends;                     ///< where does the topic end?
    Calls checks;                   ///< is the topic as it must be?
  };
  KafkaStats kafka_stats() const;
  const KafkaSender::Stats& sender_stats() const { return sender_->stats(); }

  /// The reader gets another connection. Any thread; from outside for tests, as if a broker had nothing where it reads.
  void doubt_reader();

  /// For tests: as if the brokers had broken the producer's sequence.
  void break_producer() { sender_->break_producer(); }

 private:
  struct Look {  // of the thread that looks where the topic ends
    Time asked;
    KafkaReader::Ends ends;
  };

  KafkaJournal(Options options, std::uint64_t node, KafkaReader reader, kafka::Admin admin);

  // On the journal's thread.
  void run();
  bool step(Millis wait);
  bool is_trusted(Millis wait);
  void note_cut_short(const Fault& fault);
  void take_connection(std::unique_lock<std::mutex>& lock);
  void show(std::span<KafkaReader::Read> read);
  void tell_skipped();
  void learn_offset(Millis least, Millis most);
  Millis offset() const;
  void tell_failed();
  void hear();
  void end_appends();
  void lose(const Fault& fault);

  // On the watching thread.
  void watch();
  Result<KafkaReader::Ends> ask_ends();
  bool check();
  Fault told_less(const ToldEnds::Behind& behind) const;
  std::optional<kafka::Consumer> exchange_connection(std::unique_lock<std::mutex>& lock);
  void note_ends(Time asked, KafkaReader::Ends ends, bool is_first);
  template <class Ask>
  auto timed(Calls& calls, Ask ask);

  const Options options_;
  const std::uint64_t node_;  // in the keys of our messages
  KafkaReader reader_;
  kafka::Admin admin_;
  Follower* follower_ = nullptr;

  std::unique_ptr<KafkaSender> sender_;

  mutable std::mutex watch_mutex_;
  std::condition_variable watch_wakes_;
  KafkaReader::Ends read_;  // up to where, as the watching thread may know it
  std::optional<Look> look_;
  std::optional<Fault> loss_, trouble_;  // what the last check of the topic found
  std::optional<Fault> refusal_;         // of brokers that give us no messages
  std::optional<Fault> away_;            // of brokers that did not say, when asked last, where the topic ends now
  bool is_suspicious_ = false;  // the brokers were away, or something is wrong: checked before anything is read
  bool is_refused_ = false;     // a broker gave us no messages, and no check has passed since
  bool is_doubted_ = false;     // the reader goes on by another connection only, which shows what it read last
  kafka::Consumer* next_connection_ = nullptr;  // the watching thread waits until it is taken
  std::condition_variable trusts_, taken_;
  std::uint64_t exchanged_ = 0;
  bool watching_ = false;
  Uptime looked_at_{};
  std::uint64_t lag_ = 0;
  Calls ends_calls_, check_calls_;

  ToldEnds told_ends_;           // of the watching thread
  bool cut_short_told_ = false;  // to the log; of the journal's thread

  Millis offset_{0};  // the brokers' clock minus ours, as long as it is known
  Uptime offset_known_until_{};
  std::uint64_t skipped_told_ = 0;
  Uptime skipped_told_again_{};
  std::vector<KafkaReader::Read> messages_;
  std::vector<Shown> batch_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> lost_{false};
  std::thread thread_;
  std::thread watcher_;

  mutable std::mutex stats_mutex_;
  Stats stats_;
};

}  // namespace firstcome
