#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/plan.h"
#include "sim/world.h"
#include "standings/standings.h"

namespace firstcome::sim {

/// Who has to be told that a partition holds more.
class LogReader {
 public:
  virtual ~LogReader() = default;
  virtual void news(std::uint32_t partition) = 0;
};

/// What the key of a message says.
struct Sender {
  std::uint64_t writer = 0;
  std::uint64_t number = 0;
};

/// What the journal holds durably, whoever lives. Partitions, positions, stamps and bytes as a real one has them.
class Log {
 public:
  struct Record {
    Position position = 0;
    Time stamp;
    std::vector<std::uint8_t> bytes;
    Sender sender;
    bool durable = true;  // false only under the mutant answer_before_commit
  };
  using Records = std::vector<Record>;

  Log(World& world, const Plan& plan);

  /// The installation, in each partition.
  void begin();

  /// Call tell() when all are appended.
  const Record& append(std::vector<std::uint8_t> bytes, std::uint32_t partition = 0, Sender sender = {},
                       bool durable = true);
  void make_durable(std::span<const Position> positions);
  void remove(std::span<const Position> positions);

  std::uint32_t partitions() const { return static_cast<std::uint32_t>(partitions_.size()); }
  const Records& records(std::uint32_t partition = 0) const { return partitions_[partition].records; }

  void join(LogReader& reader) { readers_.push_back(&reader); }
  void leave(LogReader& reader) { std::erase(readers_, &reader); }
  void tell(std::uint32_t partition = 0);

  /// A partition without a leader is neither read nor written.
  void take_away(std::uint32_t partition, Micros until) { partitions_[partition].away_until = until; }
  bool is_away(std::uint32_t partition) const { return world_.now() < away_until(partition); }
  Micros away_until(std::uint32_t partition) const { return world_.healed() ? 0 : partitions_[partition].away_until; }

  Time now() const { return SimClock::wall(world_.now() + clock_error); }

  /// The fold of everything, for those who look at the world from outside: operators who know, and checks.
  const Standings& truth() const { return *truth_; }

  /// Was it opened before that time?
  bool knows_since(std::string_view campaign, Micros when) const;

  Micros clock_error = 0;
  bool disk_full = false;
  Position newer_at = 0;  ///< of an entry that only a newer node knows; 0: none

 private:
  struct Partition {
    Position last = 0;
    Records records;
    Micros away_until = 0;
  };

  void apply_to_truth(const Record& record, std::uint32_t partition);

  World& world_;
  const bool gaps_;
  std::vector<Partition> partitions_;
  std::vector<LogReader*> readers_;
  std::unique_ptr<Standings> truth_;
  std::vector<std::pair<CampaignId, Micros>> opened_;
};

/// Reads a record. Nothing: skip it. A fault: this node must stop.
Result<std::optional<Shown>> read(const Log::Record& record, std::uint32_t partition);

}  // namespace firstcome::sim
