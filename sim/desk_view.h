#pragma once

#include <algorithm>
#include <functional>

#include "desk/desk.h"

namespace firstcome {

/// What makes two desks the same, of one campaign. The only one who looks into a desk; a member that is added there and
/// decides anything must be added here.
class DeskView {
 public:
  using Write = std::function<void(std::uint64_t)>;

  /// `name`: a small number for a generation of the gate; `who`: one for a user.
  static void write(const Desk& desk, const Campaign& campaign, const std::function<std::uint64_t(std::uint64_t)>& name,
                    const std::function<std::uint64_t(const User&)>& who, const Write& out) {
    const Uptime now = desk.clock_.uptime();
    const auto left = [&](Uptime until) {
      return static_cast<std::uint64_t>(std::max<Uptime::rep>((until - now).count(), 0));
    };
    const auto out_user = [&](const User& user) { out(who(user)); };
    const auto room = desk.rooms_.find(&campaign);
    out(room == desk.rooms_.end() ? 0 : 1);
    if (room != desk.rooms_.end()) {
      const Desk::Room& in = *room->second;
      std::vector<const Desk::Waits::value_type*> waits;
      for (const auto& one : in.waits) waits.push_back(&one);
      std::ranges::sort(waits, {}, [&](const auto* one) { return who(one->first); });
      out(waits.size());
      for (const auto* one : waits) {
        const Desk::Wait& wait = one->second;
        out_user(one->first);
        out(wait.claims.size());
        out(wait.queued + 2U * wait.was_sent + 4U * (wait.ask != 0) + 8U * (wait.flight != 0));
        out(name(wait.full_at));
        if (wait.flight != 0) out(left(desk.flights_[wait.flight - desk.flights_begin_].until));
      }
      for (const auto* one : in.queue) out_user(one->first);
      out(in.in_flight);
      for (const auto* one : in.full) out_user(one->first);
      for (const Desk::Asked& asked : desk.asks_) {
        const auto found = in.waits.find(asked.user);
        if (found == in.waits.end() || found->second.ask != asked.number) continue;
        out_user(asked.user);
        out(left(asked.until));
      }
      for (const auto& [until, number] : desk.claim_ends_) {
        const auto claim = desk.claims_.find(number);
        if (claim == desk.claims_.end()) continue;
        out_user(claim->second.user);
        out(left(until));
      }
    }
    const auto filter = desk.filters_.find(&campaign);
    out(filter == desk.filters_.end() ? 0 : 1);
    if (filter == desk.filters_.end()) return;
    out(name(filter->second.generation));
    out(filter->second.is_full);
    out(filter->second.ranks);
    out(now - filter->second.quiet_since >= Millis(1000));
  }

  /// The generations that the desk remembers.
  static void generations(const Desk& desk, const Campaign& campaign, std::vector<std::uint64_t>& into) {
    const auto filter = desk.filters_.find(&campaign);
    if (filter != desk.filters_.end()) into.push_back(filter->second.generation);
    const auto room = desk.rooms_.find(&campaign);
    if (room == desk.rooms_.end()) return;
    for (const auto& one : room->second->waits) into.push_back(one.second.full_at);
  }

  /// Would an answer to this ask reach a wait?
  static bool awaits(const Desk& desk, const Campaign& campaign, const User& user, AskNumber number) {
    const auto room = desk.rooms_.find(&campaign);
    if (room == desk.rooms_.end()) return false;
    const auto found = room->second->waits.find(user);
    return found != room->second->waits.end() && found->second.ask == number;
  }
};

}  // namespace firstcome
