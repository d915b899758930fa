#include "sim/crowd.h"

#include <algorithm>

namespace firstcome::sim {
namespace {

bool is_final_kind(AnswerKind kind) {
  return kind == AnswerKind::won || kind == AnswerKind::sold_out || kind == AnswerKind::closed;
}

}  // namespace

Crowd::Crowd(World& world, const Plan& plan, const Nodes& nodes) : world_(world), plan_(plan), nodes_(nodes) {
  const auto campaigns = static_cast<std::uint32_t>(plan.campaigns.size());
  for (std::uint32_t i = 0; i < plan.users; ++i) {
    // The same names in both campaigns: a user of one is nobody in the other.
    people_.push_back({.name = "u" + std::to_string(i / campaigns), .campaign = i % campaigns, .final = {}, .won = {}});
    if (world.dice.chance(400)) people_.back().repeats = world.dice.below(4);
  }
}

void Crowd::come() {
  // All at once, or in a stream.
  const Micros spread = world_.dice.chance(500) ? millis(300) : millis(5000);
  const Micros begin = millis(world_.dice.between(0, 600));
  for (std::uint32_t i = 0; i < people_.size(); ++i) {
    world_.at(begin + world_.dice.between(0, spread), [this, i] { ask(i, true); });
  }
}

void Crowd::ask(std::uint32_t person, bool follows_up) {
  const auto number = static_cast<std::uint32_t>(asked_.size());
  asked_.push_back({.person = person, .follows_up = follows_up, .call = world_.now(), .came_back = {}});
  const std::uint32_t node = world_.dice.below(nodes_.apis());
  world_.trace("{} asks {} at node {}", people_[person].name.view(), campaign_of(asked_[number]).view(), node);
  if (world_.strikes(Happening::request_lost)) {
    cut(number, world_.dice.between(millis(100), millis(2000)));
  } else {
    world_.after(network(), [this, number, node] { arrive(number, node); });
  }
  if (follows_up && world_.strikes(Happening::double_click)) ask(person, false);
}

void Crowd::arrive(std::uint32_t number, std::uint32_t node) {
  Process* const process = nodes_.on(node);
  if (!process) return cut(number, network());
  if (process->life().is_still()) {  // it stands in a buffer of the kernel
    return world_.at(process->life().still_until(), [this, number, node] { arrive(number, node); });
  }
  const std::size_t desk = world_.dice.below(static_cast<std::uint32_t>(process->desks()));
  const ClaimNumber claim = process->next_claim(desk);
  const Asked one = asked_[number];
  process->claim(desk, campaign_of(one), name_of(one), [this, number](const Told* told) { reply(number, told); });
  if (world_.strikes(Happening::client_stopped_waiting)) {
    world_.after(world_.dice.between(500, millis(400)), [this, process, desk, claim, number] {
      if (process->leave(desk, claim)) cut(number, 0);
    });
  }
}

/// The answer is on its way, or the connection broke.
void Crowd::reply(std::uint32_t number, const Told* told) {
  if (!told) return cut(number, network());
  if (world_.strikes(Happening::answer_lost)) return cut(number, world_.dice.between(millis(1), millis(1500)));
  world_.after(network(), [this, number, answer_told = *told] { answer(number, answer_told); });
}

void Crowd::answer(std::uint32_t number, const Told& told) {
  Asked& one = asked_[number];
  one.came_back = world_.now();
  one.told = told;
  Person& person = people_[one.person];
  world_.trace("{} is told {} {}", person.name.view(), to_string(told.kind),
               told.kind == AnswerKind::won ? told.rank : told.quota);
  if (told.kind == AnswerKind::won) remember_won(person, told);
  if (one.follows_up) follow_up(one.person, told);
}

void Crowd::remember_won(Person& person, const Told& told) {
  if (!person.won) person.won = told;
  const Told& before = *person.won;
  if (before.rank != told.rank || before.code != told.code || before.claimed_at != told.claimed_at) {
    world_.broke("asking again gives the same body", person.name.str() + " was told two bodies");
  }
}

void Crowd::cut(std::uint32_t number, Micros after) {
  world_.after(after, [this, number] {
    const Asked& one = asked_[number];
    world_.trace("{} gets no answer", name_of(one).view());
    if (one.follows_up) ask_later(one.person, world_.dice.between(millis(5), millis(1200)));
  });
}

void Crowd::follow_up(std::uint32_t number, const Told& told) {
  Person& person = people_[number];
  if (is_final_kind(told.kind)) {
    person.final = told;
    person.asks = person.repeats > 0;
    if (!person.asks) return;
    --person.repeats;
    return ask_later(number, world_.dice.between(millis(1), millis(4000)));
  }
  if (world_.strikes(Happening::client_left)) {
    world_.trace("{} leaves for good", person.name.view());
    person.left = true;
    person.asks = false;
    return;
  }
  const bool obeys = world_.dice.chance(plan_.patience);
  const Micros wish = std::clamp(told.retry_after, millis(300), millis(2500));
  ask_later(number, obeys ? wish : world_.dice.between(millis(10), wish));
}

void Crowd::ask_later(std::uint32_t number, Micros after) {
  world_.after(after, [this, number] {
    if (world_.dice.chance(150)) ask_status(people_[number]);
    ask(number, true);
  });
}

/// GET claims/me: says what is known without claiming. Only what is final is held against the node.
void Crowd::ask_status(Person& person) {
  Process* const process = nodes_.any_api();
  if (!process) return;
  const Told told = process->status(0, plan_.campaigns[person.campaign].campaign, person.name);
  if (!is_final_kind(told.kind)) return;
  if (told.kind == AnswerKind::won) remember_won(person, told);
  asked_.push_back({.person = static_cast<std::uint32_t>(&person - people_.data()),
                    .follows_up = false,
                    .call = world_.now(),
                    .came_back = world_.now(),
                    .told = told});
}

void Crowd::hear_of_raises(const Standings& truth) {
  for (std::uint32_t i = 0; i < people_.size(); ++i) {
    Person& person = people_[i];
    if (person.left || person.asks || is_final(person, truth)) continue;
    person.asks = true;
    ask_later(i, world_.dice.between(millis(1), millis(800)));
  }
}

bool Crowd::is_final(const Person& person, const Standings& truth) const {
  if (!person.final) return false;
  if (person.final->kind != AnswerKind::sold_out) return true;
  const Campaign* const campaign = truth.find(plan_.campaigns[person.campaign].campaign);
  return !campaign || person.final->quota >= campaign->view().quota || campaign->view().closed;
}

bool Crowd::is_content(const Standings& truth) const {
  return std::ranges::all_of(
      people_, [&](const Person& person) { return person.left || (!person.asks && is_final(person, truth)); });
}

std::string Crowd::who_is_not(const Standings& truth) const {
  for (const Person& person : people_) {
    if (person.left || is_final(person, truth)) continue;
    return person.name.str() + " of " + plan_.campaigns[person.campaign].campaign.str();
  }
  return "somebody who asks again";
}

std::vector<verify::Attempt> Crowd::history() const {
  std::vector<verify::Attempt> attempts;
  attempts.reserve(asked_.size());
  for (const Asked& one : asked_) {
    verify::Attempt attempt{.campaign = campaign_of(one).str(),
                            .user = name_of(one).str(),
                            .call_us = one.call,
                            .return_us = one.came_back,
                            .answer = "cut",
                            .code = {}};
    if (one.came_back) {
      constexpr int statuses[answer_kinds] = {201, 202, 409, 403, 410, 403, 404, 503};
      attempt.status = statuses[static_cast<int>(one.told.kind)];
      attempt.answer = one.told.kind == AnswerKind::no_campaign ? "refused" : std::string(to_string(one.told.kind));
      attempt.rank = one.told.rank;
      if (one.told.kind == AnswerKind::won) attempt.code = to_text(one.told.code);
      attempt.quota = one.told.kind == AnswerKind::sold_out ? one.told.quota : 0;
    }
    attempts.push_back(std::move(attempt));
  }
  return attempts;
}

}  // namespace firstcome::sim
