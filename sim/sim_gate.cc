#include "sim/sim_gate.h"

#include <memory>

#include "base/mutant.h"

namespace firstcome::sim {

void Filter::arrive() {
  if (world_.strikes(Happening::gate_lost_memory)) {
    world_.trace("the gate has lost its memory");
    memory_.clear();
  }
  if (world_.strikes(Happening::gate_rolled_back)) {
    world_.trace("the gate fails over to an old replica");
    memory_ = replica_;
  }
  if (world_.dice.chance(60)) replica_ = memory_;
}

Admission Filter::admit(const CampaignId& campaign, const User& user, std::uint32_t places) {
  PerCampaign& here = memory_[campaign];
  // As the time of Redis' clock: never twice the same.
  if (here.generation == 0) here = {.generation = static_cast<std::uint64_t>(world_.now()) + 1, .limit = places};
  if (here.users.contains(user)) return Admission::again;
  if (here.count >= here.limit) return Admission::full;
  ++here.count;
  here.users.insert(user);
  return Admission::in;
}

std::uint64_t Filter::widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) {
  const auto found = memory_.find(campaign);
  if (found == memory_.end()) return 0;
  PerCampaign& here = found->second;
  if (here.generation != generation && !mutant(Mutant::widen_without_generation)) return here.generation;
  here.limit = here.count + places;
  ++here.generation;
  // An older memory may be raised again: it had not been.
  if (!widened_.emplace(campaign, generation).second && here.generation != generation + 1) {
    world_.broke("one of those who saw the same generation raises the gate's limit", campaign.str());
  }
  world_.saw(Happening::gate_widened);
  return here.generation;
}

std::uint64_t Filter::generation(const CampaignId& campaign) const {
  const auto found = memory_.find(campaign);
  return found == memory_.end() ? 0 : found->second.generation;
}

Result<void> SimGate::ask(const CampaignId& campaign, const User& user, std::uint32_t places, AskNumber number) {
  if (world_.strikes(Happening::gate_away)) away_until_ = world_.now() + world_.dice.between(millis(10), millis(2000));
  if (world_.now() < away_until_) return fail(FaultKind::unavailable, "the gate is away");
  if (batches_.empty()) {
    world_.after(world_.dice.between(0, 60), [this] { send(); });
  }
  Batch& batch = batches_[campaign];
  batch.places = places;
  batch.asks.push_back({user, number});
  return {};
}

void SimGate::send() {
  for (auto& [campaign, batch] : std::exchange(batches_, {})) {
    if (world_.strikes(Happening::gate_ask_lost)) {
      give_up(campaign, std::move(batch.asks));
    } else {
      world_.after(network(), [this, to = campaign, sent = std::move(batch)] { reach(to, sent); });
    }
  }
}

/// The call runs, whatever became of who sent it.
void SimGate::reach(const CampaignId& campaign, const Batch& batch) {
  filter_.arrive();
  const bool lies_full = world_.strikes(Happening::gate_lies_full);
  const bool lies_in = !lies_full && world_.strikes(Happening::gate_lies_in);
  std::vector<GateAnswer> answers;
  for (const Ask& one : batch.asks) {
    Admission admission = filter_.admit(campaign, one.user, batch.places);
    if (lies_full) admission = Admission::full;
    if (lies_in) admission = Admission::in;
    answers.push_back({one.user, one.number, admission});
    world_.trace("the gate says {} of {}", static_cast<int>(admission), one.user.view());
  }
  const std::uint64_t generation = filter_.generation(campaign);
  if (world_.strikes(Happening::gate_answer_lost)) return give_up(campaign, batch.asks);
  if (world_.strikes(Happening::gate_silent)) return;
  if (world_.strikes(Happening::gate_answer_twice)) {
    answer(campaign, generation, answers, world_.dice.between(millis(1), millis(700)));
  }
  const bool is_late = world_.strikes(Happening::gate_answer_late);
  answer(campaign, generation, std::move(answers), is_late ? world_.dice.between(millis(20), millis(1000)) : network());
}

void SimGate::answer(const CampaignId& campaign, std::uint64_t generation, std::vector<GateAnswer> answers,
                     Micros after) {
  world_.after(after, [this, campaign, generation, answers = std::move(answers)] {
    if (on_step_()) asker_->gated(campaign, generation, answers);
  });
}

void SimGate::give_up(const CampaignId& campaign, std::vector<Ask> asks) {
  world_.after(plan_.desk.gate_bypass_ms_max.count() * 1000, [this, campaign, asks = std::move(asks)] {
    if (on_step_()) asker_->gate_failed(campaign, asks, {FaultKind::timed_out, "no answer"});
  });
}

void SimGate::widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) {
  if (world_.strikes(Happening::gate_ask_lost)) return;
  world_.after(network(), [this, campaign, generation, places] {
    filter_.arrive();
    answer(campaign, filter_.widen(campaign, generation, places), {}, network());
  });
}

void SimGate::forget(const CampaignId& campaign) {
  if (world_.strikes(Happening::gate_ask_lost)) return;
  world_.after(network(), [this, campaign] {
    filter_.arrive();
    filter_.forget(campaign);
  });
}

}  // namespace firstcome::sim
