#include "standings/campaign.h"

#include <algorithm>
#include <cstring>

#include "base/mutant.h"
#include "base/schedule_point.h"
#include "standings/standings.h"

namespace firstcome {

Campaign::Campaign(const Opened& opened, std::uint64_t seed) : opened_(opened), seed_(seed) {
  tables_.push_back(std::make_unique<WinnerTable>(opened.quota, seed_));
  publish(View{.quota = opened.quota,
               .sealed = opened.quota == 0,
               .window = {opened.opens_at, opened.closes_at},
               .table = tables_.back().get()});
}

Look Campaign::look(std::string_view user, Time now) const {
  // The flags first (one acquire load of the view), then the winner: apply() publishes a winner before the flag that
  // his ticket raised. The other way round a winner who asks again at the N-th ticket could be told sold_out.
  const View* flags = nullptr;
  std::uint32_t rank = 0;
  if (mutant(Mutant::winner_before_sealed)) {
    rank = view().table->find(user, winners_);
    schedule_point();
    flags = &view();
  } else {
    flags = &view();
    schedule_point();
    rank = flags->table->find(user, winners_);
  }

  Look look{.quota = flags->quota};
  if (mutant(Mutant::closed_before_sealed) && flags->closed) {
    look.place = Place::closed;
  } else if (rank != 0) {
    look.place = Place::winner;
    look.rank = rank;
    look.winner = &winners_[rank - 1];
    look.issued = !promises_store() || (rank <= issued() && !is_parked(rank));
  } else if (flags->sealed) {
    look.place = Place::sealed;
    look.issued = !promises_store() || (issued() >= flags->quota && !is_parked(0));
  } else if (flags->closed) {
    look.place = Place::closed;
  } else if (flags->paused) {
    look.place = Place::paused;
  } else if (flags->window.is_before(now)) {
    look.place = Place::not_yet_open;
  } else if (flags->window.is_after(now)) {
    look.place = Place::past_close;
  }
  return look;
}

std::string_view Campaign::state(Time now) const {
  const View& flags = view();
  if (flags.sealed) return "sealed";
  if (flags.closed) return "closed";
  if (flags.paused) return "paused";
  return flags.window.is_before(now) ? "scheduled" : "open";
}

/// Is the coupon of that rank parked; with rank 0: is any.
bool Campaign::is_parked(std::uint32_t rank) const {
  schedule_point();
  const auto* parked = parked_.load(std::memory_order_acquire);
  return parked && (rank == 0 ? !parked->empty() : std::ranges::binary_search(*parked, rank));
}

void Campaign::publish(View next) {
  views_.push_back(next);
  schedule_point();
  view_.store(&views_.back(), std::memory_order_release);
}

void Campaign::add_change(Position position, Time stamp, const Chain& chain) {
  const View& now = view();
  changes_.append({.position = position,
                   .stamp = stamp,
                   .chain = chain,
                   .quota = now.quota,
                   .window = now.window,
                   .paused = now.paused,
                   .closed = now.closed});
}

/// A copy of the name that lives as long as the campaign: length byte, bytes.
const char* Campaign::keep(std::string_view user) {
  constexpr std::size_t block_bytes_min = 1024, block_bytes_max = 65536;
  const std::size_t bytes = user.size() + 1;
  if (arena_left_ < bytes) {
    const std::size_t block = std::clamp(std::size_t{winners_.size()} * 8, block_bytes_min, block_bytes_max);
    arena_.push_back(std::make_unique_for_overwrite<char[]>(block));
    arena_next_ = arena_.back().get();
    arena_left_ = block;
  }
  char* const kept = arena_next_;
  kept[0] = static_cast<char>(user.size());
  std::memcpy(kept + 1, user.data(), user.size());
  arena_next_ += bytes;
  arena_left_ -= bytes;
  return kept;
}

Effect Campaign::judge(const Ticket& ticket, Time stamp) const {
  const View& now = view();
  Effect effect{.kind = EffectKind::won, .campaign = this, .user = ticket.user};
  if (const auto rank = now.table->find(ticket.user, winners_)) {
    effect.kind = EffectKind::known;
    effect.rank = rank;
  } else if (now.closed) {
    effect.kind = EffectKind::after_closed;
  } else if (now.window.is_before(stamp) || now.window.is_after(stamp)) {
    effect.kind = EffectKind::out_of_window;
  } else if (winners_.size() >= now.quota) {
    effect.kind = EffectKind::surplus;
  }
#ifdef FIRSTCOME_MUTANTS
  const bool remembered = (mutant(Mutant::surplus_remembered) && effect.kind == EffectKind::surplus) ||
                          (mutant(Mutant::out_of_window_remembered) && effect.kind == EffectKind::out_of_window);
  if (remembered) refused_for_ever_.insert(ticket.user.str());
  if (effect.kind == EffectKind::won && refused_for_ever_.contains(ticket.user.str()))
    effect.kind = EffectKind::surplus;
#endif
  return effect;
}

bool Campaign::win(const Ticket& ticket, Position position, Time stamp) {
  const char* const text = keep(ticket.user);
  winners_.append({.code = ticket.code, .position = position, .stamp = stamp, .chain = chain_, .text = text});
  const std::uint32_t rank = winners_.size();
  tables_.back()->insert(ticket.user, rank);  // the winner before the flag: see look()
  schedule_point();
  const bool sealed = rank == view().quota;
  if (sealed) {
    View next = view();
    next.sealed = true;
    publish(next);
  }
  return sealed;
}

EffectKind Campaign::change(const Shown& shown) {
  const auto counts = [](bool yes, EffectKind kind) { return yes ? kind : EffectKind::none; };
  if (const auto* e = std::get_if<QuotaRaised>(&shown.entry)) return counts(apply(*e), EffectKind::quota_raised);
  if (const auto* e = std::get_if<WindowChanged>(&shown.entry)) {
    return counts(apply(*e, shown.position), EffectKind::window_changed);
  }
  if (const auto* e = std::get_if<Paused>(&shown.entry)) return counts(apply(*e, shown.position), EffectKind::paused);
  if (const auto* e = std::get_if<Resumed>(&shown.entry)) return counts(apply(*e, shown.position), EffectKind::resumed);
  if (const auto* e = std::get_if<Closed>(&shown.entry)) return counts(apply(*e, shown.stamp), EffectKind::closed);
  if (const auto* e = std::get_if<Issued>(&shown.entry)) return counts(apply(*e), EffectKind::issued);
  MUST(false, "opened and ticket entries go another way");
  return EffectKind::none;
}

bool Campaign::apply(const QuotaRaised& entry) {
  View next = view();
  if (next.closed || entry.quota <= next.quota) return false;
  next.quota = entry.quota;
  next.sealed = false;
  if (next.table->places() < entry.quota) {
    // Twice as large at least, so that many small raises do not each leave a table behind.
    auto table = std::make_unique<WinnerTable>(std::max(entry.quota, next.table->places() * 2), seed_);
    for (std::uint32_t rank = 1; rank <= winners_.size(); ++rank) table->insert(winners_[rank - 1].user(), rank);
    next.table = table.get();
    tables_.push_back(std::move(table));
  }
  publish(next);
  return true;
}

bool Campaign::apply(const WindowChanged& entry, Position position) {
  View next = view();
  if (next.closed || entry.seen != next.changed_at) return false;
  next.window = {entry.opens_at, entry.closes_at};
  next.changed_at = position;
  publish(next);
  return true;
}

bool Campaign::apply(const Paused& entry, Position position) {
  View next = view();
  if (next.closed || (entry.seen != next.changed_at && !mutant(Mutant::stale_pause_counts))) return false;
  next.paused = true;
  next.changed_at = position;
  publish(next);
  return true;
}

bool Campaign::apply(const Resumed& entry, Position position) {
  View next = view();
  if (next.closed || entry.seen != next.changed_at) return false;
  next.paused = false;
  next.changed_at = position;
  publish(next);
  return true;
}

bool Campaign::apply(const Closed& entry, Time stamp) {
  View next = view();
  const bool early = entry.by == ClosedBy::due && !next.window.is_after(stamp);
  if (next.closed || (early && !mutant(Mutant::early_due_counts))) return false;
  next.closed = true;
  publish(next);
  return true;
}

bool Campaign::apply(const Issued& entry) {
  const auto* before = parked_.load(std::memory_order_relaxed);
  const std::size_t parked_before = before ? before->size() : 0;
  const bool news = entry.rank > issued() || (entry.rank == issued() && entry.parked.size() < parked_before);
  if (!news || entry.rank > winners_.size()) return false;
  if (!entry.parked.empty() || parked_before > 0) {
    parked_lists_.push_back(entry.parked);
    parked_.store(&parked_lists_.back(), std::memory_order_release);  // before the rank that may cover it
  }
  schedule_point();
  issued_.store(entry.rank, std::memory_order_release);
  return true;
}

}  // namespace firstcome
