// DESIGN
//   A wait is asked about before its ticket is sent. `in`, `again` or no answer: its ticket is sent. `full`: it stays
//   without one, in the room's list, until the seal, the closing, an effect on its user or its own time ends it; or
//   until the gate's generation is another one, when the list asks again, a batch at a time as long as nobody is told
//   `full`. Whoever joins it after its time asks anew, as if the first had left: a gate that went away meanwhile says
//   nothing more of those whom it has answered.
//
//   The gate counts who was let through, not who won: a ticket that was let through and lost (its process died) burns a
//   place of the gate. So when it says `full`, the campaign takes claims and no rank was taken for a second, what it
//   holds back is needed: widen, by the places that are free. The journal's news decide that, since they say that
//   everything up to now has been shown. Of many desks that see the same generation the first one widens.
#include <algorithm>

#include "base/mutant.h"
#include "desk/desk.h"

namespace firstcome {
namespace {

constexpr Millis quiet_least{1000};

/// As far as the standings know; they may have moved on since somebody saw a free one.
std::uint32_t free_places(const Campaign& campaign) {
  const auto quota = campaign.view().quota;
  const auto held = static_cast<std::uint32_t>(campaign.winners().size());
  return quota > held ? quota - held : 1;
}

}  // namespace

/// False: there is no gate, or it takes no asks now, and the ticket is to be sent without it.
bool Desk::ask(Room& room, const User& user, Wait& wait) {
  if (!gate_) return false;
  const AskNumber number = ++last_ask_;
  if (!gate_->ask(room.campaign->id(), user, free_places(*room.campaign), number)) {
    counters_.gate_bypasses.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  wait.ask = number;
  // No later than the claim: else a silent gate would keep everybody's ticket back for ever.
  const Millis most = std::min(limits_.gate_bypass_ms_max, limits_.wait_ms_max);
  asks_.push_back({clock_.uptime() + most, room.campaign, user, number});
  return true;
}

void Desk::gated(std::string_view campaign_id, std::uint64_t generation, std::span<const GateAnswer> answers) {
  const Campaign* const campaign = standings_.find(campaign_id);
  if (!campaign) return;
  Room* const room = find_room(campaign);
  bool is_full = false;
  for (const GateAnswer& answer : answers) {
    counters_.gate_answers[static_cast<int>(answer.admission)].fetch_add(1, std::memory_order_relaxed);
    const bool is_refused =
        answer.admission == Admission::full || (answer.admission == Admission::again && mutant(Mutant::again_waits));
    is_full |= is_refused;
    if (!room) continue;
    const auto found = room->waits.find(answer.user);
    // It has ended, or it went on without this answer, or the answer came twice.
    if (found == room->waits.end() || found->second.ask == 0 || found->second.ask != answer.number) continue;
    found->second.ask = 0;
    if (is_refused) {
      if (!campaign->view().sealed) turn_away(*room, found, generation);  // else a raise asks again
    } else {
      queue(*room, *found);
    }
  }
  note(*campaign, generation, is_full);
  if (room) {
    ask_again(*room);
    send_queued(*room);
  }
  flush();
}

void Desk::gate_failed(std::string_view campaign_id, std::span<const Ask> asks, const Fault&) {
  const Campaign* const campaign = standings_.find(campaign_id);
  for (const Ask& one : asks) go_past(campaign, one.user, one.number);
  if (Room* const room = find_room(campaign)) send_queued(*room);
  flush();
}

/// Without an answer of the gate.
void Desk::go_past(const Campaign* campaign, const User& user, AskNumber number) {
  Room* const room = find_room(campaign);
  if (!room || mutant(Mutant::gate_waited_for)) return;
  const auto found = room->waits.find(user);
  if (found == room->waits.end() || found->second.ask == 0 || found->second.ask != number) return;
  counters_.gate_bypasses.fetch_add(1, std::memory_order_relaxed);
  found->second.ask = 0;
  queue(*room, *found);
}

/// The gate owes answers within this time; should it not give them, the claims do not wait for that. tick() sends.
void Desk::end_asks() {
  const Uptime now = clock_.uptime();
  for (; !asks_.empty() && asks_.front().until <= now; asks_.pop_front()) {
    go_past(asks_.front().campaign, asks_.front().user, asks_.front().number);
  }
}

void Desk::turn_away(Room& room, Waits::iterator found, std::uint64_t generation) {
  found->second.full_at = std::max<std::uint64_t>(generation, 1);  // even of a gate that counts from 0
  found->second.full_since = clock_.uptime();
  found->second.turn = room.full.insert(room.full.end(), &*found);
}

void Desk::leave_full(Room& room, Wait& wait) {
  if (wait.full_at == 0) return;
  wait.full_at = 0;
  room.full.erase(wait.turn);
}

/// Who was told `full` under an older generation asks again.
void Desk::ask_again(Room& room) {
  const auto filter = filters_.find(room.campaign);
  if (filter == filters_.end()) return;
  for (std::size_t i = 0; i < limits::gate_batch_max && !filter->second.is_full && !room.full.empty(); ++i) {
    auto& one = *room.full.front();
    auto& [user, wait] = one;
    if (wait.full_at == filter->second.generation) return;
    leave_full(room, wait);
    if (!ask(room, user, wait)) queue(room, one);
  }
}

void Desk::note(const Campaign& campaign, std::uint64_t generation, bool is_full) {
  const auto& view = campaign.view();
  if (view.sealed || view.closed) return;  // what was asked before comes late
  auto found = filters_.find(&campaign);
  if (found == filters_.end()) {
    if (!is_full) return;
    found = filters_.emplace(&campaign, Filter{}).first;
  }
  Filter& filter = found->second;
  if (filter.generation != generation) {
    filter = {.generation = generation,
              .is_full = false,
              .ranks = static_cast<std::uint32_t>(campaign.winners().size()),
              .quiet_since = clock_.uptime()};
  }
  filter.is_full |= is_full;
}

/// Everything that was in the journal a moment ago has been applied.
void Desk::widen_full() {
  if (!gate_ || filters_.empty() || !is_fresh() || mutant(Mutant::no_widen)) return;
  const Uptime now = clock_.uptime();
  const Time wall = clock_.now();
  for (auto& [campaign, filter] : filters_) {
    const auto& view = campaign->view();
    const auto ranks = static_cast<std::uint32_t>(campaign->winners().size());
    const bool takes_claims = !view.paused && !view.window.is_before(wall) && !view.window.is_after(wall);
    if (ranks != filter.ranks || !takes_claims) {
      filter.ranks = ranks;
      filter.quiet_since = now;
      continue;
    }
    if (!filter.is_full || view.sealed || view.closed || now - filter.quiet_since < quiet_least) continue;
    filter.quiet_since = now;  // it may get lost
    counters_.widenings.fetch_add(1, std::memory_order_relaxed);
    gate_->widen(campaign->id(), filter.generation, free_places(*campaign));
  }
}

void Desk::forget(const Campaign& campaign) {
  filters_.erase(&campaign);
  if (gate_) gate_->forget(campaign.id());
}

}  // namespace firstcome
