#include "journal/kafka_sender.h"

#include <algorithm>
#include <ranges>

#include "base/failpoint.h"
#include "base/log.h"

namespace firstcome {
namespace {

constexpr Millis report_wait{1};     // a partition that is free need not wait longer for one that is not
constexpr Millis idle_wait{100};     // a producer may break without a message
constexpr Millis stop_ms_max{5000};  // for what is on its way
constexpr Millis pause_first{100};   // after a producer that broke before anything was acknowledged
constexpr Millis pause_max{5000};
constexpr Millis refusal_ms_max{2 * pause_max};  // a refusal that nobody repeats is over

}  // namespace

Result<std::unique_ptr<KafkaSender>> KafkaSender::open(Options options) {
  std::unique_ptr<KafkaSender> sender(new KafkaSender(std::move(options)));
  if (auto opened = sender->open_producer(); !opened) return fail(opened.error());
  sender->thread_ = std::thread([raw = sender.get()] { raw->run(); });
  return sender;
}

KafkaSender::~KafkaSender() {
  close();
  stop();
}

Result<void> KafkaSender::open_producer() {
  auto producer = kafka::Producer::open(options_.place.access, options_.place.topic, options_.append_entries_max + 1,
                                        options_.append_ms_max / 2, [this](const auto& report) { reported(report); });
  if (!producer) return fail(producer.error());
  producer_.emplace(std::move(*producer));
  return {};
}

Result<void> KafkaSender::send(std::uint32_t partition, const Entry& entry, AppendTag tag) {
  Message message{.number = 0, .until = options_.clock.uptime() + options_.append_ms_max / 2, .body = {}};
  encode(entry, message.body);
  const Time now = options_.clock.now();
  {
    std::lock_guard lock(mutex_);
    if (closed_) return fail(FaultKind::unavailable, "the journal is stopped");
    if (pending_.size() >= options_.append_entries_max) {
      return fail(FaultKind::overloaded, "the journal is full: too many appends wait");
    }
    message.number = ++last_number_;
    pending_.emplace(message.number,
                     Pending{.tag = tag, .sent = now, .is_ticket = std::holds_alternative<Ticket>(entry)});
    lines_[partition].waiting.push_back(std::move(message));
    ++waiting_;
  }
  wakes_.notify_one();
  return {};
}

std::optional<Time> KafkaSender::seen(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  const auto found = pending_.find(number);
  if (found == pending_.end()) return {};
  const Time sent = found->second.sent;
  pending_.erase(found);
  return sent;
}

void KafkaSender::skipped(std::uint64_t number) {
  std::lock_guard lock(mutex_);
  give_up(number, true, "it got a client's stamp, while the topic had no message.timestamp.type=LogAppendTime");
}

KafkaSender::Failed KafkaSender::take_failed() {
  std::lock_guard lock(mutex_);
  return std::exchange(failed_, {});
}

void KafkaSender::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
}

std::size_t KafkaSender::waiting() const {
  std::lock_guard lock(mutex_);
  return pending_.size();
}

void KafkaSender::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakes_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void KafkaSender::run() {
  std::optional<Uptime> end;
  for (;;) {
    if (producer_) {
      const bool strikes = on_the_way_ > 0 && failpoint_strikes("journal.producer_breaks");
      if (is_to_break_.exchange(false) || strikes) producer_->break_sequence();
      if (const auto broken = producer_->fatal()) close_producer(*broken);
    }
    if (!producer_ && options_.clock.uptime() >= open_at_) open_next();
    {
      std::unique_lock lock(mutex_);
      if (on_the_way_ == 0) {
        wakes_.wait_for(lock, idle_wait, [this] { return producer_ && (waiting_ > 0 || stopping_); });
      }
      if (stopping_ && !end) end = options_.clock.uptime() + stop_ms_max;
      if (end && ((waiting_ == 0 && on_the_way_ == 0) || options_.clock.uptime() >= *end)) break;
      take_batches();
    }
    hand_over();
    if (producer_) producer_->poll(report_wait);
    tell_refusal();
  }
  if (producer_) producer_->purge();
}

/// Of each partition that has nothing on its way, all that waits, if there is who sends it.
void KafkaSender::take_batches() {
  const Uptime now = options_.clock.uptime();
  for (auto& [partition, line] : lines_) {
    end_late(line, now);
    if (!producer_ || line.on_the_way > 0 || line.waiting.empty()) continue;
    std::ranges::move(line.waiting, std::back_inserter(line.batch));
    waiting_ -= line.waiting.size();
    line.waiting.clear();
    const auto repeated = std::ranges::count_if(line.batch, &Message::is_repeated);
    stats_.sent_again.fetch_add(static_cast<std::uint64_t>(repeated), std::memory_order_relaxed);
    line.on_the_way = line.batch.size();
    on_the_way_ += line.batch.size();
    line.since = now;
    stats_.batches.fetch_add(1, std::memory_order_relaxed);
    stats_.sent.fetch_add(line.batch.size(), std::memory_order_relaxed);
  }
}

void KafkaSender::end_late(Line& line, Uptime now) {
  // In order of their times stand those that are repeated, and the others behind them.
  const auto is_late = [now](const Message& message) { return now >= message.until; };
  const auto first = std::ranges::find_if_not(line.waiting, &Message::is_repeated);
  const bool none =
      (line.waiting.empty() || !is_late(line.waiting.front())) && (first == line.waiting.end() || !is_late(*first));
  if (none) return;
  waiting_ -= std::erase_if(line.waiting, [&](const Message& message) {
    if (!is_late(message)) return false;
    give_up(message.number, true, "the brokers acknowledge nothing");
    return true;
  });
}

/// Without the lock: only this thread touches a line's batch. Lines are never removed, so their references hold.
void KafkaSender::hand_over() {
  std::vector<std::pair<std::uint32_t, Line*>> lines;
  {
    std::lock_guard lock(mutex_);
    for (auto& [partition, line] : lines_) {
      if (!line.batch.empty()) lines.emplace_back(partition, &line);
    }
  }
  for (auto& [partition, line] : lines) {
    for (const Message& message : line->batch) {
      const auto key = KafkaKey{.node = options_.node, .number = message.number}.bytes();
      const auto sent = producer_->send(partition, message.number, key, message.body);
      if (sent) continue;
      settle({.number = message.number,
              .delivery = kafka::Delivery::failed,
              .partition = partition,
              .key = {},
              .body = message.body,
              .why = sent.error()});
    }
    line->batch.clear();
  }
}

/// By the producer, within its poll() or purge().
void KafkaSender::reported(const kafka::Producer::Report& report) { settle(report); }

void KafkaSender::settle(const kafka::Producer::Report& report) {
  std::lock_guard lock(mutex_);
  Line& line = lines_[report.partition];
  --on_the_way_;
  if (--line.on_the_way == 0) {
    const auto took = std::chrono::duration<double>(options_.clock.uptime() - line.since).count();
    stats_.batch_seconds.store(stats_.batch_seconds.load(std::memory_order_relaxed) + took, std::memory_order_relaxed);
  }
  if (report.delivery == kafka::Delivery::done) {  // it is answered when it is seen
    has_delivered_ = true;
    line.acknowledged = std::max(line.acknowledged, report.offset + 1);
    refusal_.reset();
    return;
  }
  if (report.why.kind == FaultKind::misconfigured) note_refused(report.why);
  const auto found = pending_.find(report.number);
  if (found == pending_.end()) return;
  // The reports of a producer that broke may come before we see that it did.
  if (report.delivery != kafka::Delivery::failed) found->second.may_stand = true;
  if ((replacing_ || producer_->fatal()) && found->second.is_ticket && !found->second.was_repeated) {
    found->second.was_repeated = true;
    again_.emplace_back(report.partition, Message{.number = report.number,
                                                  .until = options_.clock.uptime() + options_.append_ms_max / 2,
                                                  .is_repeated = true,
                                                  .body = {report.body.begin(), report.body.end()}});
    return;
  }
  give_up(report.number, true, report.why.what);
}

/// With the lock.
void KafkaSender::give_up(std::uint64_t number, bool is_certain, std::string_view why) {
  const auto found = pending_.find(number);
  if (found == pending_.end()) return;
  if (is_certain && !found->second.may_stand) {
    failed_.tags.push_back(found->second.tag);
    failed_.why = why;
    stats_.failed.fetch_add(1, std::memory_order_relaxed);
  } else {
    stats_.unknown.fetch_add(1, std::memory_order_relaxed);
  }
  pending_.erase(found);
}

/// With the lock.
void KafkaSender::note_refused(const Fault& fault) {
  refusal_ = fault;
  refused_at_ = options_.clock.uptime();
}

/// Once at its beginning, and at its end if that was seen. Without the lock: a log may be slow.
void KafkaSender::tell_refusal() {
  const auto refused = refusal();
  if (refused && !refusal_is_told_) {
    log::error("the brokers take nothing from this process, so nobody can win by it, and /readyz is 503",
               {{"reason", refused->what}});
  } else if (!refused && refusal_is_told_ && has_delivered_) {
    log::info("the brokers take what this process appends again");
  }
  refusal_is_told_ = refused.has_value();
}

std::optional<Fault> KafkaSender::refusal() const {
  std::lock_guard lock(mutex_);
  return options_.clock.uptime() < refused_at_ + refusal_ms_max ? refusal_ : std::nullopt;
}

kafka::Offsets KafkaSender::acknowledged() const {
  std::lock_guard lock(mutex_);
  kafka::Offsets ends;
  for (const auto& [partition, line] : lines_) ends[partition] = line.acknowledged;
  return ends;
}

void KafkaSender::close_producer(const Fault& why) {
  const bool is_refused = why.kind == FaultKind::misconfigured;
  if (!is_refused) {
    log::warn("the producer broke: another one takes its place, and tickets without a report are sent once more",
              {{"reason", why.what}});
  }
  replacing_ = true;
  producer_->purge();
  replacing_ = false;
  producer_.reset();
  stats_.producers.fetch_add(1, std::memory_order_relaxed);
  wait_to_open(has_delivered_);

  std::lock_guard lock(mutex_);
  if (is_refused) note_refused(why);
  for (auto& [partition, message] : again_ | std::views::reverse) {  // before what waits, in their order
    lines_[partition].waiting.push_front(std::move(message));
  }
  waiting_ += again_.size();
  again_.clear();
}

void KafkaSender::wait_to_open(bool is_first) {
  pause_ = is_first ? Millis(0) : std::clamp(pause_ * 2, pause_first, pause_max);
  open_at_ = options_.clock.uptime() + pause_;
}

void KafkaSender::open_next() {
  has_delivered_ = false;
  if (auto opened = open_producer(); !opened) {
    wait_to_open(false);
    std::lock_guard lock(mutex_);
    note_refused(opened.error());
  }
}

}  // namespace firstcome
