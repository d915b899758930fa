// DESIGN
//   What is owed is not queued anywhere: it is the difference between a campaign's standings and the store's progress.
//   A Course walks from one to the other, through changes and winners in the order of their positions. Whenever the
//   issuer is not sure what the store holds (at the start, after a fault, after a lost fence), it forgets its courses
//   and reads the store's progress again: that is the only recovery there is.
#include "issuer/issuer.h"

#include <algorithm>
#include <unordered_map>

#include "base/assert.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mutant.h"

namespace firstcome {
namespace {

constexpr Millis beat_every{1000};    // a spare takes over when the beat is 3 s old
constexpr Millis read_every{10'000};  // a store that was set back by its people says so to nobody who does not ask
constexpr Millis pause_min{100}, pause_max{5000};
constexpr Millis issued_again_after{2000};  // an `issued` entry that was not seen by then is appended again

/// How many of the list have a position up to `upto`; positions grow.
template <class List>
std::uint32_t count_upto(const List& list, Position upto) {
  std::uint32_t from = 0, to = list.size();
  while (from < to) {
    const std::uint32_t middle = from + (to - from) / 2;
    if (list[middle].position <= upto) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

}  // namespace

Issuer::Issuer(const Standings& standings, Store& store, Journal& journal, Clock& clock, IssuerSettings settings)
    : standings_(standings), store_(store), journal_(journal), clock_(clock), settings_(std::move(settings)) {}

bool Issuer::Course::has_work() const {
  return (progress ? progress->rank : 0) < campaign->winners().size() || changes < campaign->changes().size();
}

/// What a fault does not end: the rate, and what the journal has been told.
void Issuer::Course::keep(Course& before) {
  pace = std::move(before.pace);
  known = before.progress ? before.progress : before.known;  // a reading may have ended in the middle
  rows_max = before.rows_max;
  issued_told = before.issued_told;
  issued_parked_told = before.issued_parked_told;
  issued_again = before.issued_again;
}

Result<void> Issuer::check() {
  auto read = read_store();
  if (!read && read.error().retryable() && ahead_since_) return {};  // step() waits for the journal
  return read;
}

Uptime Issuer::step() {
  const Uptime now = clock_.uptime();
  find_new_campaigns();
  measure(now);
  if (counters_.stopped) return now + pause_max;
  if (now < not_before_) return not_before_;
  if (!beat_due_ || now >= *beat_due_) {
    const auto held = store_.beat(settings_.holder);
    if (!held) {
      failed(held.error(), "beat");
      return not_before_;
    }
    const bool is_first = counters_.beat_ms.exchange(now.count()) < 0;
    // We stood still for so long that a spare may have been at work meanwhile, and gone again.
    const bool lapsed = beat_due_ && now - *beat_due_ > beat_every;
    beat_due_ = now + beat_every;
    // A parked coupon may be retried through another node: only the store tells.
    if (std::ranges::any_of(courses_, [](const Course& course) { return !course.parked_ranks.empty(); })) {
      in_step_with_store_ = false;
    }
    if (now >= read_due_ && !mutant(Mutant::store_read_once)) in_step_with_store_ = false;
    if (*held != at_work_ || lapsed) in_step_with_store_ = false;
    // What another one wrote in vain, before we came, leaves no row behind.
    if (*held && !at_work_) came_to_work_ = true;
    if (*held != at_work_ || is_first) {
      at_work_ = *held;
      counters_.at_work = at_work_;
      if (at_work_) counters_.take_overs.fetch_add(1);
      log::info(at_work_ ? "issuer at work" : "issuer waits as a spare: another one is at work",
                {{"self", settings_.holder}});
    }
  }
  if (!at_work_) {
    write_failed_ = false;  // the other one finds out
    end_pause();
    return *beat_due_;
  }
  if (!in_step_with_store_) {
    if (const auto read = read_store(); !read) {
      failed(read.error(), "read the store's progress");
      return counters_.stopped ? now + pause_max : not_before_;
    }
  }
  Uptime next = *beat_due_;
  if (Course* const course = next_course(now, next)) {
    issue(*course);
    return std::max(now, not_before_);
  }
  const auto has_work = [](const Course& course) { return !course.stopped && course.has_work(); };
  if (!write_failed_ || std::ranges::none_of(courses_, has_work)) went_well();
  return next;
}

/// Reads how far the store is, and makes sure that it is a store of this journal.
Result<void> Issuer::read_store() {
  const std::uint64_t heard = heard_;  // before any look at the standings
  const auto journal_id = standings_.installation();
  if (!journal_id) return fail(FaultKind::unavailable, "the journal has not said yet which one it is");
  const auto store_id = store_.installation();
  if (!store_id) return fail(store_id.error());
  if (!*store_id) {
    if (auto adopted = store_.adopt(journal_id->id); !adopted) return adopted;
  } else if (**store_id != journal_id->id) {
    return fail(FaultKind::misconfigured, "this store belongs to journal " + hex(**store_id) + ", not to " +
                                              hex(journal_id->id) +
                                              ": start this process with the two that belong together");
  }
  auto rows = store_.progress();
  if (!rows) return fail(rows.error());
  auto parked = store_.parked();
  if (!parked) return fail(parked.error());

  auto before = std::exchange(courses_, {});
  std::unordered_map<const Campaign*, Course*> learned;
  const auto learn_new = [&] {
    find_new_campaigns();
    for (std::size_t i = learned.size(); i < courses_.size(); ++i) {
      if (i < before.size()) courses_[i].keep(before[i]);
      learned.emplace(courses_[i].campaign, &courses_[i]);
    }
  };
  learn_new();
  const auto course_of = [&](const Campaign* campaign) -> Course& {
    if (!learned.contains(campaign)) learn_new();  // the journal has shown it in this moment
    return *learned.at(campaign);
  };
  for (const Progress& row : *rows) {
    const Campaign* const campaign = standings_.find(row.campaign);
    if (!campaign) {
      return ahead(row, heard,
                   "the store has coupons of campaign " + row.campaign.str() +
                       ", which the journal does not know: the journal is older than the store; restore the newer one");
    }
    Course& course = course_of(campaign);
    if (course.known != row) {
      write_failed_ = false;  // whoever wrote it: the store has taken it
      hold_back(course);
    }
    if (auto followed = follow_progress(course, row, heard); !followed) return followed;
  }
  for (const ParkedEntry& entry : *parked) {
    const Campaign* const campaign = standings_.find(entry.coupon.campaign);
    if (!campaign) continue;
    Course& course = course_of(campaign);
    course.parked_ranks.push_back(entry.coupon.rank);
    std::ranges::sort(course.parked_ranks);
    course.stopped = course.parked_ranks.size() > settings_.parked_max;
  }
  for (Course& course : courses_) {
    if (came_to_work_ && course.progress) hold_back(course);
    course.known = course.progress;
  }
  came_to_work_ = false;
  ahead_since_.reset();
  in_step_with_store_ = true;
  read_due_ = clock_.uptime() + read_every;
  return {};
}

/// Another issuer may have written what we have not read yet. It is not so when the journal was heard three times
/// since, and before the look that has not found it: the first may have been asked for before, and the second may have
/// been on its way. A spare that comes to work again finds another row, where others have written since.
std::unexpected<Fault> Issuer::ahead(const Progress& row, std::uint64_t heard, std::string what) {
  constexpr std::uint64_t hears = 3;
  if (settings_.is_alone || mutant(Mutant::behind_is_corrupt)) return fail(FaultKind::corrupt, std::move(what));
  if (!ahead_since_ || ahead_since_->row != row) ahead_since_ = {row, heard_};
  if (heard >= ahead_since_->heard + hears) return fail(FaultKind::corrupt, std::move(what));
  return fail(FaultKind::unavailable, "this process is behind: it waits for the journal, or: " + what);
}

/// The fold's chain at that position must be the stored one: two histories that differ anywhere before it differ there.
Result<void> Issuer::follow_progress(Course& course, const Progress& progress, std::uint64_t heard) {
  // The journal may show more meanwhile: what is counted below is all that stood there up to this position.
  const Position shown_upto = standings_.position_of(*course.campaign);
  const auto& winners = course.campaign->winners();
  const auto& changes = course.campaign->changes();
  const std::uint32_t rank = count_upto(winners, progress.position);
  course.changes = count_upto(changes, progress.position);
  course.progress = progress;
  const std::string where = "campaign " + progress.campaign.str() + ", position " + std::to_string(progress.position);
  if (progress.position > shown_upto) {
    return ahead(progress, heard,
                 "the store is ahead of the journal (" + where + "; the journal ends at " + std::to_string(shown_upto) +
                     "): this journal is older; restore the newer one");
  }
  const Chain* chain = nullptr;
  if (rank > 0 && winners[rank - 1].position == progress.position) chain = &winners[rank - 1].chain;
  if (course.changes > 0 && changes[course.changes - 1].position == progress.position) {
    chain = &changes[course.changes - 1].chain;
  }
  if (!chain || rank != progress.rank || *chain != progress.chain) {
    return fail(FaultKind::corrupt,
                "the store's progress is not that of this journal (" + where +
                    "): the two do not belong together, or one was changed; firstcome verify says more");
  }
  return {};
}

/// The store may have got rows just now that we did not count: those that we did not know of, and what others sent
/// before we came to work. They count against the rate as well.
void Issuer::hold_back(Course& course) {
  if (mutant(Mutant::rate_not_held_back)) return;
  const Uptime now = clock_.uptime();
  course.pace.hold_back(rate_of(*course.campaign), now);
  pace_of_store_.hold_back(settings_.issue_rate_total, now);
}

void Issuer::find_new_campaigns() {
  for (auto i = static_cast<std::uint32_t>(courses_.size()); i < standings_.campaigns().size(); ++i) {
    courses_.push_back({.campaign = standings_.campaigns()[i].get(), .rows_max = limits::coupons_batch_max});
  }
}

/// The next campaign in turn that has work and may; lowers `next` to when another look is worth it. Behind one that
/// only the store's pace holds back the others wait: else small batches, which find room sooner, would take the store's
/// whole rate, and a large one would never go.
Issuer::Course* Issuer::next_course(Uptime now, Uptime& next) {
  bool others_wait = false;
  for (std::size_t i = 0; i < courses_.size(); ++i) {
    Course& course = courses_[(turn_ + i) % courses_.size()];
    tell_issued(course, now);
    if (others_wait || course.stopped || !course.has_work()) continue;
    const std::size_t rows = rows_max_of(course);
    const Uptime own = course.pace.due(rows, rate_of(*course.campaign));
    const Uptime due = std::max(own, pace_of_store_.due(rows, settings_.issue_rate_total));
    if (due <= now) {
      turn_ = (turn_ + i + 1) % courses_.size();
      return &course;
    }
    next = std::min(next, due);
    others_wait = own <= now;
  }
  return nullptr;
}

double Issuer::rate_of(const Campaign& campaign) const {
  return campaign.opened().issue_rate.value_or(settings_.issue_rate);
}

std::size_t Issuer::rows_max_of(const Course& course) const {
  return std::min(
      {course.rows_max, Pace::batch_rows(rate_of(*course.campaign)), Pace::batch_rows(settings_.issue_rate_total)});
}

Issuer::Batch Issuer::next_batch(const Course& course) const {
  // Everything up to this position is visible; what comes meanwhile is for the next batch. Without it a change could be
  // seen before the winners that stand in front of it.
  const Position upto = standings_.position_of(*course.campaign);
  const Campaign& campaign = *course.campaign;
  const auto& winners = campaign.winners();
  const auto& changes = campaign.changes();
  const std::size_t rows_max = rows_max_of(course);

  Batch made{.changes = course.changes};
  IssueBatch& batch = made.batch;
  batch.seen = course.progress;
  batch.next = course.progress.value_or(Progress{.campaign = campaign.id()});
  std::uint32_t quota = course.changes > 0 ? changes[course.changes - 1].quota : 0;
  for (;;) {
    const bool has_change = made.changes < changes.size() && changes[made.changes].position <= upto;
    const bool has_winner = batch.next.rank < winners.size() && winners[batch.next.rank].position <= upto;
    // Alone, so that a refused row is known to be the coupon.
    const bool one_at_a_time = rows_max == 1 && (batch.campaign || !batch.coupons.empty());
    if ((!has_change && !has_winner) || one_at_a_time) break;
    if (has_change && (!has_winner || changes[made.changes].position < winners[batch.next.rank].position)) {
      const Change& change = changes[made.changes++];
      if (change.quota > quota) batch.quotas.push_back(quota = change.quota);
      batch.campaign = CampaignRow{.id = campaign.id(),
                                   .name = std::string(campaign.name()),
                                   .window = change.window,
                                   .issue_rate = campaign.opened().issue_rate,
                                   .promise = campaign.opened().promise.value_or(Promise::journal),
                                   .paused = change.paused,
                                   .closed = change.closed};
      batch.next.position = change.position;
      batch.next.chain = change.chain;
    } else {
      if (batch.coupons.size() == rows_max) break;
      const Winner& winner = winners[batch.next.rank++];
      batch.coupons.push_back({.campaign = campaign.id(),
                               .rank = batch.next.rank,
                               .quota = quota,
                               .user = winner.user(),
                               .code = winner.code,
                               .position = winner.position,
                               .issued_at = clock_.now()});
      batch.next.position = winner.position;
      batch.next.chain = winner.chain;
    }
  }
  return made;
}

void Issuer::issue(Course& course) {
  Batch made = next_batch(course);
  if (!made.batch.campaign && made.batch.coupons.empty()) return;
  if (mutant(Mutant::progress_beyond_written) && made.batch.coupons.size() > 1) made.batch.coupons.pop_back();
  write(course, made);
}

std::size_t Issuer::rows_of(const Batch& made) { return made.batch.coupons.size() + made.batch.parked.size(); }

void Issuer::write(Course& course, const Batch& made) {
  const Uptime before = clock_.uptime();
  const auto outcome = store_.write(made.batch);
  if (!outcome) {
    spend(course, rows_of(made));  // it may have been written
    if (outcome.error().kind == FaultKind::timed_out) {
      beat_due_.reset();  // or will be, whenever: a beat is true only when that is decided
    }
    if (mutant(Mutant::fault_parks)) return refused(course, made, outcome.error().what);
    write_failed_ = true;
    failed(outcome.error(), "write coupons of " + made.batch.next.campaign.str());
  } else if (std::holds_alternative<FenceLost>(*outcome)) {
    counters_.fences_lost.fetch_add(1);
    log::warn("another issuer has written, or has the place: reading the store's progress again",
              {{"campaign", made.batch.next.campaign.view()}, {"self", settings_.holder}});
    in_step_with_store_ = false;
    beat_due_.reset();
  } else if (const auto* row = std::get_if<RowRefused>(&*outcome)) {
    spend(course, rows_of(made));  // they were written, and undone
    refused(course, made, row->reason);
  } else {
    const double took = std::chrono::duration<double>(clock_.uptime() - before).count();
    counters_.commit_seconds.store(counters_.commit_seconds.load() + took);
    committed(course, made);
  }
}

void Issuer::committed(Course& course, const Batch& made) {
  write_failed_ = false;
  went_well();
  course.progress = made.batch.next;
  course.changes = made.changes;
  course.rows_max = std::min(course.rows_max * 2, limits::coupons_batch_max);
  spend(course, rows_of(made));
  counters_.written.fetch_add(made.batch.coupons.size());
  counters_.transactions.fetch_add(1);
  for (const ParkedEntry& entry : made.batch.parked) course.parked_ranks.push_back(entry.coupon.rank);
  tell_issued(course, clock_.uptime());
}

/// The next rows no earlier than the rates allow after these.
void Issuer::spend(Course& course, std::size_t rows) {
  const Uptime now = clock_.uptime();
  course.pace.spend(rows, rate_of(*course.campaign), now);
  pace_of_store_.spend(rows, settings_.issue_rate_total, now);
}

/// Finds the row by halving the batch, and parks it.
void Issuer::refused(Course& course, const Batch& made, const std::string& reason) {
  if (made.batch.coupons.size() > 1 || (made.batch.campaign && !made.batch.coupons.empty())) {
    course.rows_max = std::max<std::size_t>(made.batch.coupons.size() / 2, 1);
    return;
  }
  if (made.batch.coupons.empty()) {
    write_failed_ = true;
    return failed({FaultKind::unavailable, reason}, "write the terms of campaign " + made.batch.next.campaign.str());
  }
  Batch parking = made;
  parking.batch.parked.push_back({.coupon = made.batch.coupons.front(), .reason = reason, .parked_at = clock_.now()});
  parking.batch.coupons.clear();
  const std::uint32_t rank = made.batch.coupons.front().rank;
  log::warn("the store refused a coupon for ever: parked (firstcome parked list, then retry)",
            {{"campaign", course.campaign->id().view()}, {"rank", rank}, {"reason", reason}});
  write(course, parking);
  course.stopped = course.parked_ranks.size() > settings_.parked_max;
  if (course.stopped) {
    log::error("too many coupons are parked: this campaign's coupons wait until some are retried",
               {{"campaign", course.campaign->id().view()},
                {"parked", course.parked_ranks.size()},
                {"parked_max", settings_.parked_max}});
  }
}

Result<WriteOutcome> Issuer::retry(std::int64_t number) {
  const auto entries = store_.parked();
  if (!entries) return fail(entries.error());
  const auto entry = std::ranges::find(*entries, number, &ParkedEntry::number);
  auto outcome = store_.retry(number, clock_.now());
  if (!outcome) in_step_with_store_ = false;  // it may have been written
  if (entry == entries->end()) return outcome;
  const bool committed = outcome && std::holds_alternative<Committed>(*outcome);
  if (committed) {
    log::info("a parked coupon was issued",
              {{"campaign", entry->coupon.campaign.view()}, {"rank", entry->coupon.rank}});
  }
  for (Course& course : courses_) {
    if (course.campaign->id() != entry->coupon.campaign) continue;
    if (committed || !outcome) spend(course, 1);
    if (!committed) continue;
    std::erase(course.parked_ranks, entry->coupon.rank);
    course.stopped = course.parked_ranks.size() > settings_.parked_max;
    counters_.written.fetch_add(1);
    tell_issued(course, clock_.uptime());
  }
  return outcome;
}

/// promise = "store": the journal learns how far the store is, and the desks answer.
void Issuer::tell_issued(Course& course, Uptime now) {
  if (!course.campaign->promises_store() || !course.progress || course.progress->rank == 0) return;
  const std::uint32_t rank = course.progress->rank;
  const std::size_t parked = course.parked_ranks.size();
  // A store that was lost and is written anew is behind what was told, and may park more: no news.
  const std::uint32_t issued = course.campaign->issued();
  const bool seen = issued > rank || (issued == rank && course.campaign->parked().size() <= parked);
  const bool told = course.issued_told == rank && course.issued_parked_told == parked && now < course.issued_again;
  if (seen || told) return;
  // An append that is refused or lost is made again when it is not seen in time.
  (void)journal_.append(Issued{course.campaign->id(), rank, course.parked_ranks}, {settings_.author, 0});
  course.issued_told = rank;
  course.issued_parked_told = parked;
  course.issued_again = now + issued_again_after;
}

void Issuer::failed(const Fault& fault, std::string_view doing) {
  counters_.faults.fetch_add(1);
  counters_.at_work = false;
  in_step_with_store_ = false;
  const auto before = trouble();
  tell(fault);
  if (!fault.retryable()) {
    counters_.stopped = true;
    at_work_ = false;
    log::error("the issuer stops: this needs a person", {{"doing", doing}, {"fault", fault.what}});
    return;
  }
  if (!before || before->what != fault.what)
    log::warn("the store fails: trying again", {{"doing", doing}, {"fault", fault.what}});
  pause_ = std::clamp(pause_ * 2, pause_min, pause_max);
  not_before_ = clock_.uptime() + pause_;
}

/// The store has taken what was due, or nothing is due and it answers, and has not refused what will be due.
void Issuer::went_well() {
  end_pause();
  counters_.at_work = true;
}

void Issuer::end_pause() {
  if (pause_ == Millis(0)) return;
  log::info("the store answers again", {{"self", settings_.holder}});
  pause_ = Millis(0);
  tell(std::nullopt);
}

void Issuer::tell(std::optional<Fault> trouble) {
  std::lock_guard lock(trouble_mutex_);
  trouble_ = std::move(trouble);
}

std::optional<Fault> Issuer::trouble() const {
  std::lock_guard lock(trouble_mutex_);
  return trouble_;
}

void Issuer::measure(Uptime now) {
  constexpr Millis every{250};
  // A write may hang from here on: then it must be seen that something is owed.
  if (now < measure_due_ && counters_.owed > 0) return;
  measure_due_ = now + every;
  if (counters_.stopped) return;  // what was known last
  std::uint64_t owed = 0, parked = 0, stopped = 0, ranks = 0;
  std::int64_t since = 0;
  for (const Course& course : courses_) {
    if (!at_work_) break;  // a spare does not know how far the store is, and its owed coupons are another's to write
    const auto& known = course.progress ? course.progress : course.known;
    const std::uint32_t rank = known ? known->rank : 0;
    const auto& winners = course.campaign->winners();
    const std::uint32_t won = winners.size();
    ranks += rank;
    parked += course.parked_ranks.size();
    stopped += course.stopped;
    if (won <= rank) continue;
    owed += won - rank;
    const auto stamp = static_cast<std::int64_t>(winners[rank].stamp.time_since_epoch().count());
    since = since == 0 ? stamp : std::min(since, stamp);
  }
  counters_.rank = ranks;
  counters_.owed = owed;
  counters_.owed_since_ms = since;
  counters_.parked = parked;
  counters_.stopped_campaigns = stopped;
}

}  // namespace firstcome
