#include "sim/sim_journal.h"

#include <algorithm>

#include "base/assert.h"
#include "base/mutant.h"

namespace firstcome::sim {

Log::Log(World& world, const Plan& plan)
    : world_(world), gaps_(plan.positions_have_gaps), truth_(std::make_unique<Standings>(0, 8)) {}

void Log::append(std::vector<std::uint8_t> bytes, bool durable) {
  last_ += gaps_ ? 1 + world_.dice.below(3) : 1;
  records_.push_back({last_, now(), std::move(bytes), durable});
  apply_to_truth(records_.back());
}

void Log::apply_to_truth(const Record& record) {
  const auto shown = read(record);
  if (!shown || !*shown) return;
  const Effect effect = truth_->apply(**shown);
  world_.trace("journal {} {} {}", record.position, kind_name((*shown)->entry), to_string(effect.kind));
  if (effect.kind == EffectKind::opened) opened_.emplace_back(effect.campaign->id(), world_.now());
  if (effect.sealed) world_.saw(Happening::sealed);
  if (effect.kind == EffectKind::surplus) world_.saw(Happening::surplus);
  if (effect.kind == EffectKind::out_of_window) world_.saw(Happening::out_of_window);
  if (effect.kind == EffectKind::quota_raised) world_.saw(Happening::raised);
  if (effect.kind == EffectKind::window_changed) world_.saw(Happening::moved);
  if (effect.kind == EffectKind::resumed) world_.saw(Happening::resumed);
  if (effect.kind == EffectKind::issued) world_.saw(Happening::issued_told);
  if (const auto* closed = std::get_if<Closed>(&(*shown)->entry); closed && effect.kind == EffectKind::closed) {
    world_.saw(closed->by == ClosedBy::due ? Happening::closed_by_due : Happening::closed_by_person);
  }
}

bool Log::knows_since(std::string_view campaign, Micros when) const {
  return std::ranges::any_of(opened_, [&](const auto& one) { return one.first == campaign && one.second < when; });
}

void Log::make_durable(std::span<const Position> positions) {
  for (Record& record : records_) {
    if (std::ranges::count(positions, record.position) > 0) record.durable = true;
  }
}

void Log::remove(std::span<const Position> positions) {
  std::erase_if(records_, [&](const Record& record) {
    return !record.durable && std::ranges::count(positions, record.position) > 0;
  });
  last_ = records_.empty() ? 0 : records_.back().position;
  truth_ = std::make_unique<Standings>(0, 8);
  for (const Record& record : records_) apply_to_truth(record);
}

void Log::tell_all() {
  for (SimJournal* const journal : journals_) journal->news();
}

Result<std::optional<Shown>> read(const Log::Record& record) {
  auto entry = decode(record.bytes);
  if (!entry) return fail(std::move(entry.error()));
  if (!*entry) return std::optional<Shown>();
  return Shown{record.position, record.stamp, std::move(**entry)};
}

Result<void> SimJournal::start(Follower& follower) {
  follower_ = &follower;
  alive_ = true;
  if (auto shown = show(); !shown) {
    alive_ = false;
    return shown;
  }
  log_.join(*this);
  beat();
  return {};
}

Result<void> SimJournal::append(Entry entry, AppendTag tag) {
  if (!alive_) return fail(FaultKind::unavailable, "stopped");
  if (mailbox_.size() >= plan_.mailbox_max) {
    world_.saw(Happening::journal_full);
    return fail(FaultKind::overloaded, "the journal's mailbox is full");
  }
  Waiting waiting{.bytes = {}, .tag = tag};
  encode(entry, waiting.bytes);
  mailbox_.push_back(std::move(waiting));
  if (batch_.empty() && !drain_due_) {
    drain_due_ = true;
    world_.after(world_.dice.between(0, 500), [this] { drain(); });
  }
  return {};
}

Micros SimJournal::commit_time() {
  return world_.strikes(Happening::slow_commit) ? world_.dice.between(millis(50), millis(3000))
                                                : world_.dice.between(100, millis(4));
}

void SimJournal::drain() {
  drain_due_ = false;
  if (!alive_ || !batch_.empty() || mailbox_.empty()) return;
  const auto count = static_cast<std::ptrdiff_t>(std::min(plan_.batch_max, mailbox_.size()));
  std::move(mailbox_.begin(), mailbox_.begin() + count, std::back_inserter(batch_));
  mailbox_.erase(mailbox_.begin(), mailbox_.begin() + count);
  if (mutant(Mutant::answer_before_commit)) {
    for (const Waiting& waiting : batch_) {
      log_.append(waiting.bytes, false);
      told_early_.push_back(log_.records().back().position);
    }
    log_.tell_all();
  }
  world_.trace("commit of {} entries begins", batch_.size());
  world_.after(commit_time(), [this] { end_commit(); });
}

void SimJournal::end_commit() {
  if (!alive_) return;
  on_step();
  if (!alive_) return;
  if (log_.disk_full || world_.strikes(Happening::failed_commit)) {
    fail_batch();
  } else if (world_.strikes(Happening::unknown_commit_lost)) {
    write_batch(0);
  } else if (world_.strikes(Happening::unknown_commit_durable)) {
    write_late();
  } else {
    write_batch(batch_.size());
  }
  if (alive_) on_step();
  if (alive_ && !mailbox_.empty()) drain();
}

/// The first `count` entries of the batch are in the journal now, the others never will be.
void SimJournal::write_batch(std::size_t count) {
  if (mutant(Mutant::answer_before_commit)) {
    const auto early = std::exchange(told_early_, {});
    log_.make_durable(std::span(early).first(count));
    log_.remove(early);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      if (world_.strikes(Happening::foreign_entry)) log_.append({'h', 'i'});
      log_.append(batch_[i].bytes);
      if (world_.strikes(Happening::entry_twice)) log_.append(batch_[i].bytes);
    }
  }
  world_.trace("commit: {} of {} entries are durable", count, batch_.size());
  batch_.clear();
  log_.tell_all();
}

/// Nobody knows what became of it, and others write first.
void SimJournal::write_late() {
  if (mutant(Mutant::answer_before_commit)) return write_batch(batch_.size());
  world_.after(world_.dice.between(millis(50), millis(4000)), [&log = log_, late = std::exchange(batch_, {})] {
    for (const Waiting& waiting : late) log.append(waiting.bytes);
    log.tell_all();
  });
}

void SimJournal::fail_batch() {
  std::vector<AppendTag> tags;
  for (const Waiting& waiting : batch_) tags.push_back(waiting.tag);
  write_batch(0);
  follower_->append_failed(tags, {FaultKind::unavailable, "the disk is full"});
}

void SimJournal::die() {
  if (!std::exchange(alive_, false)) return;
  log_.leave(*this);
  mailbox_.clear();
  if (batch_.empty()) return;
  const auto size = static_cast<std::uint32_t>(batch_.size());
  switch (world_.dice.below(3)) {
    case 0:
      world_.saw(Happening::crash_batch_lost);
      write_batch(0);
      break;
    case 1:
      world_.saw(Happening::crash_batch_durable);
      write_batch(size);
      break;
    default:
      if (size > 1) world_.saw(Happening::crash_batch_torn);
      write_batch(world_.dice.below(size));
  }
}

void SimJournal::news() {
  if (!alive_ || show_due_) return;
  show_due_ = true;
  if (world_.strikes(Happening::follower_stalled)) {
    stalled_until_ = world_.now() + world_.dice.between(millis(100), millis(5000));
    world_.trace("a follower is cut off");
  }
  world_.at(std::max(world_.now() + world_.dice.between(0, millis(2)), stalled_until_), [this] {
    show_due_ = false;
    if (!alive_) return;
    if (world_.strikes(Happening::shown_again))
      next_ = next_ == 0 ? 0 : world_.dice.below(static_cast<std::uint32_t>(next_));
    if (const auto shown = show(); !shown) on_stop(shown.error());
  });
}

Result<void> SimJournal::show() {
  std::vector<Shown> entries;
  std::optional<Fault> fault;
  next_ = std::min(next_, log_.records().size());
  while (next_ < log_.records().size() && !fault) {
    auto shown = read(log_.records()[next_]);
    if (!shown) {
      fault = std::move(shown.error());
    } else {
      ++next_;
      if (*shown) entries.push_back(std::move(**shown));
    }
  }
  if (!entries.empty()) follower_->shown(entries);
  if (fault) return fail(std::move(*fault));
  return {};
}

void SimJournal::beat() {
  if (!alive_) return;
  if (world_.now() >= stalled_until_) {
    if (const auto shown = show(); !shown) return on_stop(shown.error());
    follower_->heard(log_.now());
  }
  world_.after(millis(world_.dice.between(250, 400)), [this] { beat(); });
}

}  // namespace firstcome::sim
