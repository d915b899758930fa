// What becomes of a call: an answer, an error that asks for something, or no answer at all. See redis_gate.cc for the
// design.
#include <algorithm>

#include "base/assert.h"
#include "gate/redis_function.h"
#include "gate/redis_gate.h"

namespace firstcome {
namespace {

constexpr std::uint8_t hops_max = 5;  // of a cluster whose servers disagree about a slot; then without the gate

}  // namespace

void RedisGate::replied(RedisNode& node, RedisCall call, const RedisValue& reply) {
  counters_.answered(call);
  if (reply.is(RedisValue::Kind::error)) return refused(node, std::move(call), read_redis_error(reply.text));
  switch (call.kind) {
    case RedisCall::Kind::load: {
      Place& place = places_.at(node.host());
      place.is_loading = place.is_missing_library = false;
      return;
    }
    case RedisCall::Kind::own:
      return looked(node, reply);
    case RedisCall::Kind::admit:
      return admitted(node, call, reply);
    case RedisCall::Kind::widen: {
      const auto generation = generation_of(reply);
      if (!generation) return node.lose(generation.error());
      node.proved();
      return asker_->gated(call.campaign, *generation, {});
    }
    case RedisCall::Kind::forget:
    case RedisCall::Kind::asking:
      return;
  }
}

void RedisGate::admitted(RedisNode& node, const RedisCall& call, const RedisValue& reply) {
  const auto said = admissions_of(reply, call.asks.size());
  if (!said) {
    failed(node, call, said.error());
    return node.lose(said.error());
  }
  node.proved();
  scout_->calm();
  std::vector<GateAnswer> answers;
  answers.reserve(call.asks.size());
  for (std::size_t i = 0; i < call.asks.size(); ++i) {
    answers.push_back({call.asks[i].user, call.asks[i].number, said->users[i]});
  }
  waiting_ -= answers.size();
  count_waiting();
  for (const Admission admission : {Admission::in, Admission::again, Admission::full}) {
    counters_.told(admission, static_cast<std::uint64_t>(std::ranges::count(said->users, admission)));
  }
  asker_->gated(call.campaign, said->generation, answers);
}

void RedisGate::refused(RedisNode& node, RedisCall call, const RedisError& error) {
  Place& place = places_.at(node.host());
  switch (error.remedy) {
    case RedisRemedy::follow:
    case RedisRemedy::follow_once:
      return redirect(node, std::move(call), error);
    case RedisRemedy::repeat:
      place.later.push_back(std::move(call));
      return;
    case RedisRemedy::load_function:
      if (call.kind == RedisCall::Kind::load || call.kind == RedisCall::Kind::forget) break;
      if (std::exchange(call.was_missing, true)) {
        const Fault lost{FaultKind::misconfigured, "it took our library (FUNCTION LOAD) and does not find it"};
        failed(node, std::move(call), lost);
        return node.stand_back(lost);
      }
      place.is_missing_library = true;
      place.again.push_back(std::move(call));
      return;
    case RedisRemedy::leave:
      failed(node, std::move(call), error.fault);
      return node.lose(error.fault);
    case RedisRemedy::look_again:
      scout_->look();
      break;
    case RedisRemedy::wait:
    case RedisRemedy::call_a_person:
      break;
  }
  const bool is_needed = call.kind != RedisCall::Kind::forget;
  failed(node, std::move(call), error.fault);
  if (is_needed) node.stand_back(error.fault);  // a gate that cannot be widened would hold users back for ever
}

/// To the server that the reply named.
void RedisGate::redirect(RedisNode& node, RedisCall call, const RedisError& error) {
  if (options_.servers.kind != RedisServers::Kind::cluster) {
    const Fault wrong{FaultKind::misconfigured, "it is one of a Redis Cluster: write redis-cluster:// in gate"};
    failed(node, std::move(call), wrong);
    return node.stand_back(wrong);
  }
  const std::string host = redirected_host(error.server, node.host());
  call.is_asking = error.remedy == RedisRemedy::follow_once;
  call.was_missing = false;  // of that server, not of the next
  if (!call.is_asking) scout_->look();
  if (host.empty() || ++call.hops > hops_max) return failed(node, std::move(call), error.fault);
  counters_.redirects.fetch_add(1, std::memory_order_relaxed);
  node.proved();
  Place& other = place_at(host);
  if (other.node->is_away()) return failed(*other.node, std::move(call), error.fault);
  other.again.push_back(std::move(call));
  other.node->wake();
}

/// A call without an answer. What is no ask will be said again by whoever needs it, or is done by time.
void RedisGate::failed(RedisNode& node, RedisCall call, const Fault& fault) {
  counters_.failed(call);
  if (call.kind == RedisCall::Kind::own) is_looking_ = false;
  if (call.kind == RedisCall::Kind::load) {
    const auto found = places_.find(node.host());
    MUST(found != places_.end(), "a call is on a server that we know");
    found->second.is_loading = found->second.is_missing_library = false;
  }
  if (!call.asks.empty()) tell_failed(call.campaign, call.asks, fault);
}

/// Nobody waits for a server that is away.
void RedisGate::went_away(RedisNode& node, const Fault& fault) {
  tell_trouble();  // before it is counted: who sees the number sees what it needs a person for
  counters_.faults.fetch_add(1, std::memory_order_relaxed);
  Place& place = places_.at(node.host());
  if (&place == place_of(owner_slot_)) look_at_ = {};
  drop(place, fault);
}

/// All that waits to be sent there; but to forget needs no more than a link, and not even memory.
void RedisGate::drop(Place& place, const Fault& fault) {
  std::vector<Failed> left;
  for (auto* const calls : {&place.again, &place.later}) {
    for (RedisCall& call : *calls) {
      if (call.kind == RedisCall::Kind::own) is_looking_ = false;
      if (!call.asks.empty()) left.push_back({call.campaign, std::move(call.asks)});
    }
    calls->clear();
  }
  const auto lines = place.lines;
  for (Line* const line : lines) {
    Failed& failed = left.emplace_back(Failed{line->campaign, {}});
    for (const Waiting& waiting : line->asks) failed.asks.push_back(waiting.ask);
    line->asks.clear();
    line->widen_generation = 0;
    if (!place.node->is_linked() || owner_ == Owner::another) line->is_forgotten = false;
    drop_if_empty(*line);
  }
  for (const Failed& one : left) tell_failed(one.campaign, one.asks, fault);
}

void RedisGate::is_doubtful(RedisNode&) { scout_->look(); }

/// Tells the asks whose time is over before they were sent.
void RedisGate::end_late() {
  const Uptime now = options_.clock.uptime();
  std::vector<Failed> late;
  const auto is_late = [&](const Waiting& waiting) { return waiting.until <= now; };
  for (auto& [campaign, line] : lines_) {
    if (line.asks.empty() || !is_late(line.asks.front())) continue;
    Failed& one = late.emplace_back(Failed{campaign, {}});
    for (; !line.asks.empty() && is_late(line.asks.front()); line.asks.pop_front()) {
      one.asks.push_back(line.asks.front().ask);
    }
  }
  for (auto& [host, place] : places_) {
    for (auto* const calls : {&place.again, &place.later}) {
      for (RedisCall& call : *calls) {
        if (call.until > now) continue;
        if (call.kind == RedisCall::Kind::own) is_looking_ = false;
        late.push_back({call.campaign, std::move(call.asks)});
      }
      std::erase_if(*calls, [&](const RedisCall& call) { return call.until <= now; });
    }
  }
  for (const Failed& one : late) {
    if (const auto line = lines_.find(one.campaign); line != lines_.end()) drop_if_empty(line->second);
    tell_failed(one.campaign, one.asks,
                {FaultKind::timed_out, "no answer within " + std::to_string(options_.bypass_ms_max.count()) + " ms"});
  }
}

void RedisGate::tell_failed(const CampaignId& campaign, std::span<const Ask> asks, const Fault& fault) {
  if (asks.empty()) return;
  waiting_ -= asks.size();
  count_waiting();
  counters_.bypasses.fetch_add(asks.size(), std::memory_order_relaxed);
  asker_->gate_failed(campaign, asks, fault);
}

void RedisGate::count_waiting() { counters_.waiting.store(waiting_, std::memory_order_relaxed); }

}  // namespace firstcome
