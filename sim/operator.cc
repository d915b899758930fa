#include "sim/operator.h"

namespace firstcome::sim {

void Operator::begin() {
  Dice& dice = world_.dice;
  const auto some_time = [&] { return dice.between(millis(100), plan_.faults_until); };
  for (const Opened& opened : plan_.campaigns) {
    const CampaignId id = opened.campaign;
    world_.at(millis(dice.between(0, 400)), [this, &opened] { open(opened); });
    for (auto raises = dice.chance(450) ? dice.between(1, 2) : 0; raises > 0; --raises) {
      world_.at(some_time(), [this, id] { raise(id); });
    }
    if (dice.chance(350)) world_.at(some_time(), [this, id] { pause(id); });
    if (dice.chance(350)) world_.at(some_time(), [this, id] { move_window(id); });
    if (dice.chance(120)) world_.at(some_time(), [this, id] { send(Closed{id, ClosedBy::person}); });
  }
}

const Campaign* Operator::seen_by_some_node(const CampaignId& campaign) const {
  const Process* const process = nodes_.any_api();
  return process ? process->standings().find(campaign) : nullptr;
}

void Operator::send(const Entry& entry) {
  if (Process* const process = nodes_.any_api()) process->append(entry);
  // The operator's client got no answer and asks once more, long after things went on.
  if (world_.strikes(Happening::stale_resent)) {
    world_.after(world_.dice.between(millis(20), millis(4000)), [this, entry] {
      if (Process* const process = nodes_.any_api()) process->append(entry);
    });
  }
}

void Operator::open(const Opened& opened) {
  if (log_.truth().find(opened.campaign) || log_.newer_at != 0) return;
  send(opened);
  world_.after(millis(world_.dice.between(100, 600)), [this, &opened] { open(opened); });
}

void Operator::raise(const CampaignId& campaign) {
  const Campaign* const seen = seen_by_some_node(campaign);
  if (seen) send(QuotaRaised{campaign, seen->view().quota + static_cast<std::uint32_t>(world_.dice.between(1, 6))});
}

void Operator::pause(const CampaignId& campaign) {
  const Campaign* const seen = seen_by_some_node(campaign);
  if (!seen) return;
  send(Paused{campaign, seen->view().changed_at});
  world_.after(world_.dice.between(millis(100), millis(2500)), [this, campaign] { resume(campaign); });
}

void Operator::resume(const CampaignId& campaign) {
  const Campaign* const seen = seen_by_some_node(campaign);
  if (seen) send(Resumed{campaign, seen->view().changed_at});
}

void Operator::move_window(const CampaignId& campaign) {
  const Campaign* const seen = seen_by_some_node(campaign);
  if (!seen) return;
  WindowChanged moved{.campaign = campaign, .opens_at = {}, .closes_at = {}, .seen = seen->view().changed_at};
  const auto around_now = [&] {
    return SimClock::wall(world_.now() + world_.dice.between(-millis(500), millis(3000)));
  };
  if (world_.dice.chance(400)) moved.opens_at = around_now();
  if (world_.dice.chance(400)) moved.closes_at = around_now() + Millis(2000);
  send(moved);
}

void Operator::put_in_order() {
  for (const Opened& opened : plan_.campaigns) {
    const Campaign* const campaign = log_.truth().find(opened.campaign);
    if (!campaign) {
      open(opened);
      continue;
    }
    const auto& view = campaign->view();
    if (view.closed) continue;
    if (view.paused) resume(campaign->id());
    if (view.window.is_before(log_.now())) {
      send(WindowChanged{
          .campaign = campaign->id(), .opens_at = {}, .closes_at = view.window.closes_at, .seen = view.changed_at});
    }
  }
  retry_parked();
}

void Operator::retry_parked() {
  std::vector<std::int64_t> numbers;
  for (const ParkedEntry& entry : tables_.parked()) numbers.push_back(entry.number);
  for (const std::int64_t number : numbers) {
    if (Process* const process = nodes_.any_issuer()) process->retry(number);
  }
}

}  // namespace firstcome::sim
