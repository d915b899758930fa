#include "sim/sim_gate.h"

namespace firstcome::sim {

void Filter::arrive(const CampaignId& campaign, std::uint32_t side) {
  campaign_ = campaign;
  if (is_split_ && (world_.now() >= split_until_ || world_.healed())) {
    world_.trace("the gate is one again");
    is_split_ = false;
    sides_[0] = sides_[world_.dice.below(2)];
  }
  if (!is_split_ && world_.strikes(Happening::gate_split)) {
    world_.trace("the gate is split");
    is_split_ = true;
    split_until_ = world_.now() + world_.dice.between(millis(100), millis(4000));
    sides_[1] = world_.dice.chance(500) ? sides_[0] : replica_;
  }
  here_ = &sides_[is_split_ ? side : 0];
  if (world_.strikes(Happening::gate_lost_memory)) {
    world_.trace("the gate has lost its memory");
    here_->clear();
  }
  if (world_.strikes(Happening::gate_rolled_back)) {
    world_.trace("the gate fails over to an old replica");
    *here_ = replica_;
  }
  if (world_.dice.chance(60)) replica_ = *here_;
}

Admission Filter::admit(const User& user, std::uint32_t places) {
  return (*here_)[campaign_].memory.admit(user, places, static_cast<std::uint64_t>(world_.now()) + 1);
}

std::uint64_t Filter::widen(std::uint64_t generation, std::uint32_t places) {
  const auto found = here_->find(campaign_);
  if (found == here_->end()) return 0;
  auto& [memory, raised] = found->second;
  if (memory.widen(generation, places)) {
    world_.saw(Happening::gate_widened);
    if (!raised.insert(generation).second) {
      world_.broke("of those who widen one generation only the first raises the gate's limit", campaign_.str());
    }
  }
  return memory.generation;
}

std::uint64_t Filter::generation() const {
  const auto found = here_->find(campaign_);
  return found == here_->end() ? 0 : found->second.memory.generation;
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
  if (is_gone()) return world_.saw(Happening::gate_gone);
  filter_.arrive(campaign, side_);
  const bool lies_full = world_.strikes(Happening::gate_lies_full);
  const bool lies_in = !lies_full && world_.strikes(Happening::gate_lies_in);
  std::vector<GateAnswer> answers;
  for (const Ask& one : batch.asks) {
    Admission admission = filter_.admit(one.user, batch.places);
    if (lies_full) admission = Admission::full;
    if (lies_in) admission = Admission::in;
    answers.push_back({one.user, one.number, admission});
    world_.trace("the gate says {} of {}", static_cast<int>(admission), one.user.view());
  }
  const std::uint64_t generation = filter_.generation();
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
  life_.after(after, [this, campaign, generation, answers = std::move(answers)] {
    asker_->gated(campaign, generation, answers);
  });
}

void SimGate::give_up(const CampaignId& campaign, std::vector<Ask> asks) {
  life_.after(plan_.desk.gate_bypass_ms_max.count() * 1000, [this, campaign, asks = std::move(asks)] {
    asker_->gate_failed(campaign, asks, {FaultKind::timed_out, "no answer"});
  });
}

void SimGate::widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) {
  if (world_.strikes(Happening::gate_ask_lost)) return;
  world_.after(network(), [this, campaign, generation, places] {
    if (is_gone()) return;
    filter_.arrive(campaign, side_);
    answer(campaign, filter_.widen(generation, places), {}, network());
  });
}

void SimGate::forget(const CampaignId& campaign) {
  if (world_.strikes(Happening::gate_ask_lost)) return;
  world_.after(network(), [this, campaign] {
    filter_.arrive(campaign, side_);
    filter_.forget();
  });
}

}  // namespace firstcome::sim
