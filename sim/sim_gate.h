#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gate/gate.h"
#include "sim/gate_memory.h"
#include "sim/life.h"
#include "sim/plan.h"

namespace firstcome::sim {

/// The memory of the gate that all processes share: what the Function keeps in Redis. It is lost, rolled back, and
/// split in two, of which one survives.
class Filter {
 public:
  explicit Filter(World& world) : world_(world) {}

  /// A call arrives: whatever befalls the memory has befallen it. `side`: which one this process reaches while it is
  /// split.
  void arrive(const CampaignId& campaign, std::uint32_t side);

  Admission admit(const User& user, std::uint32_t places);
  std::uint64_t widen(std::uint64_t generation, std::uint32_t places);
  void forget() { here_->erase(campaign_); }
  std::uint64_t generation() const;

 private:
  struct PerCampaign {
    GateMemory memory;
    std::set<std::uint64_t> raised;  // generations whose limit was raised
  };
  using Memory = std::map<CampaignId, PerCampaign>;

  World& world_;
  std::array<Memory, 2> sides_;
  Memory replica_;  // as it was some time ago
  bool is_split_ = false;
  Micros split_until_ = 0;
  Memory* here_ = nullptr;  // of the call that has arrived
  CampaignId campaign_;
};

/// The gate as one loop sees it: answers that are lost, late, twice, wrong, or that never come.
class SimGate final : public Gate {
 public:
  SimGate(World& world, const Plan& plan, Filter& filter, Life& life, std::uint32_t side)
      : world_(world), plan_(plan), filter_(filter), life_(life), side_(side) {}

  void start(GateAsker& asker) override { asker_ = &asker; }
  Result<void> ask(const CampaignId& campaign, const User& user, std::uint32_t places, AskNumber number) override;
  void widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) override;
  void forget(const CampaignId& campaign) override;
  void tick() override {}
  Stats stats() const override { return {}; }

 private:
  struct Batch {
    std::uint32_t places = 0;
    std::vector<Ask> asks;
  };

  void send();
  void reach(const CampaignId& campaign, const Batch& batch);
  void answer(const CampaignId& campaign, std::uint64_t generation, std::vector<GateAnswer> answers, Micros after);
  void give_up(const CampaignId& campaign, std::vector<Ask> asks);
  bool is_gone() const { return plan_.gate_gone_at && world_.now() >= *plan_.gate_gone_at; }
  Micros network() { return world_.dice.between(30, 1500); }

  World& world_;
  const Plan& plan_;
  Filter& filter_;
  Life& life_;
  const std::uint32_t side_;
  GateAsker* asker_ = nullptr;
  std::map<CampaignId, Batch> batches_;  // of this turn of the loop
  Micros away_until_ = 0;
};

}  // namespace firstcome::sim
