#include "sim/sim_journal.h"

#include <algorithm>
#include <limits>

#include "base/mutant.h"

namespace firstcome::sim {

Result<void> SimJournal::show(std::uint32_t partition, std::size_t most) {
  const Log::Records& records = log_.records(partition);
  std::vector<Shown> entries;
  std::optional<Fault> fault;
  std::size_t& next = next_[partition];
  next = std::min(next, records.size());
  for (; next < records.size() && most > 0 && !fault; --most) {
    auto shown = read(records[next], partition);
    if (!shown) {
      fault = std::move(shown.error());
    } else {
      ++next;
      if (*shown) entries.push_back(std::move(**shown));
    }
  }
  if (!entries.empty()) follower_->shown(entries);
  if (fault) return fail(std::move(*fault));
  return {};
}

void SimJournal::maybe_go_back(std::uint32_t partition) {
  std::size_t& next = next_[partition];
  if (next > 0 && world_.strikes(Happening::shown_again)) next = world_.dice.below(static_cast<std::uint32_t>(next));
}

Result<void> SimFile::start(Follower& follower) {
  follower_ = &follower;
  if (auto shown = show(0, std::numeric_limits<std::size_t>::max()); !shown) return shown;
  is_open_ = true;
  log_.join(*this);
  beat();
  return {};
}

Result<void> SimFile::append(Entry entry, AppendTag tag) {
  if (!is_open_) return fail(FaultKind::unavailable, "stopped");
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

Micros SimFile::commit_time() {
  return world_.strikes(Happening::slow_commit) ? world_.dice.between(millis(50), millis(3000))
                                                : world_.dice.between(100, millis(4));
}

void SimFile::drain() {
  drain_due_ = false;
  if (!is_open_ || !batch_.empty() || mailbox_.empty()) return;
  const auto count = static_cast<std::ptrdiff_t>(std::min(plan_.batch_max, mailbox_.size()));
  std::move(mailbox_.begin(), mailbox_.begin() + count, std::back_inserter(batch_));
  mailbox_.erase(mailbox_.begin(), mailbox_.begin() + count);
  if (mutant(Mutant::answer_before_commit)) {
    for (const Waiting& waiting : batch_) told_early_.push_back(log_.append(waiting.bytes, 0, {}, false).position);
    log_.tell();
  }
  world_.trace("commit of {} entries begins", batch_.size());
  world_.after(commit_time(), [this] { end_commit(); });
}

void SimFile::end_commit() {
  if (!is_open_ || !life_.step()) return;
  if (log_.disk_full || world_.strikes(Happening::failed_commit)) {
    fail_batch();
  } else if (world_.strikes(Happening::unknown_commit_lost)) {
    write_batch(0);
  } else if (world_.strikes(Happening::unknown_commit_durable)) {
    write_late();
  } else {
    write_batch(batch_.size());
  }
  if (life_.step() && !mailbox_.empty()) drain();
}

/// The first `count` entries of the batch are in the journal now, the others never will be.
void SimFile::write_batch(std::size_t count) {
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
  log_.tell();
}

/// Nobody knows what became of it, and others write first.
void SimFile::write_late() {
  if (mutant(Mutant::answer_before_commit)) return write_batch(batch_.size());
  world_.after(world_.dice.between(millis(50), millis(4000)), [&log = log_, late = std::exchange(batch_, {})] {
    for (const Waiting& waiting : late) log.append(waiting.bytes);
    log.tell();
  });
}

void SimFile::fail_batch() {
  std::vector<AppendTag> tags;
  for (const Waiting& waiting : batch_) tags.push_back(waiting.tag);
  write_batch(0);
  follower_->append_failed(tags, {FaultKind::unavailable, "the disk is full"});
}

void SimFile::die() {
  if (!std::exchange(is_open_, false)) return;
  log_.leave(*this);
  mailbox_.clear();
  if (batch_.empty()) return;
  const auto size = static_cast<std::uint32_t>(batch_.size());
  switch (world_.dice.below(size > 1 ? 4 : 2)) {
    case 0:
      world_.saw(Happening::crash_batch_lost);
      write_batch(0);
      break;
    case 1:
      world_.saw(Happening::crash_batch_durable);
      write_batch(size);
      break;
    default:
      world_.saw(Happening::crash_batch_torn);
      write_batch(world_.dice.below(size));
  }
}

void SimFile::news(std::uint32_t) {
  if (!is_open_ || show_due_) return;
  show_due_ = true;
  if (world_.strikes(Happening::follower_stalled)) {
    stalled_until_ = world_.now() + world_.dice.between(millis(100), millis(5000));
    world_.trace("a follower is cut off");
  }
  world_.at(std::max(world_.now() + world_.dice.between(0, millis(2)), stalled_until_), [this] {
    show_due_ = false;
    if (!is_open_) return;
    maybe_go_back(0);
    show_all();
  });
}

/// False: this node stops.
bool SimFile::show_all() {
  const auto shown = show(0, std::numeric_limits<std::size_t>::max());
  if (!shown) on_stop(shown.error());
  return shown.has_value();
}

void SimFile::beat() {
  if (!is_open_) return;
  if (world_.now() >= stalled_until_) {
    if (!show_all()) return;
    follower_->heard(log_.now());
  }
  world_.after(millis(world_.dice.between(250, 400)), [this] { beat(); });
}

}  // namespace firstcome::sim
