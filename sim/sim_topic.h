#pragma once

#include <map>
#include <optional>
#include <vector>

#include "sim/sim_journal.h"

namespace firstcome::sim {

/// The distributed form's, as KafkaJournal behaves: each append goes its own way to the brokers, who may never get it
/// or get it late; a producer that breaks sends tickets once more; each process reads each partition at its own pace,
/// and says heard() when it has read up to where all partitions ended a moment ago.
class SimTopic final : public SimJournal {
 public:
  SimTopic(World& world, const Plan& plan, Log& log, Life& life, Clock& clock);

  Result<void> start(Follower& follower) override;
  Result<void> append(Entry entry, AppendTag tag) override;
  void die() override;
  void news(std::uint32_t partition) override;

 private:
  enum class Way : std::uint8_t { waiting, under_way, lost };
  struct Pending {
    AppendTag tag;
    std::vector<std::uint8_t> bytes;
    std::uint32_t partition = 0;
    Time sent;
    Way way = Way::waiting;
    bool is_ticket = false;
    bool sent_twice = false;
  };
  struct Reading {  // of a partition
    bool is_due = false;
    Micros behind_until = 0;
  };
  struct Look {  // where the partitions ended
    Time asked;
    std::vector<std::size_t> ends;
  };

  void send(std::uint64_t number);
  void arrive(std::uint64_t number);
  void write(std::uint64_t number, const Pending& pending);
  void give_up(std::uint64_t number);
  void break_producer();
  void show_next(std::uint32_t partition);
  void settle_own(std::uint32_t partition, std::size_t from);
  bool is_cut_off() const { return !world_.healed() && world_.now() < cut_off_until_; }
  void look();
  void hear();

  const Plan& plan_;
  Clock& clock_;
  const std::uint64_t writer_;
  const Micros lag_;  // usual, of this process
  bool is_open_ = false;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Pending> pending_;
  std::vector<Reading> readings_;
  Micros cut_off_until_ = 0;
  std::optional<Look> look_;
  Millis offset_{0};  // the brokers' clock minus ours, as an entry of ours showed it
  Uptime measured_at_{};
};

}  // namespace firstcome::sim
