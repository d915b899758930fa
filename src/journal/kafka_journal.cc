// DESIGN
//   One thread reads the topic, applies and tells. A second one sends (kafka_sender.h). A third one only asks the
//   brokers where the topic ends, four times a second, since that call blocks while they are away: what was read up to
//   such an end makes the news of that moment whole, and that is heard().
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
    if (auto read = reader_.read(wait, messages_); !read) {
      lose(read.error());
      return false;
    }
    show(messages_);
    for (const KafkaKey& key : reader_.skipped_keys()) {
      if (key.node == node_) sender_->skipped(key.number);
    }
  }
  tell_failed();
  hear();
  return !lost_;
}

/// While the topic may be another one than it was, nothing is read from it.
bool KafkaJournal::is_trusted(Millis wait) {
  std::unique_lock lock(watch_mutex_);
  // Who refused to give messages says so once, and may have none to give when he does no more: only a check tells.
  is_refused_ = is_refused_ || (!refusal_ && reader_.refusal());
  refusal_ = reader_.refusal();
  if (!trusts_.wait_for(lock, wait, [this] { return !is_suspicious_ && !is_refused_; })) return false;
  if (refusal_) reader_.forget_refusal();
  refusal_.reset();
  return true;
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
  if (auto whole = reader_.check_ends(look->read_before, look->ends); !whole) return lose(whole.error());
  if (!reader_.has_reached(look->ends)) return;
  {
    std::lock_guard lock(watch_mutex_);
    if (look_ && look_->asked == look->asked) look_.reset();
  }
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
    return checked ? reader_.check_begin(answer_ms_max) : checked;
  });
  std::unique_lock lock(watch_mutex_);
  const auto before = trouble_;
  bool is_fit = fits.has_value();
  if (is_fit) {
    trouble_.reset();
  } else if (fits.error().retryable()) {
    is_fit = !is_suspicious_ && !is_refused_;  // who does not say it again was as it must be a minute ago
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

void KafkaJournal::watch() {
  Uptime check_due = options_.clock.uptime() + options_.check_every;
  std::unique_lock lock(watch_mutex_);
  while (watching_) {
    watch_wakes_.wait_for(lock, look_every, [this] { return !watching_; });
    if (!watching_) return;
    const KafkaReader::Ends read_before = read_;
    const bool was_refused = is_refused_;
    const bool was_suspicious = is_suspicious_ || was_refused;
    lock.unlock();
    Time asked = options_.clock.now();
    auto ends = ask_ends();
    bool fits = !was_suspicious;
    if (ends && (was_suspicious || options_.clock.uptime() >= check_due)) {
      fits = check();
      check_due = options_.clock.uptime() + options_.check_every;
      asked = options_.clock.now();  // what was asked before the check is old
      ends = ask_ends();
    }
    lock.lock();
    is_suspicious_ = !ends || !fits;
    if (was_refused && !is_suspicious_) is_refused_ = false;
    trusts_.notify_all();
    away_ = ends ? std::nullopt : std::optional(ends.error());
    if (ends) looked_at_ = options_.clock.uptime();
    if (is_suspicious_) continue;
    lag_ = 0;
    for (const auto& [partition, end] : *ends) {
      lag_ += static_cast<std::uint64_t>(std::max<std::int64_t>(end - read_.at(partition), 0));
    }
    // One that waits to be reached stays: else whoever is always a little behind would never be told. But not one from
    // before the brokers were away.
    if (!look_ || was_suspicious) look_ = Look{.asked = asked, .read_before = read_before, .ends = std::move(*ends)};
  }
}

void KafkaJournal::stop() {
  if (sender_) sender_->close();
  {
    std::lock_guard lock(watch_mutex_);
    watching_ = false;
  }
  watch_wakes_.notify_all();
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
          .ends = ends_calls_,
          .checks = check_calls_};
}

}  // namespace firstcome
