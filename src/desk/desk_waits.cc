// The life of a wait: sent, settled by an effect, ended by time or a fault. See desk.cc for the design.
#include <algorithm>

#include "base/assert.h"
#include "base/mutant.h"
#include "desk/desk.h"

namespace firstcome {

/// Says nothing about freshness: who was away catches up with old entries.
void Desk::applied(std::span<const Effect> effects) {
  if (mutant(Mutant::catching_up_is_fresh)) heard_at_.store(clock_.uptime(), std::memory_order_relaxed);
  // Effects of one campaign mostly come in a row: its room is looked for once.
  const Campaign* campaign = nullptr;
  Room* room = nullptr;
  for (const Effect& effect : effects) {
    if (effect.kind == EffectKind::closed) closing_asked_.erase(effect.campaign);
    if (effect.sealed || effect.kind == EffectKind::closed) forget(*effect.campaign);
    if (effect.campaign != campaign) {
      campaign = effect.campaign;
      room = find_room(campaign);
    }
    if (!room) continue;
    // The gate is forgotten, and what it said with it. A raise may stand in the standings already.
    while (effect.sealed && !room->full.empty()) leave_full(*room, room->full.front()->second);
    switch (effect.kind) {
      case EffectKind::won:
      case EffectKind::known:
      case EffectKind::surplus:
      case EffectKind::out_of_window:
      case EffectKind::after_closed:
        settle(*room, effect.user, effect.kind);
        break;
      default:
        break;
    }
    const bool for_all = effect.sealed || effect.kind == EffectKind::closed || effect.kind == EffectKind::paused ||
                         effect.kind == EffectKind::window_changed || effect.kind == EffectKind::quota_raised ||
                         effect.kind == EffectKind::issued;
    if (for_all) settle_all(*room, effect.kind);
    send_queued(*room);
    if (room->waits.empty()) {
      rooms_.erase(campaign);
      room = nullptr;
    }
  }
  flush();
}

/// Looks again at what the standings say of a user, since something happened that may end his wait.
void Desk::settle(Room& room, const User& user, EffectKind effect) {
  const auto found = room.waits.find(user);
  if (found == room.waits.end()) return;
  Wait& wait = found->second;
  if (mutant(Mutant::waiter_by_code) && effect == EffectKind::won) {
    const Look won = room.campaign->look(user, clock_.now());
    if (won.winner && won.winner->code != wait.code) return;
  }
  const bool about_user = effect != EffectKind::none;
  if (about_user) land(room, wait);
  const Look look = room.campaign->look(user, clock_.now());
  const auto known = from_standings(*room.campaign, look);
  if (known) {
    // A ticket in flight may still count: whether it was in time is for the journal to say.
    const bool for_now = known->kind == AnswerKind::paused || known->kind == AnswerKind::not_open;
    if (!(for_now && wait.flight != 0)) finish(room, found, *known);
    return;
  }
  if (look.place == Place::past_close) ask_to_close(*room.campaign);
  if (look.place == Place::sealed) leave_queue(room, wait);  // it waits for the store; a raise asks again
  if (look.place == Place::free && wait.is_idle()) {
    // Our clock says that it is time and the journal's stamp says that it was not: asking later will do.
    if (effect == EffectKind::out_of_window) return finish(room, found, answer(AnswerKind::pending, room.campaign));
    // Its ticket did not count, and there is room now (a raise): another one.
    if (!ask(room, found->first, wait)) queue(room, *found);
  }
  drop_if_idle(room, user);
}

void Desk::settle_all(Room& room, EffectKind) {
  std::vector<User> users;
  users.reserve(room.waits.size());
  for (const auto& [user, wait] : room.waits) users.push_back(user);
  for (const User& user : users) settle(room, user, EffectKind::none);
}

/// Its ticket is to be sent, in its turn.
void Desk::queue(Room& room, Waits::value_type& one) {
  one.second.queued = true;
  one.second.turn = room.queue.insert(room.queue.end(), &one);
  counters_.queued.fetch_add(1, std::memory_order_relaxed);
}

void Desk::leave_queue(Room& room, Wait& wait) {
  if (!wait.queued) return;
  wait.queued = false;
  room.queue.erase(wait.turn);
  counters_.queued.fetch_sub(1, std::memory_order_relaxed);
}

/// Sends the ticket of a wait. False: the journal did not take it.
bool Desk::send(Room& room, const User& user, Wait& wait) {
  wait.code = make_code(random_);
  const std::uint64_t number = flights_begin_ + flights_.size();
  if (!journal_.append(Ticket{room.campaign->id(), user, wait.code}, {author_, number})) return false;
  flights_.push_back({room.campaign, user, clock_.uptime() + limits_.in_flight_ms_max, false});
  if (wait.was_sent) counters_.sent_again.fetch_add(1, std::memory_order_relaxed);
  wait.flight = number;
  wait.was_sent = true;
  ++room.in_flight;
  counters_.in_flight.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Desk::send_queued(Room& room) {
  while (!room.queue.empty() && room.in_flight < limits_.in_flight_max) {
    auto& [user, wait] = *room.queue.front();
    if (!send(room, user, wait)) return;  // the journal is full: the next batch or tick tries again
    leave_queue(room, wait);
  }
}

void Desk::land(Room& room, Wait& wait) {
  if (wait.flight == 0) return;
  if (wait.flight >= flights_begin_) flights_[wait.flight - flights_begin_].landed = true;
  wait.flight = 0;
  --room.in_flight;
  counters_.in_flight.fetch_sub(1, std::memory_order_relaxed);
}

/// Answers every claim of the wait and forgets it.
void Desk::finish(Room& room, Waits::iterator found, Answer answer) {
  Wait& wait = found->second;
#ifdef FIRSTCOME_MUTANTS
  if (mutant(Mutant::body_from_ticket) && answer.kind == AnswerKind::won && wait.was_sent) {
    auto* const in_hand = new Winner(*answer.winner);  // never freed: a mutant lives for one simulation
    in_hand->code = wait.code;
    answer.winner = in_hand;
  }
#endif
  land(room, wait);
  for (const ClaimNumber number : wait.claims) {
    claims_.erase(number);
    outbox_.emplace_back(number, counted(answer));
  }
  counters_.waiting.store(claims_.size(), std::memory_order_relaxed);
  erase(room, found);
}

void Desk::append_failed(std::span<const AppendTag> appends, const Fault&) {
  for (const AppendTag& tag : appends) {
    if (tag.number < flights_begin_) continue;  // a closing (0), or one that has landed
    MUST(tag.author == author_ && tag.number - flights_begin_ < flights_.size(), "only what was sent can fail");
    counters_.failed_appends.fetch_add(1, std::memory_order_relaxed);
    const Flight flight = flights_[tag.number - flights_begin_];
    if (flight.landed) continue;
    Room* const room = find_room(flight.campaign);
    MUST(room != nullptr, "a flight has a wait");
    finish(*room, room->waits.find(flight.user), answer(AnswerKind::fault, flight.campaign));
    drop_if_empty(flight.campaign);
  }
  flush();
}

void Desk::leave(ClaimNumber number) {
  const auto claim = claims_.find(number);
  if (claim == claims_.end()) return;
  const Claim left = claim->second;
  claims_.erase(claim);
  counters_.waiting.store(claims_.size(), std::memory_order_relaxed);
  Room* const room = find_room(left.campaign);
  MUST(room != nullptr, "a waiting claim has a wait");
  std::erase(room->waits.at(left.user).claims, number);
  drop_if_idle(*room, left.user);
  drop_if_empty(left.campaign);
}

/// Tickets first: a claim whose time is over together with that of the gate, or of its ticket, leaves one behind.
void Desk::tick() {
  end_asks();
  end_flights();
  std::vector<const Campaign*> campaigns;
  for (const auto& [campaign, room] : rooms_) campaigns.push_back(campaign);
  for (const Campaign* const campaign : campaigns) {
    Room& room = *rooms_.at(campaign);
    send_queued(room);
    drop_if_empty(campaign);
  }
  end_claims();
  flush();
}

/// Tells `pending` to the claims that have waited long enough. A ticket in flight stays, for the user's next claim to
/// join.
void Desk::end_claims() {
  const Uptime now = clock_.uptime();
  while (!claim_ends_.empty() && claim_ends_.front().first <= now) {
    const ClaimNumber number = claim_ends_.front().second;
    claim_ends_.pop_front();
    const auto claim = claims_.find(number);
    if (claim == claims_.end()) continue;
    const Claim ended = claim->second;
    leave(number);
    outbox_.emplace_back(number, counted(answer(AnswerKind::pending, ended.campaign)));
  }
}

/// Forgets tickets without a fate; who still waits behind one gets another.
void Desk::end_flights() {
  const Uptime now = clock_.uptime();
  while (!flights_.empty() && (flights_.front().landed || flights_.front().until <= now)) {
    const Flight flight = flights_.front();
    if (!flight.landed) {
      if (mutant(Mutant::join_without_end)) return;
      Room* const room = find_room(flight.campaign);
      MUST(room != nullptr, "a flight has a room");
      const auto found = room->waits.find(flight.user);
      MUST(found != room->waits.end(), "a flight has a wait");
      Wait& wait = found->second;
      land(*room, wait);
      if (mutant(Mutant::ticket_not_sent_again)) {
        wait.flight = 0;
      } else if (!wait.claims.empty()) {
        queue(*room, *found);
      } else {
        drop_if_idle(*room, flight.user);
      }
    }
    flights_.pop_front();
    ++flights_begin_;
  }
}

/// A wait for which nobody waits and of which nothing is in flight is forgotten.
void Desk::drop_if_idle(Room& room, const User& user) {
  const auto found = room.waits.find(user);
  if (found == room.waits.end() || !found->second.claims.empty() || found->second.flight != 0) return;
  if (mutant(Mutant::ticket_not_sent_again) && found->second.was_sent) return;
  erase(room, found);
}

void Desk::erase(Room& room, Waits::iterator found) {
  leave_queue(room, found->second);
  leave_full(room, found->second);
  room.waits.erase(found);
}

Desk::Room* Desk::find_room(const Campaign* campaign) {
  const auto found = rooms_.find(campaign);
  return found == rooms_.end() ? nullptr : found->second.get();
}

void Desk::drop_if_empty(const Campaign* campaign) {
  const auto found = rooms_.find(campaign);
  if (found != rooms_.end() && found->second->waits.empty()) rooms_.erase(found);
}

void Desk::flush() {
  while (!outbox_.empty()) {
    const auto answers = std::exchange(outbox_, {});
    for (const auto& [number, answer] : answers) deliver_(number, answer);
  }
}

}  // namespace firstcome
