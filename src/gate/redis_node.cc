#include "gate/redis_node.h"

#include <algorithm>

#include "base/assert.h"
#include "base/log.h"
#include "gate/redis_error.h"
#include "gate/redis_map.h"

namespace firstcome {

RedisNode::RedisNode(RedisNodeOptions options, RedisNodeOwner& owner)
    : options_(std::move(options)),
      owner_(owner),
      link_(options_.io, options_.tls, *this),
      jitter_(static_cast<std::minstd_rand::result_type>(options_.seed)) {}

RedisNode::~RedisNode() = default;

void RedisNode::tick() {
  const Uptime now = options_.clock.uptime();
  if (state_ == State::opening && now >= open_until_) {
    return lose({FaultKind::timed_out, "no connection within " + std::to_string(open_ms_max.count()) + " ms" +
                                           (options_.tls ? ": does it speak TLS on this port (gate_tls_ca)" : "")});
  }
  const auto late = std::ranges::find_if(out_, [&](const RedisCall& call) { return call.until <= now; });
  if (late != out_.end()) return lose({FaultKind::timed_out, "no answer within gate_bypass_ms_max"});
  if (state_ != State::away || now < away_until_) return;
  if (is_linked_) {
    state_ = State::proving;
    return;
  }
  state_ = State::opening;
  open_until_ = now + open_ms_max;
  reader_ = RedisReader();
  ++life_;
  link_.open(options_.host);
}

void RedisNode::link_opened() {
  greeting_.clear();
  greetings_.clear();
  if (!options_.password.empty()) {
    greetings_.push_back(Greeting::auth);
    if (options_.user.empty()) {
      append_command(greeting_, {"AUTH", options_.password});
    } else {
      append_command(greeting_, {"AUTH", options_.user, options_.password});
    }
  }
  greetings_.push_back(Greeting::hello);
  append_command(greeting_, {options_.must_be_primary ? "ROLE" : "PING"});
  greetings_.push_back(Greeting::memory);
  append_command(greeting_, {"INFO", "memory"});
}

void RedisNode::link_free(std::string& out) {
  out += std::exchange(greeting_, {});
  if (!is_linked_) return;
  while (out_.size() < (state_ == State::proving ? 1 : calls_max)) {
    auto call = owner_.next_call(*this);
    if (!call) return;
    if (call->is_asking) {
      append_command(out, {"ASKING"});
      out_.push_back({.kind = RedisCall::Kind::asking, .until = call->until});
    }
    owner_.write_call(*call, out);
    call->sent_at = std::chrono::steady_clock::now();
    out_.push_back(std::move(*call));
  }
}

void RedisNode::link_read(std::string_view bytes) {
  const std::uint64_t life = life_;
  if (const auto fed = reader_.feed(bytes); !fed) return lose(fed.error());
  while (life == life_) {
    auto reply = reader_.next();
    if (!reply) return lose(reply.error());
    if (!*reply) break;
    if (!greetings_.empty()) {
      greeted(**reply);
      continue;
    }
    if (out_.empty()) return lose({FaultKind::corrupt, "it answered what nobody had asked"});
    RedisCall call = std::move(out_.front());
    out_.pop_front();
    if (call.kind != RedisCall::Kind::asking) owner_.replied(*this, std::move(call), **reply);
  }
  if (life == life_) link_.wake();
}

void RedisNode::greeted(const RedisValue& reply) {
  const Greeting greeting = greetings_.front();
  if (greeting == Greeting::memory) {
    greetings_.pop_front();
    return look_at_memory(reply);
  }
  if (reply.is(RedisValue::Kind::error)) {
    return lose((greeting == Greeting::auth ? read_auth_error(reply.text) : read_redis_error(reply.text)).fault);
  }
  greetings_.pop_front();
  if (greeting == Greeting::auth) return;
  if (options_.must_be_primary) {
    const auto primary = is_primary(reply);
    if (!primary) return lose(primary.error());
    if (!*primary) return lose({FaultKind::unavailable, "it is a replica, though the sentinels name it"});
  }
  is_linked_ = true;
  state_ = State::proving;
  owner_.linked(*this);
}

/// All our keys have a time, so a policy for those counts too. Who may not ask (NOPERM) is not told.
void RedisNode::look_at_memory(const RedisValue& info) {
  const std::string policy = info.is(RedisValue::Kind::text) ? eviction_of(info.text) : std::string();
  if (policy == std::exchange(evicts_, policy) || policy.empty() || options_.is_quiet) return;
  log::warn(
      "the gate may forget, and then lets more tickets through: its server evicts keys when its memory is full",
      {{"server", options_.host}, {"maxmemory-policy", policy}, {"mend", "set maxmemory-policy noeviction there"}});
}

void RedisNode::proved() {
  if (state_ == State::ready || !is_linked_) return;
  state_ = State::ready;
  pause_ = pause_least;
  trouble_.reset();
  if (!std::exchange(told_, {}).empty() && !options_.is_quiet) {
    log::info("the gate answers again", {{"server", options_.host}});
  }
}

void RedisNode::stand_back(const Fault& fault) {
  if (state_ != State::away) go_away(fault);
}

void RedisNode::lose(const Fault& lost) {
  const Fault fault = in_greeting(lost);
  ++life_;
  link_.close();
  is_linked_ = false;
  greetings_.clear();
  const auto failed = std::exchange(out_, {});
  const bool was_away = state_ == State::away;
  state_ = State::away;
  for (const RedisCall& call : failed) {
    if (call.kind != RedisCall::Kind::asking) owner_.failed(*this, call, fault);
  }
  if (!was_away || !failed.empty()) go_away(fault);
  owner_.is_doubtful(*this);
}

/// The end of a link that was never greeted is told with what it may come from.
Fault RedisNode::in_greeting(const Fault& fault) const {
  if (state_ != State::opening || greetings_.empty()) return fault;
  if (fault.kind == FaultKind::corrupt) return {FaultKind::misconfigured, fault.what + ": look at gate"};
  if (!fault.retryable() || options_.tls) return fault;
  return {fault.kind, fault.what + ": is gate right? If it wants TLS, set gate_tls_ca"};
}

void RedisNode::go_away(const Fault& fault) {
  state_ = State::away;
  if (!fault.retryable()) pause_ = pause_most;
  // From half the pause to all of it, so that the loops of all nodes do not come back together.
  const auto half = static_cast<std::uint64_t>(pause_.count()) / 2;
  away_until_ = options_.clock.uptime() + Millis(static_cast<Millis::rep>(half + jitter_() % (half + 1)));
  pause_ = std::min(2 * pause_, pause_most);
  trouble_ = fault.retryable() ? std::nullopt : std::optional(fault);
  if (told_ != fault.what) {
    if (!options_.is_quiet) {
      if (trouble_) {
        log::error("the gate needs a person: claims go on without it, and /readyz is 503 until it is mended",
                   {{"server", options_.host}, {"reason", fault.what}});
      } else {
        log::warn("the gate is away: claims go on without it", {{"server", options_.host}, {"reason", fault.what}});
      }
    }
    told_ = fault.what;
  }
  owner_.went_away(*this, fault);
}

}  // namespace firstcome
