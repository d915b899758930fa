// DESIGN
//   Asks stand in a line per campaign, and lines in turns at the server that has the campaign's slot. When the server's
//   socket is free it fetches calls: each takes up to 64 users out of the next line. So a lone ask leaves in the same
//   turn of the loop, and under load the batches fill themselves while the socket and the calls that are out are the
//   brake.
//
//   Nothing is queued for a server that is known to be away: ask() fails at once, and the desk goes on. A server that
//   comes back is proved by one call before it gets the others (redis_node.h).
//
//   A call that another server must answer, or that came before the library, is sent again within its time.
#include "gate/redis_gate.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hex.h"
#include "gate/redis_function.h"

namespace firstcome {

Result<std::unique_ptr<RedisGate>> RedisGate::open(RedisGateOptions options) {
  if (options.prefix.find_first_of("{}") != std::string::npos) {
    return fail(FaultKind::misconfigured, "gate_prefix may not hold { or }: the campaign alone decides a key's slot");
  }
  std::shared_ptr<RedisTls> tls;
  if (!options.tls_ca.empty()) {
    auto loaded = RedisTls::load(options.tls_ca);
    if (!loaded) return fail(loaded.error());
    tls = std::move(*loaded);
  }
  return std::unique_ptr<RedisGate>(new RedisGate(std::move(options), std::move(tls)));
}

RedisGate::RedisGate(RedisGateOptions options, std::shared_ptr<RedisTls> tls)
    : options_(std::move(options)),
      tls_(std::move(tls)),
      owner_key_(redis_owner_key(options_.prefix)),
      owner_slot_(redis_slot(owner_key_)),
      installation_(hex(options_.installation)) {
  scout_ = std::make_unique<RedisScout>(RedisScoutOptions{.io = options_.io,
                                                          .tls = tls_,
                                                          .clock = options_.clock,
                                                          .servers = options_.servers,
                                                          .password = options_.password,
                                                          .is_quiet = options_.is_quiet},
                                        [this](RedisMap map) { use(std::move(map)); });
}

RedisGate::~RedisGate() = default;

void RedisGate::start(GateAsker& asker) {
  MUST(asker_ == nullptr, "a gate is started once");
  asker_ = &asker;
  if (options_.servers.kind == RedisServers::Kind::single) {
    use(RedisMap(options_.servers.hosts.front()));
  } else {
    look_into_hole();  // it is all one
  }
  tick();
}

Result<void> RedisGate::ask(const CampaignId& campaign, const User& user, std::uint32_t places, AskNumber number) {
  MUST(asker_ != nullptr && places > 0, "a gate is started before it is asked, and only while places are free");
  if (waiting_ >= options_.asks_max) {
    counters_.bypasses.fetch_add(1, std::memory_order_relaxed);
    return fail(FaultKind::overloaded, std::to_string(waiting_) + " claims wait for the gate");
  }
  Place* const place = place_to_ask(campaign);
  if (!place && owner_ == Owner::we) look_into_hole();
  if (!place || !place->node->takes_asks()) {
    counters_.bypasses.fetch_add(1, std::memory_order_relaxed);
    return fail(FaultKind::unavailable, "the gate is away");
  }
  Line& line = line_of(campaign, *place);
  line.places = places;
  line.asks.push_back({{user, number}, options_.clock.uptime() + options_.bypass_ms_max});
  ++waiting_;
  count_waiting();
  place->node->wake();
  return {};
}

void RedisGate::widen(const CampaignId& campaign, std::uint64_t generation, std::uint32_t places) {
  Place* const place = place_to_ask(campaign);
  if (!place || !place->node->takes_asks() || generation == 0) return;
  Line& line = line_of(campaign, *place);
  line.widen_generation = generation;
  line.widen_places = places;
  place->node->wake();
}

void RedisGate::forget(const CampaignId& campaign) {
  Place* const place = place_to_ask(campaign);
  if (!place || !place->node->is_linked()) return;
  Line& line = line_of(campaign, *place);
  line.is_forgotten = true;
  place->node->wake();
}

void RedisGate::tick() {
  scout_->tick();
  for (auto& [host, place] : places_) {
    while (!place.later.empty()) {
      place.again.push_back(std::move(place.later.front()));
      place.later.pop_front();
    }
    if (!place.again.empty()) place.node->wake();
    place.node->tick();
  }
  end_late();
  look_after();
}

/// None while another installation may be there: not even what it would forget is ours.
RedisGate::Place* RedisGate::place_to_ask(const CampaignId& campaign) {
  return owner_ == Owner::we ? place_of(redis_slot(campaign)) : nullptr;
}

RedisGate::Place* RedisGate::place_of(std::uint16_t slot) {
  const std::string_view host = map_.host_of(slot);
  if (host.empty()) return nullptr;
  const auto found = places_.find(host);
  return found == places_.end() ? nullptr : &found->second;
}

RedisGate::Place& RedisGate::place_at(const std::string& host) {
  Place& place = places_[host];
  if (!place.node) {
    place.node = std::make_unique<RedisNode>(
        RedisNodeOptions{.io = options_.io,
                         .tls = tls_,
                         .clock = options_.clock,
                         .seed = options_.random.next(),
                         .host = host,
                         .user = options_.servers.user,
                         .password = options_.password,
                         .must_be_primary = options_.servers.kind == RedisServers::Kind::sentinel,
                         .is_quiet = options_.is_quiet},
        static_cast<RedisNodeOwner&>(*this));
    place.node->tick();  // opens its link
  }
  return place;
}

/// The line of the campaign, which stands at that place from now on.
RedisGate::Line& RedisGate::line_of(const CampaignId& campaign, Place& place) {
  Line& line = lines_[campaign];
  if (line.place == &place) return line;
  if (line.place) std::erase(line.place->lines, &line);
  line.campaign = campaign;
  line.place = &place;
  place.lines.push_back(&line);
  return line;
}

void RedisGate::drop_if_empty(Line& line) {
  if (!line.asks.empty() || line.widen_generation != 0 || line.is_forgotten) return;
  std::erase(line.place->lines, &line);
  lines_.erase(CampaignId(line.campaign));
}

/// Asks first, then what is to be done behind them: keys that were unlinked must not be made anew by asks of before.
std::optional<RedisCall> RedisGate::take(Line& line) {
  const Uptime until = options_.clock.uptime() + options_.bypass_ms_max;
  RedisCall call{.campaign = line.campaign, .until = until};
  if (!line.asks.empty()) {
    call.kind = RedisCall::Kind::admit;
    call.places = line.places;
    const auto count = static_cast<std::ptrdiff_t>(std::min(line.asks.size(), limits::gate_batch_max));
    call.asks.reserve(static_cast<std::size_t>(count));
    for (auto one = line.asks.begin(); one != line.asks.begin() + count; ++one) call.asks.push_back(one->ask);
    line.asks.erase(line.asks.begin(), line.asks.begin() + count);
    return call;
  }
  if (line.widen_generation != 0) {
    call.kind = RedisCall::Kind::widen;
    call.generation = std::exchange(line.widen_generation, 0);
    call.places = line.widen_places;
    return call;
  }
  if (!std::exchange(line.is_forgotten, false)) return {};
  call.kind = RedisCall::Kind::forget;
  return call;
}

std::optional<RedisCall> RedisGate::next_call(RedisNode& node) {
  Place& place = places_.at(node.host());
  if (place.is_loading) return {};
  if (place.is_missing_library) {
    place.is_loading = true;
    return RedisCall{.kind = RedisCall::Kind::load, .until = options_.clock.uptime() + options_.bypass_ms_max};
  }
  if (must_look(node)) {
    is_looking_ = true;
    return RedisCall{.kind = RedisCall::Kind::own, .until = options_.clock.uptime() + options_.bypass_ms_max};
  }
  if (!place.again.empty()) {
    RedisCall call = std::move(place.again.front());
    place.again.pop_front();
    return call;
  }
  if (place.lines.empty()) return {};
  Line* const line = place.lines.front();
  place.lines.pop_front();
  place.lines.push_back(line);
  auto call = take(*line);
  drop_if_empty(*line);
  return call;
}

void RedisGate::write_call(const RedisCall& call, std::string& out) {
  counters_.sent(call);
  const RedisKeys keys(options_.prefix, call.campaign);
  switch (call.kind) {
    case RedisCall::Kind::load:
      return append_load(out);
    case RedisCall::Kind::own:
      return append_own(out, owner_key_, installation_);
    case RedisCall::Kind::admit: {
      std::vector<std::string_view> users;
      users.reserve(call.asks.size());
      for (const Ask& ask : call.asks) users.push_back(ask.user.view());
      return append_admit(out, keys, call.places, users);
    }
    case RedisCall::Kind::widen:
      return append_widen(out, keys, call.generation, call.places);
    case RedisCall::Kind::forget:
      return append_forget(out, keys);
    case RedisCall::Kind::asking:
      break;
  }
  MUST(false, "a node writes its own commands itself");
}

/// From now on these servers have the slots.
void RedisGate::use(RedisMap map) {
  map_ = std::move(map);
  look_at_ = {};  // another server may have the key
  hole_look_at_ = options_.clock.uptime() + look_again;
  const auto hosts = map_.hosts();
  scout_->learn(hosts);
  for (const std::string& host : hosts) place_at(host);
  std::vector<Place*> gone;
  for (auto& [host, place] : places_) {
    if (std::ranges::find(hosts, host) == hosts.end()) gone.push_back(&place);
  }
  for (Place* const place : gone) {
    const Fault fault{FaultKind::unavailable, "another server is in its place"};
    place->node->lose(fault);
    drop(*place, fault);
    places_.erase(std::string(place->node->host()));
  }
}

}  // namespace firstcome
