// DESIGN
//   One thread reads the topic, applies and tells. A second one sends (kafka_sender.h). A third one only asks the
//   brokers where the topic ends, four times a second, since that call blocks while they are away: what was read up to
//   such an end makes the news of that moment whole, and that is heard().
//
//   A leader that is cut off from the other brokers, but not from us, says for ever where the topic ended when it was
//   cut off, and that it is the leader; and librdkafka, which asks whom it is connected to, stays with it. So what
//   acknowledgements tell, what was read, and what connections of their own are told in a check, is held against each
//   end that is told later (told_ends.h), and the thread that asks gets the reader another connection.
#include "journal/kafka_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/log.h"

namespace firstcome {
namespace {

constexpr Millis look_every{250};
constexpr Millis answer_ms_max{2000};  // well below stale_ms_max: while a call lasts nothing is heard
constexpr Millis start_answer_ms_max{5000};
constexpr Millis start_ms_max{10'000};  // without a message, while there should be some
constexpr Millis read_wait{20};
constexpr Millis stop_ms_max{5000};  // for what is in flight
constexpr Millis skipped_told_every{60'000};
constexpr Millis offset_ms_max{10'000};  // how long a stamp tells how far the brokers' clock is off ours
constexpr unsigned exchange_pauses = 4;  // looks between two connections that were no better, at most

}  // namespace

void KafkaJournal::end_process(const Fault& fault) {
  log::error(
      "the journal is not the one that was read: this process ends, before it answers from it. Look at the topic "
      "before "
      "you start it again",
      {{"fault", fault.what}});
  std::abort();
}

Result<std::unique_ptr<KafkaJournal>> KafkaJournal::open(Options options) {
  auto admin = kafka::Admin::open(options.place.access);
  if (!admin) return fail(admin.error());
  if (auto fits = check_topic(options.place, *admin, start_answer_ms_max); !fits) return fail(fits.error());
  auto reader = KafkaReader::open(options.place);
  if (!reader) return fail(reader.error());
  const std::uint64_t node = options.random.next();
  std::unique_ptr<KafkaJournal> journal(
      new KafkaJournal(std::move(options), node, std::move(*reader), std::move(*admin)));
  const Options& given = journal->options_;
  auto sender = KafkaSender::open({.place = given.place,
                                   .clock = given.clock,
                                   .node = node,
                                   .append_entries_max = given.append_entries_max,
                                   .append_ms_max = given.append_ms_max});
  if (!sender) return fail(sender.error());
  journal->sender_ = std::move(*sender);
  return journal;
}

KafkaJournal::KafkaJournal(Options options, std::uint64_t node, KafkaReader reader, kafka::Admin admin)
    : options_(std::move(options)), node_(node), reader_(std::move(reader)), admin_(std::move(admin)) {
  stats_.waiting_max = options_.append_entries_max;
}

KafkaJournal::~KafkaJournal() { stop(); }

Result<void> KafkaJournal::start(Follower& follower) {
  follower_ = &follower;
  const Time asked = options_.clock.now();
  auto ends = reader_.ends(start_ms_max);
  if (!ends) return fail(ends.error());
  Uptime until = options_.clock.uptime() + start_ms_max;
  while (!reader_.has_reached(*ends)) {
    messages_.clear();
    if (auto read = reader_.read(Millis(100), messages_); !read) return read;
    if (!messages_.empty()) until = options_.clock.uptime() + start_ms_max;
    if (reader_.refusal() || options_.clock.uptime() >= until) {
      return fail(reader_.refusal().value_or(
          Fault{FaultKind::timed_out,
                fmt::format("read topic {}: its end is known, but no messages come", options_.place.topic)}));
    }
    show(messages_);
  }
  follower_->heard(asked + offset());
  watching_ = true;
  read_ = reader_.reached();
  looked_at_ = options_.clock.uptime();
  watcher_ = std::thread([this] { watch(); });
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> KafkaJournal::append(Entry entry, AppendTag tag) {
  if (lost_) return fail(FaultKind::unavailable, "the journal is lost");
  return sender_->send(partition_of(campaign_of(entry), reader_.installation().partitions), entry, tag);
}

void KafkaJournal::run() {
  while (!stopping_ && step(read_wait)) {
  }
  end_appends();
}

/// False: the journal is lost.
bool KafkaJournal::step(Millis wait) {
  messages_.clear();
  if (is_trusted(wait)) {
    const auto read = reader_.read(wait, messages_);
    if (!read && !read.error().retryable()) {
      lose(read.error());
      return false;
    }
    show(messages_);
    if (!read) note_cut_short(read.error());
    for (const KafkaKey& key : reader_.skipped_keys()) {
      if (key.node == node_) sender_->skipped(key.number);
    }
  }
  tell_failed();
  hear();
  return !lost_;
}

/// A leader that is cut off has nothing where others gave us something: another is asked.
void KafkaJournal::note_cut_short(const Fault& fault) {
  if (!std::exchange(cut_short_told_, true)) {
    log::warn("a broker has nothing where the journal is read: another connection is tried", {{"reason", fault.what}});
  }
  doubt_reader();
}

void KafkaJournal::doubt_reader() {
  std::lock_guard lock(watch_mutex_);
  is_doubted_ = true;
}

/// While the topic may be another one than it was, nothing is read from it.
bool KafkaJournal::is_trusted(Millis wait) {
  std::unique_lock lock(watch_mutex_);
  if (next_connection_) take_connection(lock);
  // Who refused to give messages says so once, and may have none to give when he does no more: only a check tells.
  is_refused_ = is_refused_ || (!refusal_ && reader_.refusal());
  refusal_ = reader_.refusal();
  const auto trusts = [this] { return !is_suspicious_ && !is_refused_ && !is_doubted_; };
  if (!trusts_.wait_for(lock, wait, trusts)) return false;
  if (refusal_) reader_.forget_refusal();
  refusal_.reset();
  return true;
}

/// With the lock. While the watching thread waits for it, nobody else has to do with the reader.
void KafkaJournal::take_connection(std::unique_lock<std::mutex>& lock) {
  const auto exchanged = reader_.exchange(*next_connection_);
  next_connection_ = nullptr;
  taken_.notify_all();
  if (exchanged) {
    is_doubted_ = false;
    ++exchanged_;
    return;
  }
  lock.unlock();  // a log may be slow
  log::warn("another connection cannot read the journal", {{"reason", exchanged.error().what}});
  lock.lock();
}

void KafkaJournal::show(std::span<KafkaReader::Read> read) {
  batch_.clear();
  const Time now = options_.clock.now();
  for (auto& one : read) {
    if (one.key && one.key->node == node_) {
      // Between the two moments of our clock the brokers' one stood at the stamp.
      if (const auto sent = sender_->seen(one.key->number)) {
        learn_offset(one.shown.stamp - now, one.shown.stamp - *sent);
      }
    } else if (one.shown.stamp > now) {
      learn_offset(one.shown.stamp - now, Millis::max());  // it was stamped before we saw it
    }
    batch_.push_back(std::move(one.shown));
  }
  {
    std::lock_guard lock(stats_mutex_);
    if (!batch_.empty()) stats_.batch_entries_last = batch_.size();
    stats_.skipped = reader_.skipped();
  }
  {
    std::lock_guard lock(watch_mutex_);
    read_ = reader_.reached();
  }
  tell_skipped();
  if (!batch_.empty()) follower_->shown(batch_);
}

/// Once, and then of all that came in a minute: somebody may have taken the topic for his own.
void KafkaJournal::tell_skipped() {
  const std::uint64_t skipped = reader_.skipped();
  const Uptime now = options_.clock.uptime();
  if (skipped == skipped_told_ || now < skipped_told_again_) return;
  skipped_told_again_ = now + skipped_told_every;
  log::warn(
      "messages in the topic are no entries of a journal: skipped. Who else writes there? Let nobody but firstcome's "
      "user have WRITE on it",
      {{"messages", skipped - std::exchange(skipped_told_, skipped)}, {"last", reader_.skipped_last()}});
}

/// The brokers' clock is ahead of ours by `least` to `most`.
void KafkaJournal::learn_offset(Millis least, Millis most) {
  if (least > most) return;  // our clock was set back meanwhile
  offset_ = std::clamp(offset(), least, most);
  offset_known_until_ = options_.clock.uptime() + offset_ms_max;
}

/// What nobody has confirmed for a while may be over: a clock is put right without a word to us.
Millis KafkaJournal::offset() const { return options_.clock.uptime() < offset_known_until_ ? offset_ : Millis(0); }

void KafkaJournal::tell_failed() {
  const auto failed = sender_->take_failed();
  if (failed.tags.empty()) return;
  {
    std::lock_guard lock(stats_mutex_);
    stats_.faults += failed.tags.size();
  }
  follower_->append_failed(failed.tags, {FaultKind::unavailable, "the journal did not take it: " + failed.why});
}

void KafkaJournal::hear() {
  std::optional<Look> look;
  std::optional<Fault> loss;
  {
    std::lock_guard lock(watch_mutex_);
    loss = loss_;
    look = look_;
  }
  if (loss) return lose(*loss);
  if (!look) return;
  if (!reader_.has_reached(look->ends)) return;
  {
    std::lock_guard lock(watch_mutex_);
    if (look_ && look_->asked == look->asked) look_.reset();
  }
  cut_short_told_ = false;
  follower_->heard(look->asked + offset());
}

/// Those that wait are shown, or told as failed, or given up when the time is over.
void KafkaJournal::end_appends() {
  const Uptime until = options_.clock.uptime() + stop_ms_max;
  while (!lost_ && sender_->waiting() > 0 && options_.clock.uptime() < until) step(read_wait);
  sender_->stop();
  if (!lost_) tell_failed();
}

void KafkaJournal::lose(const Fault& fault) {
  if (lost_.exchange(true)) return;
  options_.on_journal_lost(fault);
}

/// Not under the lock, which the call would hold for as long as it takes.
template <class Ask>
auto KafkaJournal::timed(Calls& calls, Ask ask) {
  const Uptime began = options_.clock.uptime();
  auto answer = ask();
  const std::chrono::duration<double> took = options_.clock.uptime() - began;
  std::lock_guard lock(watch_mutex_);
  ++calls.count;
  calls.seconds += took.count();
  if (!answer) ++calls.failed;
  return answer;
}

Result<KafkaReader::Ends> KafkaJournal::ask_ends() {
  return timed(ends_calls_, [this] { return reader_.ends(answer_ms_max); });
}

/// Is the topic still the one that was read, and as it must be? False: not known to be.
bool KafkaJournal::check() {
  const auto fits = timed(check_calls_, [this] {
    auto checked = check_topic(options_.place, admin_, answer_ms_max);
    return checked ? reader_.check_begin(answer_ms_max) : fail(checked.error());
  });
  if (fits) told_ends_.learn(*fits);
  std::unique_lock lock(watch_mutex_);
  const auto before = trouble_;
  bool is_fit = fits.has_value();
  if (is_fit) {
    trouble_.reset();
  } else if (fits.error().retryable()) {
    is_fit =
        !is_suspicious_ && !is_refused_ && !is_doubted_;  // who does not say it again was as it must be a minute ago
  } else {
    if (fits.error().kind == FaultKind::corrupt) loss_ = fits.error();
    trouble_ = fits.error();
    look_.reset();
  }
  lock.unlock();
  if (fits && before) log::info("the topic is as it must be again", {{"topic", options_.place.topic}});
  if (!fits && (!before || before->what != fits.error().what)) {
    log::warn("the topic could not be checked, or is not as it must be", {{"reason", fits.error().what}});
  }
  return is_fit;
}

Fault KafkaJournal::told_less(const ToldEnds::Behind& behind) const {
  return {
      FaultKind::unavailable,
      fmt::format("the leader of topic {} [{}] says that it ends at {}, and it ended at {} before: is that broker cut "
                  "off from the others, or was a part of the topic lost?",
                  options_.place.topic, behind.partition, behind.end, behind.before)};
}

/// With the lock, which is given up meanwhile. Returns the connection that was given up.
std::optional<kafka::Consumer> KafkaJournal::exchange_connection(std::unique_lock<std::mutex>& lock) {
  lock.unlock();
  auto connection = reader_.connect();
  if (!connection) log::warn("no other connection to the journal", {{"reason", connection.error().what}});
  lock.lock();
  if (!connection) return {};
  next_connection_ = &*connection;
  taken_.wait(lock, [this] { return !next_connection_ || !watching_; });
  next_connection_ = nullptr;
  return std::move(*connection);
}

/// With the lock.
void KafkaJournal::note_ends(Time asked, KafkaReader::Ends ends, bool is_first) {
  lag_ = 0;
  for (const auto& [partition, end] : ends) {
    lag_ += static_cast<std::uint64_t>(std::max<std::int64_t>(end - read_.at(partition), 0));
  }
  // One that waits to be reached stays: else whoever is always a little behind would never be told. But not one from
  // before the brokers were away.
  if (!look_ || is_first) look_ = Look{.asked = asked, .ends = std::move(ends)};
}

void KafkaJournal::watch() {
  Uptime check_due = options_.clock.uptime() + options_.check_every;
  unsigned exchanges_in_a_row = 0;
  std::unique_lock lock(watch_mutex_);
  while (watching_) {
    watch_wakes_.wait_for(lock, look_every * std::clamp(exchanges_in_a_row, 1U, exchange_pauses),
                          [this] { return !watching_; });
    if (!watching_) return;
    const KafkaReader::Ends read = read_;
    const bool was_refused = is_refused_;
    const bool was_doubted = is_doubted_;
    const bool was_suspicious = is_suspicious_ || was_refused || was_doubted;
    lock.unlock();
    told_ends_.learn(read);
    told_ends_.learn(sender_->acknowledged());
    Time asked = options_.clock.now();
    auto ends = ask_ends();
    bool fits = !was_suspicious;
    if (ends && (was_suspicious || options_.clock.uptime() >= check_due)) {
      fits = check();
      check_due = options_.clock.uptime() + options_.check_every;
      asked = options_.clock.now();  // what was asked before the check is old
      ends = ask_ends();
    }
    const auto behind = ends ? told_ends_.look(*ends) : std::nullopt;
    const auto less = behind ? std::optional(told_less(*behind)) : std::nullopt;
    if (less && exchanges_in_a_row == 0)
      log::warn("another connection to the journal is tried", {{"reason", less->what}});
    lock.lock();
    is_suspicious_ = !ends || !fits || behind;
    if (was_refused && !is_suspicious_) is_refused_ = false;
    trusts_.notify_all();
    away_ = ends ? less : std::optional(ends.error());
    if (ends && !behind) looked_at_ = options_.clock.uptime();
    if (behind) look_.reset();
    if (!ends) is_doubted_ = true;  // while it was away, it may have lost what was read, and others may have filled it
    std::optional<kafka::Consumer> given_up;
    exchanges_in_a_row = ends && (behind || was_doubted) ? exchanges_in_a_row + 1 : 0;
    if (exchanges_in_a_row > 0) given_up = exchange_connection(lock);
    if (!is_suspicious_) note_ends(asked, std::move(*ends), was_suspicious);
    lock.unlock();
    given_up.reset();  // which may take its time
    lock.lock();
  }
}

void KafkaJournal::stop() {
  if (sender_) sender_->close();
  {
    std::lock_guard lock(watch_mutex_);
    watching_ = false;
  }
  watch_wakes_.notify_all();
  taken_.notify_all();
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (watcher_.joinable()) watcher_.join();
  if (sender_) sender_->stop();
}

std::optional<Fault> KafkaJournal::trouble() const {
  {
    std::lock_guard lock(watch_mutex_);
    if (trouble_ || refusal_) return trouble_ ? trouble_ : refusal_;
  }
  return sender_->refusal();
}

std::optional<Fault> KafkaJournal::why_silent() const {
  std::lock_guard lock(watch_mutex_);
  return away_;
}

Journal::Stats KafkaJournal::stats() const {
  std::lock_guard lock(stats_mutex_);
  Stats stats = stats_;
  stats.waiting = sender_->waiting();
  stats.commits = sender_->stats().batches;
  stats.entries = sender_->stats().sent;
  stats.commit_seconds = sender_->stats().batch_seconds;
  return stats;
}

KafkaJournal::KafkaStats KafkaJournal::kafka_stats() const {
  std::lock_guard lock(watch_mutex_);
  return {.lag_entries = lag_,
          .silent_seconds = std::chrono::duration<double>(options_.clock.uptime() - looked_at_).count(),
          .exchanged = exchanged_,
          .ends = ends_calls_,
          .checks = check_calls_};
}

}  // namespace firstcome
