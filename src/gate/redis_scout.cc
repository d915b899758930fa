#include "gate/redis_scout.h"

#include <algorithm>

#include "base/log.h"
#include "gate/redis_error.h"

namespace firstcome {

RedisScout::RedisScout(RedisScoutOptions options, Found found)
    : options_(std::move(options)), found_(std::move(found)), link_(options_.io, options_.tls, *this) {}

RedisScout::~RedisScout() = default;

void RedisScout::look() { is_wanted_ = options_.servers.kind != RedisServers::Kind::single; }

void RedisScout::tick() {
  const Uptime now = options_.clock.uptime();
  if (is_asking_ && now >= answer_until_) {
    pass_over({FaultKind::timed_out, "no answer within " + std::to_string(answer_ms_max.count()) + " ms"});
  } else if (is_wanted_ && !is_asking_ && now >= next_round_) {
    begin_round();
  }
}

void RedisScout::begin_round() {
  is_wanted_ = false;
  is_asking_ = true;
  why_.clear();
  is_wrong_ = false;
  hosts_ = options_.servers.hosts;
  for (const std::string& host : learned_) {
    if (std::ranges::find(hosts_, host) == hosts_.end()) hosts_.push_back(host);
  }
  // Another one first each time: the first may be the one that is cut off from the others.
  std::ranges::rotate(hosts_, hosts_.begin() + static_cast<std::ptrdiff_t>(rounds_++ % hosts_.size()));
  std::ranges::reverse(hosts_);
  ask_next();
}

void RedisScout::ask_next() {
  host_ = hosts_.back();
  hosts_.pop_back();
  reader_ = RedisReader();
  question_.clear();
  refused_.reset();
  answer_until_ = options_.clock.uptime() + answer_ms_max;
  link_.open(host_);
}

void RedisScout::link_opened() {
  replies_ = options_.password.empty() ? 1 : 2;
  const std::string& user = options_.servers.user;
  if (!options_.password.empty()) {
    if (user.empty()) {
      append_command(question_, {"AUTH", options_.password});
    } else {
      append_command(question_, {"AUTH", user, options_.password});
    }
  }
  if (options_.servers.kind == RedisServers::Kind::sentinel) {
    append_command(question_, {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", options_.servers.master});
  } else {
    append_command(question_, {"CLUSTER", "SLOTS"});
  }
}

void RedisScout::link_read(std::string_view bytes) {
  if (const auto fed = reader_.feed(bytes); !fed) return pass_over(fed.error());
  for (;;) {
    const auto reply = reader_.next();
    if (!reply) return pass_over(reply.error());
    if (!*reply) return;
    // Sentinels mostly have no users, and refuse AUTH for that: it matters only if the question is refused too.
    if (--replies_ > 0) {
      if ((*reply)->is(RedisValue::Kind::error)) refused_ = read_auth_error((*reply)->text).fault;
      continue;
    }
    auto map = read(**reply);
    if (!map) return pass_over((*reply)->is(RedisValue::Kind::error) && refused_ ? *refused_ : map.error());
    link_.close();
    trouble_.reset();
    if (!std::exchange(told_, {}).empty() && !options_.is_quiet) {
      log::info("the servers of the gate are known again", {{"by", host_}});
    }
    end_round();
    return found_(std::move(*map));
  }
}

Result<RedisMap> RedisScout::read(const RedisValue& reply) const {
  if (reply.is(RedisValue::Kind::error)) return fail(read_redis_error(reply.text).fault);
  return options_.servers.kind == RedisServers::Kind::sentinel ? map_of_master(reply) : map_of_slots(reply, host_);
}

void RedisScout::pass_over(const Fault& fault) {
  link_.close();
  why_[host_] = fault.what;
  is_wrong_ |= !fault.retryable();
  if (!hosts_.empty()) return ask_next();
  std::string all;
  for (const auto& [host, what] : why_) all.append(all.empty() ? "" : "; ").append(host).append(": ").append(what);
  trouble_ = is_wrong_ ? std::optional(Fault{FaultKind::misconfigured, all}) : std::nullopt;
  if (told_ != all) {
    if (!options_.is_quiet) {
      if (trouble_) {
        log::error("the gate needs a person: claims go on without it, and /readyz is 503 until it is mended",
                   {{"reason", all}});
      } else {
        log::warn("nobody says where the gate is: claims go on without it", {{"reason", all}});
      }
    }
    told_ = all;
  }
  end_round();
  is_wanted_ = true;
}

void RedisScout::end_round() {
  is_asking_ = false;
  next_round_ = options_.clock.uptime() + pause_;
  pause_ = std::min(2 * pause_, pause_most);
}

}  // namespace firstcome
