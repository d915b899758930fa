#pragma once

#include <functional>
#include <vector>

#include "journal/journal.h"
#include "sim/life.h"
#include "sim/sim_log.h"

namespace firstcome::sim {

/// The journal as one process sees it.
class SimJournal : public Journal, public LogReader {
 public:
  /// The process is gone: what it was writing may be there or not.
  virtual void die() = 0;

  void stop() override { die(); }
  Stats stats() const override { return {}; }

  std::function<void(const Fault&)> on_stop;  ///< this node cannot read on

 protected:
  SimJournal(World& world, Log& log, Life& life) : world_(world), log_(log), life_(life), next_(log.partitions()) {}

  /// Shows what comes next of a partition, at most `most` records of it. Fails where this node must stop.
  Result<void> show(std::uint32_t partition, std::size_t most);

  /// A reader that was set back shows entries a second time.
  void maybe_go_back(std::uint32_t partition);

  World& world_;
  Log& log_;
  Life& life_;
  Follower* follower_ = nullptr;
  std::vector<std::size_t> next_;  // by partition: of the log's records, to be shown
};

/// The embedded form's: a bounded mailbox, batches, commits that fail in every way, and a reader.
class SimFile final : public SimJournal {
 public:
  SimFile(World& world, const Plan& plan, Log& log, Life& life) : SimJournal(world, log, life), plan_(plan) {}

  Result<void> start(Follower& follower) override;
  Result<void> append(Entry entry, AppendTag tag) override;
  void die() override;
  void news(std::uint32_t partition) override;

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
  void beat();
  bool show_all();
  Micros commit_time();

  const Plan& plan_;
  bool is_open_ = false;
  bool show_due_ = false;
  bool drain_due_ = false;
  Micros stalled_until_ = 0;
  std::vector<Waiting> mailbox_;
  std::vector<Waiting> batch_;        // being committed
  std::vector<Position> told_early_;  // of the batch, under answer_before_commit
};

}  // namespace firstcome::sim
