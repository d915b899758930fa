// DESIGN
//   One thread reads the topic, applies and tells; a second one only asks the brokers where the topic ends, four times
//   a second, since that call blocks while they are away. What was read up to such an end makes the news of that moment
//   whole: that is heard(). Delivery reports are served on the reading thread too, so that a follower is never called
//   twice at once.
#include "journal/kafka_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/log.h"

namespace firstcome {
namespace {

constexpr Millis look_every{250};
constexpr Millis answer_ms_max{2000};
constexpr Millis start_ms_max{10'000};  // without a message, while there should be some
constexpr Millis read_wait{20};
constexpr Millis stop_ms_max{5000};      // for what is in flight
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
  if (auto fits = check_topic(options.place, *admin); !fits) return fail(fits.error());
  auto reader = KafkaReader::open(options.place);
  if (!reader) return fail(reader.error());
  std::unique_ptr<KafkaJournal> journal(new KafkaJournal(std::move(options), std::move(*reader), std::move(*admin)));
  if (auto opened = journal->open_producer(); !opened) return fail(opened.error());
  return journal;
}

KafkaJournal::KafkaJournal(Options options, KafkaReader reader, kafka::Admin admin)
    : options_(std::move(options)),
      node_(options_.random.next()),
      reader_(std::move(reader)),
      admin_(std::move(admin)) {
  stats_.waiting_max = options_.append_entries_max;
}

KafkaJournal::~KafkaJournal() { stop(); }

Result<void> KafkaJournal::open_producer() {
  auto producer = kafka::Producer::open(options_.place.access, options_.place.topic, options_.append_entries_max + 1,
                                        options_.append_ms_max, [this](const auto& report) { reported(report); });
  if (!producer) return fail(producer.error());
  producer_.emplace(std::move(*producer));
  return {};
}

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
    if (options_.clock.uptime() >= until) {
      return fail(FaultKind::timed_out,
                  fmt::format("read topic {}: its end is known, but no messages come", options_.place.topic));
    }
    show(messages_);
  }
  follower_->heard(asked + offset());
  {
    std::lock_guard lock(producer_mutex_);
    closed_ = false;
  }
  watching_ = true;
  read_ = reader_.reached();
  looked_at_ = options_.clock.uptime();
  watcher_ = std::thread([this] { watch(); });
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> KafkaJournal::append(Entry entry, AppendTag tag) {
  std::vector<std::uint8_t> body;
  encode(entry, body);
  const auto partition = partition_of(campaign_of(entry), reader_.installation().partitions);
  std::uint64_t number = 0;
  {
    std::lock_guard lock(pending_mutex_);
    if (pending_.size() >= options_.append_entries_max) {
      return fail(FaultKind::overloaded, "the journal is full: too many appends wait");
    }
    number = ++last_number_;
    pending_.emplace(
        number, Pending{.tag = tag, .sent = options_.clock.now(), .is_ticket = std::holds_alternative<Ticket>(entry)});
  }
  const auto key = KafkaKey{.node = node_, .number = number}.bytes();
  Result<void> sent;
  {
    std::lock_guard lock(producer_mutex_);
    sent = closed_ ? fail(FaultKind::unavailable, "the journal is stopped")
                   : producer_->send(partition, number, key, body);
  }
  if (sent) return {};
  std::lock_guard lock(pending_mutex_);
  pending_.erase(number);
  return sent;
}

/// By the producer, within its poll(), flush() or purge(): on the journal's thread.
void KafkaJournal::reported(const kafka::Producer::Report& report) {
  if (report.delivery == kafka::Delivery::done) return;  // it is answered when it is shown
  std::lock_guard lock(pending_mutex_);
  const auto found = pending_.find(report.number);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  if (replacing_ && pending.is_ticket && !pending.sent_twice) {
    pending.sent_twice = true;
    again_.push_back({.number = report.number,
                      .partition = report.partition,
                      .key = {report.key.begin(), report.key.end()},
                      .body = {report.body.begin(), report.body.end()}});
    return;
  }
  // Sent twice, the first may have been written though the second was not.
  if (report.delivery == kafka::Delivery::failed && !pending.sent_twice) {
    failed_.push_back(pending.tag);
    failed_why_ = report.why;
  } else {
    std::lock_guard stats_lock(stats_mutex_);
    ++kafka_stats_.unknown;
  }
  pending_.erase(found);
}

void KafkaJournal::replace_producer(const Fault& why) {
  log::warn("the producer broke: another one takes its place, and tickets without a report are sent once more",
            {{"reason", why.what}});
  std::vector<Again> again;
  std::lock_guard lock(producer_mutex_);
  replacing_ = true;
  producer_->purge();
  replacing_ = false;
  again.swap(again_);
  if (auto opened = open_producer(); !opened) return lose(opened.error());  // it opened before, with the same settings
  for (const Again& one : again) {
    if (auto sent = producer_->send(one.partition, one.number, one.key, one.body); !sent) {
      std::lock_guard pending_lock(pending_mutex_);
      pending_.erase(one.number);
    }
  }
  std::lock_guard stats_lock(stats_mutex_);
  ++kafka_stats_.producers;
  kafka_stats_.sent_again += again.size();
}

void KafkaJournal::run() {
  while (!stopping_ && step(read_wait)) {
  }
  end_appends();
}

/// False: the journal is lost.
bool KafkaJournal::step(Millis wait) {
  messages_.clear();
  if (auto read = reader_.read(wait, messages_); !read) {
    lose(read.error());
    return false;
  }
  show(messages_);
  settle_reports();
  hear();
  return !lost_;
}

void KafkaJournal::show(std::span<KafkaReader::Read> read) {
  if (read.empty()) return;
  batch_.clear();
  {
    std::lock_guard lock(pending_mutex_);
    const Time now = options_.clock.now();
    for (auto& one : read) {
      if (one.key && one.key->node == node_) {
        const auto found = pending_.find(one.key->number);
        if (found != pending_.end()) {
          learn_offset(one.shown.stamp - now, one.shown.stamp - found->second.sent);
          pending_.erase(found);
        }
      } else if (one.shown.stamp > now) {
        learn_offset(one.shown.stamp - now, Millis::max());  // it was stamped before we saw it
      }
      batch_.push_back(std::move(one.shown));
    }
  }
  {
    std::lock_guard lock(stats_mutex_);
    ++stats_.commits;
    stats_.entries += batch_.size();
    stats_.batch_entries_last = batch_.size();
    stats_.skipped = reader_.skipped();
  }
  {
    std::lock_guard lock(watch_mutex_);
    read_ = reader_.reached();
  }
  follower_->shown(batch_);
}

/// The brokers' clock is ahead of ours by `least` to `most`.
void KafkaJournal::learn_offset(Millis least, Millis most) {
  if (least > most) return;  // our clock was set back meanwhile
  offset_ = std::clamp(offset(), least, most);
  offset_known_until_ = options_.clock.uptime() + offset_ms_max;
}

/// What nobody has confirmed for a while may be over: a clock is put right without a word to us.
Millis KafkaJournal::offset() const { return options_.clock.uptime() < offset_known_until_ ? offset_ : Millis(0); }

void KafkaJournal::settle_reports() {
  std::optional<Fault> broken;
  {
    std::lock_guard lock(producer_mutex_);
    producer_->poll();
    broken = producer_->fatal();
  }
  if (broken) replace_producer(*broken);
  std::vector<AppendTag> failed;
  std::string why;
  {
    std::lock_guard lock(pending_mutex_);
    failed.swap(failed_);
    why.swap(failed_why_);
  }
  if (failed.empty()) return;
  {
    std::lock_guard lock(stats_mutex_);
    stats_.faults += failed.size();
  }
  follower_->append_failed(failed, {FaultKind::unavailable, "the brokers did not take it: " + why});
}

void KafkaJournal::hear() {
  std::optional<Look> look;
  std::optional<Fault> fault;
  {
    std::lock_guard lock(watch_mutex_);
    fault = check_fault_;
    look = look_;
  }
  if (fault) return lose(*fault);
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
  const auto waits = [this] {
    std::lock_guard lock(pending_mutex_);
    return !pending_.empty();
  };
  while (!lost_ && waits() && options_.clock.uptime() < until) step(read_wait);
  if (lost_ || !waits()) return;
  {
    std::lock_guard lock(producer_mutex_);
    producer_->purge();
  }
  settle_reports();
}

void KafkaJournal::lose(const Fault& fault) {
  if (std::exchange(lost_, true)) return;
  options_.on_journal_lost(fault);
}

void KafkaJournal::watch() {
  Uptime check_due = options_.clock.uptime() + options_.check_every;
  std::unique_lock lock(watch_mutex_);
  while (watching_) {
    watch_wakes_.wait_for(lock, look_every, [this] { return !watching_; });
    if (!watching_) return;
    const KafkaReader::Ends read_before = read_;
    lock.unlock();
    const Time asked = options_.clock.now();
    auto ends = reader_.ends(answer_ms_max);
    std::optional<Fault> fault;
    if (options_.clock.uptime() >= check_due) {
      check_due = options_.clock.uptime() + options_.check_every;
      auto fits = check_topic(options_.place, admin_);
      if (fits) fits = reader_.check_begin();
      if (!fits && !fits.error().retryable()) fault = fits.error();
      if (!fits) log::warn("the topic could not be checked, or is not as it must be", {{"reason", fits.error().what}});
    }
    lock.lock();
    if (fault) check_fault_ = fault;
    if (!ends) continue;
    looked_at_ = options_.clock.uptime();
    lag_ = 0;
    for (const auto& [partition, end] : *ends) {
      lag_ += static_cast<std::uint64_t>(std::max<std::int64_t>(end - read_.at(partition), 0));
    }
    look_ = Look{.asked = asked, .read_before = read_before, .ends = std::move(*ends)};
  }
}

void KafkaJournal::stop() {
  {
    std::lock_guard lock(producer_mutex_);
    closed_ = true;
  }
  {
    std::lock_guard lock(watch_mutex_);
    watching_ = false;
  }
  watch_wakes_.notify_all();
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  if (watcher_.joinable()) watcher_.join();
}

Journal::Stats KafkaJournal::stats() const {
  std::lock_guard lock(stats_mutex_);
  Stats stats = stats_;
  std::lock_guard pending_lock(pending_mutex_);
  stats.waiting = pending_.size();
  return stats;
}

KafkaJournal::KafkaStats KafkaJournal::kafka_stats() const {
  KafkaStats stats;
  {
    std::lock_guard lock(stats_mutex_);
    stats = kafka_stats_;
  }
  std::lock_guard lock(watch_mutex_);
  stats.lag_entries = lag_;
  stats.silent_seconds = std::chrono::duration<double>(options_.clock.uptime() - looked_at_).count();
  return stats;
}

void KafkaJournal::break_producer() {
  std::lock_guard lock(producer_mutex_);
  producer_->break_sequence();
}

}  // namespace firstcome
