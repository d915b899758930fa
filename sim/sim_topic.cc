#include "sim/sim_topic.h"

#include <algorithm>
#include <limits>

namespace firstcome::sim {
namespace {

constexpr Micros append_ms_max = millis(1500);  // after that an append is given up
constexpr Micros look_every = millis(250);
constexpr Millis offset_holds{
    10'000};  // who is told apart by a clock sends nothing that would show that it is right again

}  // namespace

SimTopic::SimTopic(World& world, const Plan& plan, Log& log, Life& life, Clock& clock)
    : SimJournal(world, log, life),
      plan_(plan),
      clock_(clock),
      writer_(world.dice.roll()),
      lag_(world.dice.chance(300) ? world.dice.between(0, millis(60)) : world.dice.between(0, millis(3))),
      readings_(log.partitions()) {}

Result<void> SimTopic::start(Follower& follower) {
  follower_ = &follower;
  for (std::uint32_t partition = 0; partition < log_.partitions(); ++partition) {
    if (log_.is_away(partition)) return fail(FaultKind::unavailable, "a partition has no leader");
  }
  for (std::uint32_t partition = 0; partition < log_.partitions(); ++partition) {
    if (auto shown = show(partition, std::numeric_limits<std::size_t>::max()); !shown) return shown;
  }
  is_open_ = true;
  log_.join(*this);
  life_.after(0, [this] { look(); });
  return {};
}

Result<void> SimTopic::append(Entry entry, AppendTag tag) {
  if (!is_open_) return fail(FaultKind::unavailable, "stopped");
  if (pending_.size() >= plan_.mailbox_max) {
    world_.saw(Happening::journal_full);
    return fail(FaultKind::overloaded, "the journal is full");
  }
  const std::uint64_t number = ++last_number_;
  Pending& pending = pending_[number];
  pending = {.tag = tag,
             .bytes = {},
             .partition = partition_of(campaign_of(entry), log_.partitions()),
             .sent = clock_.now(),
             .is_ticket = std::holds_alternative<Ticket>(entry)};
  encode(entry, pending.bytes);
  if (world_.strikes(Happening::partition_away)) {
    world_.trace("partition {} has no leader", pending.partition);
    log_.take_away(pending.partition, world_.now() + world_.dice.between(millis(100), millis(4000)));
  }
  send(number);
  life_.after(append_ms_max, [this, number] { give_up(number); });
  if (world_.strikes(Happening::producer_broke))
    life_.after(world_.dice.between(0, millis(5)), [this] { break_producer(); });
  return {};
}

void SimTopic::send(std::uint64_t number) {
  Pending& pending = pending_.at(number);
  if (world_.strikes(Happening::append_lost)) {
    pending.way = Way::lost;
    return;
  }
  Micros takes = world_.dice.between(200, 4000);
  if (world_.strikes(Happening::append_late)) takes = world_.dice.between(millis(50), millis(5000));
  if (is_cut_off()) {
    pending.way = Way::waiting;
    return world_.at(cut_off_until_ + takes, [this, number] { arrive(number); });
  }
  pending.way = Way::under_way;
  // The network does not know what became of the sender.
  world_.after(takes, [this, number, pending] {
    if (is_open_ && pending_.contains(number)) return arrive(number);
    bool comes = true;  // when it was given up, or came before by another producer, too
    if (!is_open_) {
      comes = world_.dice.chance(500);
      world_.saw(comes ? Happening::crash_append_written : Happening::crash_append_lost);
    }
    if (comes && !log_.is_away(pending.partition)) write(number, pending);
  });
}

void SimTopic::arrive(std::uint64_t number) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;  // given up, or this process is gone
  Pending& pending = found->second;
  if (log_.is_away(pending.partition)) {
    pending.way = Way::waiting;
    return world_.at(log_.away_until(pending.partition) + world_.dice.between(0, millis(50)),
                     [this, number] { arrive(number); });
  }
  pending.way = Way::under_way;
  write(number, Pending(pending));
}

/// By the brokers.
void SimTopic::write(std::uint64_t number, const Pending& pending) {
  const std::uint32_t partition = pending.partition;
  if (world_.strikes(Happening::foreign_entry)) log_.append({'h', 'i'}, partition);
  log_.append(pending.bytes, partition, {writer_, number});
  if (world_.strikes(Happening::entry_twice)) log_.append(pending.bytes, partition, {writer_, number});
  if (log_.partitions() > 1 && world_.strikes(Happening::entry_elsewhere)) {
    const std::uint32_t elsewhere = (partition + 1) % log_.partitions();
    log_.append(pending.bytes, elsewhere);
    log_.tell(elsewhere);
  }
  log_.tell(partition);
}

/// Without a report for too long. What was never sent cannot be there.
void SimTopic::give_up(std::uint64_t number) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;
  const Pending pending = std::move(found->second);
  pending_.erase(found);
  if (pending.way == Way::waiting && !pending.sent_twice) {
    world_.saw(Happening::append_told_failed);
    follower_->append_failed({&pending.tag, 1}, {FaultKind::unavailable, "the brokers did not take it"});
  } else {
    world_.saw(Happening::append_unknown);
  }
}

void SimTopic::break_producer() {
  world_.trace("a producer broke: {} appends are out", pending_.size());
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, pending] : pending_) numbers.push_back(number);
  for (const std::uint64_t number : numbers) {
    Pending& pending = pending_.at(number);
    if (pending.is_ticket && !pending.sent_twice) {
      pending.sent_twice = true;
      send(number);
    } else {
      give_up(number);
      if (!is_open_) return;
    }
  }
}

void SimTopic::die() {
  if (!std::exchange(is_open_, false)) return;
  log_.leave(*this);
  pending_.clear();
}

void SimTopic::news(std::uint32_t partition) {
  Reading& reading = readings_[partition];
  if (!is_open_ || reading.is_due) return;
  reading.is_due = true;
  if (world_.strikes(Happening::follower_stalled)) {
    cut_off_until_ = world_.now() + world_.dice.between(millis(100), millis(6000));
    world_.trace("a follower is cut off");
  }
  if (world_.strikes(Happening::follower_behind)) {
    reading.behind_until = world_.now() + world_.dice.between(millis(50), millis(3000));
  }
  const Micros usual = world_.now() + lag_ + world_.dice.between(0, millis(2));
  life_.at(std::max({usual, cut_off_until_, reading.behind_until}), [this, partition] { show_next(partition); });
}

void SimTopic::show_next(std::uint32_t partition) {
  readings_[partition].is_due = false;
  if (log_.is_away(partition)) {
    readings_[partition].is_due = true;
    return life_.at(log_.away_until(partition), [this, partition] { show_next(partition); });
  }
  maybe_go_back(partition);
  const std::size_t from = next_[partition];
  const auto shown = show(partition, plan_.batch_max);
  if (!is_open_) return;
  settle_own(partition, from);
  if (!shown) return on_stop(shown.error());
  if (next_[partition] < log_.records(partition).size()) news(partition);
  hear();
}

/// What was shown is no longer waited for; it tells how our clock and the brokers' differ, too.
void SimTopic::settle_own(std::uint32_t partition, std::size_t from) {
  const Log::Records& records = log_.records(partition);
  const Time now = clock_.now();
  for (std::size_t i = from; i < next_[partition]; ++i) {
    if (records[i].sender.writer != writer_) continue;
    const auto found = pending_.find(records[i].sender.number);
    if (found == pending_.end()) continue;
    if (now >= found->second.sent) {
      measured_at_ = clock_.uptime();
      offset_ = std::clamp(offset_, records[i].stamp - now, records[i].stamp - found->second.sent);
    }
    pending_.erase(found);
  }
}

/// Asks where the partitions end.
void SimTopic::look() {
  life_.after(look_every + world_.dice.between(0, millis(100)), [this] { look(); });
  if (is_cut_off() || look_) return;
  Look look{.asked = clock_.now(), .ends = {}};
  for (std::uint32_t partition = 0; partition < log_.partitions(); ++partition) {
    if (log_.is_away(partition)) return;
    look.ends.push_back(log_.records(partition).size());
  }
  life_.after(world_.dice.between(200, millis(20)), [this, look = std::move(look)] {
    look_ = look;
    hear();
  });
}

void SimTopic::hear() {
  if (!look_) return;
  for (std::uint32_t partition = 0; partition < log_.partitions(); ++partition) {
    if (next_[partition] < look_->ends[partition]) return;
  }
  const Time asked = std::exchange(look_, std::nullopt)->asked;
  if (clock_.uptime() - measured_at_ > offset_holds) offset_ = Millis(0);
  follower_->heard(asked + offset_);
}

}  // namespace firstcome::sim
