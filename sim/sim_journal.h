#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "journal/journal.h"
#include "sim/plan.h"
#include "sim/world.h"
#include "standings/standings.h"

namespace firstcome::sim {

class SimJournal;

/// What the journal holds durably, whoever lives. Positions, stamps and bytes as a real one has them.
class Log {
 public:
  struct Record {
    Position position = 0;
    Time stamp;
    std::vector<std::uint8_t> bytes;
    bool durable = true;  // false only under the mutant answer_before_commit
  };

  Log(World& world, const Plan& plan);

  void append(std::vector<std::uint8_t> bytes, bool durable = true);
  void make_durable(std::span<const Position> positions);
  void remove(std::span<const Position> positions);
  const std::vector<Record>& records() const { return records_; }

  void join(SimJournal& journal) { journals_.push_back(&journal); }
  void leave(SimJournal& journal) { std::erase(journals_, &journal); }
  void tell_all();

  Time now() const { return SimClock::wall(world_.now() + clock_error); }

  /// The fold of everything, for those who look at the world from outside: operators who know, and checks.
  const Standings& truth() const { return *truth_; }

  /// Was it opened before that time?
  bool knows_since(std::string_view campaign, Micros when) const;

  Micros clock_error = 0;
  bool disk_full = false;
  Position newer_at = 0;  ///< of an entry that only a newer node knows; 0: none

 private:
  void apply_to_truth(const Record& record);

  World& world_;
  const bool gaps_;
  Position last_ = 0;
  std::vector<Record> records_;
  std::vector<SimJournal*> journals_;
  std::unique_ptr<Standings> truth_;
  std::vector<std::pair<CampaignId, Micros>> opened_;
};

/// Reads a record. Nothing: skip it. A fault: this node must stop.
Result<std::optional<Shown>> read(const Log::Record& record);

/// The journal as one process sees it: a bounded mailbox, batches, commits that fail in every way, and a reader.
class SimJournal final : public Journal {
 public:
  SimJournal(World& world, const Plan& plan, Log& log) : world_(world), plan_(plan), log_(log) {}

  Result<void> start(Follower& follower) override;
  Result<void> append(Entry entry, AppendTag tag) override;
  void stop() override { die(); }
  Stats stats() const override { return {}; }

  /// The process is gone: what was being committed may be there or not.
  void die();

  /// There are new records.
  void news();

  std::function<void(const Fault&)> on_stop;  ///< this node cannot read on
  std::function<void()> on_step;              ///< a place to crash at

 private:
  struct Waiting {
    std::vector<std::uint8_t> bytes;
    AppendTag tag;
  };

  void drain();
  void end_commit();
  void write_batch(std::size_t count);
  void write_late();
  void fail_batch();
  Result<void> show();
  void beat();
  Micros commit_time();

  World& world_;
  const Plan& plan_;
  Log& log_;
  Follower* follower_ = nullptr;
  bool alive_ = false;
  bool show_due_ = false;
  bool drain_due_ = false;
  Micros stalled_until_ = 0;
  std::size_t next_ = 0;  // of the log's records, to be shown
  std::vector<Waiting> mailbox_;
  std::vector<Waiting> batch_;        // being committed
  std::vector<Position> told_early_;  // of the batch, under answer_before_commit
};

}  // namespace firstcome::sim
