#include "gate/redis_counters.h"

#include <algorithm>

namespace firstcome {
namespace {

void add(std::atomic<std::uint64_t>& count, std::uint64_t by = 1) { count.fetch_add(by, std::memory_order_relaxed); }

template <class Value>
Value load(const std::atomic<Value>& value) {
  return value.load(std::memory_order_relaxed);
}

/// The first bucket that `value` fits in.
template <class Bounds, class Value>
std::size_t bucket(const Bounds& upto, Value value) {
  return static_cast<std::size_t>(std::ranges::lower_bound(upto, value) - upto.begin());
}

GateCall kind_of(const RedisCall& call) {
  switch (call.kind) {
    case RedisCall::Kind::admit:
      return GateCall::admit;
    case RedisCall::Kind::widen:
      return GateCall::widen;
    case RedisCall::Kind::forget:
      return GateCall::forget;
    case RedisCall::Kind::asking:
    case RedisCall::Kind::load:
    case RedisCall::Kind::own:
      break;
  }
  return GateCall::upkeep;
}

}  // namespace

RedisCounters::Calls& RedisCounters::of(const RedisCall& call) {
  return by_call_[static_cast<std::size_t>(kind_of(call))];
}

void RedisCounters::sent(const RedisCall& call) {
  add(of(call).sent);
  if (call.asks.empty()) return;
  add(asked_, call.asks.size());
  add(batches_[std::min(bucket(Numbers::batch_upto, call.asks.size()), batches_.size() - 1)]);
}

void RedisCounters::answered(const RedisCall& call) {
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - call.sent_at;
  add(of(call).answered);
  of(call).nanoseconds.fetch_add(took.count(), std::memory_order_relaxed);
  if (call.kind != RedisCall::Kind::admit) return;
  add(admit_seconds_[bucket(Numbers::seconds_upto, std::chrono::duration<double>(took).count())]);
}

void RedisCounters::failed(const RedisCall& call) { add(of(call).failed); }

void RedisCounters::told(Admission admission, std::uint64_t users) {
  add(told_[static_cast<std::size_t>(admission)], users);
}

Gate::Stats RedisCounters::read() const {
  Numbers numbers;
  numbers.is_away = load(is_away);
  numbers.waiting = load(waiting);
  numbers.links = load(links);
  numbers.connects = load(connects);
  numbers.asked = load(asked_);
  numbers.in = load(told_[static_cast<std::size_t>(Admission::in)]);
  numbers.again = load(told_[static_cast<std::size_t>(Admission::again)]);
  numbers.full = load(told_[static_cast<std::size_t>(Admission::full)]);
  numbers.bypasses = load(bypasses);
  numbers.faults = load(faults);
  numbers.redirects = load(redirects);
  for (std::size_t i = 0; i < by_call_.size(); ++i) {
    const std::chrono::nanoseconds took(load(by_call_[i].nanoseconds));
    numbers.by_call[i] = {.sent = load(by_call_[i].sent),
                          .failed = load(by_call_[i].failed),
                          .answered = load(by_call_[i].answered),
                          .seconds = std::chrono::duration<double>(took).count()};
  }
  numbers.calls = numbers.by_call[static_cast<std::size_t>(GateCall::admit)].sent;
  for (std::size_t i = 0; i < batches_.size(); ++i) numbers.batches[i] = load(batches_[i]);
  for (std::size_t i = 0; i < admit_seconds_.size(); ++i) numbers.admit_seconds[i] = load(admit_seconds_[i]);
  return numbers;
}

}  // namespace firstcome
