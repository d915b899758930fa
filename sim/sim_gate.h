#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gate/gate.h"
#include "sim/plan.h"
#include "sim/world.h"

namespace firstcome::sim {

/// The memory of the gate that all processes share: what the Function keeps in Redis. It is lost, and rolled back.
class Filter {
 public:
  explicit Filter(World& world) : world_(world) {}

  /// A call arrives: whatever befalls the memory has befallen it.
  void arrive();

  Admission admit(const CampaignId& campaign, const User& user, std::uint32_t places);
  std::uint64_t widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places);
  void forget(const CampaignId& campaign) { memory_.erase(campaign); }
  std::uint64_t generation(const CampaignId& campaign) const;

 private:
  struct PerCampaign {
    std::uint64_t generation = 0;
    std::uint32_t limit = 0;
    std::uint32_t count = 0;
    std::set<User> users;
  };

  World& world_;
  std::map<CampaignId, PerCampaign> memory_;
  std::map<CampaignId, PerCampaign> replica_;               // as it was some time ago
  std::set<std::pair<CampaignId, std::uint64_t>> widened_;  // generations that somebody has raised the limit of
};

/// The gate as one loop sees it: answers that are lost, late, twice, wrong, or that never come.
class SimGate final : public Gate {
 public:
  /// `on_step`: a place to crash at; false: the process is gone, and nobody is told.
  SimGate(World& world, const Plan& plan, Filter& filter, std::function<bool()> on_step)
      : world_(world), plan_(plan), filter_(filter), on_step_(std::move(on_step)) {}

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
  Micros network() { return world_.dice.between(30, 1500); }

  World& world_;
  const Plan& plan_;
  Filter& filter_;
  const std::function<bool()> on_step_;
  GateAsker* asker_ = nullptr;
  std::map<CampaignId, Batch> batches_;  // of this turn of the loop
  Micros away_until_ = 0;
};

}  // namespace firstcome::sim
