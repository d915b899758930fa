// Whose the gate is, and what a person must mend. See redis_gate.cc for the design.
#include <algorithm>

#include "base/log.h"
#include "gate/redis_gate.h"

namespace firstcome {

/// One key, so in a cluster one server.
bool RedisGate::must_look(const RedisNode& node) const {
  return !is_looking_ && node.is_there() && options_.clock.uptime() >= look_at_ &&
         map_.host_of(owner_slot_) == node.host();
}

void RedisGate::looked(RedisNode& node, const RedisValue& reply) {
  is_looking_ = false;
  if (!reply.is(RedisValue::Kind::text) || reply.text.empty()) {
    return node.lose({FaultKind::corrupt, "what our library answered is not what it answers"});
  }
  const bool is_ours = reply.text == installation_;
  owner_ = is_ours ? Owner::we : Owner::another;
  look_at_ = options_.clock.uptime() + (is_ours ? look_every : look_again);
  node.proved();
  if (is_ours) {
    if (std::exchange(foreign_, {}) && !options_.is_quiet)
      log::info("the gate is ours again", {{"server", node.host()}});
    return;
  }
  const Fault fault{FaultKind::misconfigured,
                    "another installation uses the prefix " + options_.prefix + " on " + node.host() +
                        ": its journal is another one than ours; set another gate_prefix, or delete the key " +
                        owner_key_ + " there if it is gone for good"};
  if (!foreign_ && !options_.is_quiet)
    log::error("the gate needs a person: claims go on without it, and /readyz is 503 until it is mended",
               {{"server", node.host()}, {"reason", fault.what}});
  foreign_ = fault;
  for (auto& [host, place] : places_) drop(place, fault);
}

void RedisGate::linked(RedisNode&) { counters_.connects.fetch_add(1, std::memory_order_relaxed); }

/// A slot of the map has no server. Others may go well meanwhile, so this is no reason for haste.
void RedisGate::look_into_hole() {
  const Uptime now = options_.clock.uptime();
  if (now < hole_look_at_) return;
  hole_look_at_ = now + look_again;
  scout_->look();
}

/// At each tick.
void RedisGate::look_after() {
  if (!is_looking_ && options_.clock.uptime() >= look_at_) {
    if (Place* const place = place_of(owner_slot_)) {
      place->node->wake();
    } else {
      look_into_hole();  // or nobody has said yet where the servers are
    }
  }
  std::size_t links = 0;
  bool is_any_there = false;
  for (const auto& [host, place] : places_) {
    links += place.node->is_linked();
    is_any_there |= place.node->is_there();
  }
  counters_.links.store(links, std::memory_order_relaxed);
  counters_.is_away.store(!is_any_there || owner_ != Owner::we, std::memory_order_relaxed);
  tell_trouble();
}

void RedisGate::tell_trouble() {
  std::optional<Fault> trouble = foreign_ ? foreign_ : scout_->trouble();
  for (const auto& [host, place] : places_) {
    // We ourselves ask the owner key's server only: another one is believed once it is greeted again, or no claim would
    // ever come by to show that it is mended.
    const bool is_believed = place.node->is_there() && map_.host_of(owner_slot_) != host;
    if (trouble || is_believed || !place.node->trouble()) continue;
    trouble = {{place.node->trouble()->kind, host + ": " + place.node->trouble()->what}};
  }
  const std::lock_guard lock(trouble_mutex_);
  trouble_ = std::move(trouble);
}

std::optional<Fault> RedisGate::trouble() const {
  const std::lock_guard lock(trouble_mutex_);
  return trouble_;
}

}  // namespace firstcome
