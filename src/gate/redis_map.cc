#include "gate/redis_map.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace firstcome {
namespace {

std::string_view host_part(std::string_view host_and_port) { return host_and_port.substr(0, host_and_port.rfind(':')); }

std::optional<std::uint16_t> number_in(const RedisValue& value, std::int64_t most) {
  if (!value.is(RedisValue::Kind::number) || value.number < 0 || value.number > most) return {};
  return static_cast<std::uint16_t>(value.number);
}

/// A server may answer anything, and its word becomes an address.
bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0;
}

}  // namespace

Result<RedisServers> redis_servers(std::string_view scheme, std::string_view user, std::vector<std::string> hosts,
                                   std::string_view path) {
  const auto no = [](std::string_view form) {
    return fail(FaultKind::misconfigured, "gate: write " + std::string(form));
  };
  RedisServers servers{.hosts = std::move(hosts), .user = std::string(user), .master = {}};
  if (scheme == "redis") {
    if (servers.hosts.size() != 1 || !path.empty()) return no("redis://[USER@]HOST:PORT");
  } else if (scheme == "redis-sentinel") {
    servers.kind = RedisServers::Kind::sentinel;
    servers.master = path;
    if (servers.hosts.empty() || path.empty()) return no("redis-sentinel://[USER@]HOST:PORT,HOST:PORT/MASTER");
  } else if (scheme == "redis-cluster") {
    servers.kind = RedisServers::Kind::cluster;
    if (servers.hosts.empty() || !path.empty()) return no("redis-cluster://[USER@]HOST:PORT,HOST:PORT");
  } else {
    return no("redis://, redis-sentinel:// or redis-cluster://");
  }
  return servers;
}

/// CRC16 of XMODEM (polynomial 0x1021), as the specification of Redis Cluster has it.
std::uint16_t redis_slot(std::string_view campaign) {
  unsigned crc = 0;
  for (const char c : campaign) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x8000U) ? 0x1021U : 0U);
    crc &= 0xffffU;
  }
  return static_cast<std::uint16_t>(crc % redis_slots);
}

std::string_view RedisMap::host_of(std::uint16_t slot) const {
  for (const Range& range : ranges_) {
    if (range.first <= slot && slot <= range.last) return range.host;
  }
  return {};
}

std::vector<std::string> RedisMap::hosts() const {
  std::vector<std::string> hosts;
  for (const Range& range : ranges_) {
    if (std::ranges::find(hosts, range.host) == hosts.end()) hosts.push_back(range.host);
  }
  return hosts;
}

Result<RedisMap> map_of_slots(const RedisValue& reply, std::string_view asked) {
  const auto no = [] { return fail(FaultKind::corrupt, "CLUSTER SLOTS answered something else than slots"); };
  if (!reply.is(RedisValue::Kind::list)) return no();
  RedisMap map;
  for (const RedisValue& range : reply.list) {
    if (!range.is(RedisValue::Kind::list) || range.list.size() < 3) return no();
    const auto first = number_in(range.list[0], redis_slots - 1), last = number_in(range.list[1], redis_slots - 1);
    const RedisValue& primary = range.list[2];
    if (!first || !last || !primary.is(RedisValue::Kind::list) || primary.list.size() < 2) return no();
    const auto port = number_in(primary.list[1], 65535);
    if (!port) return no();
    const bool is_named =
        primary.list[0].is(RedisValue::Kind::text) && !primary.list[0].text.empty() && primary.list[0].text != "?";
    const std::string number = std::to_string(*port);
    map.add(*first, *last,
            is_named ? redis_host(primary.list[0].text, number) : std::string(host_part(asked)) + ":" + number);
  }
  if (map.hosts().empty()) return fail(FaultKind::unavailable, "no server of the cluster has any slot");
  return map;
}

Result<RedisMap> map_of_master(const RedisValue& reply) {
  if (reply.is(RedisValue::Kind::nothing)) {
    return fail(FaultKind::misconfigured, "it knows no master of that name: look at gate (.../MASTER)");
  }
  const bool is_address = reply.is(RedisValue::Kind::list) && reply.list.size() == 2 &&
                          reply.list[0].is(RedisValue::Kind::text) && reply.list[1].is(RedisValue::Kind::text);
  if (!is_address || !is_port(reply.list[1].text)) {
    return fail(FaultKind::corrupt, "a sentinel answered something else than an address");
  }
  return RedisMap(redis_host(reply.list[0].text, reply.list[1].text));
}

Result<bool> is_primary(const RedisValue& role) {
  if (!role.is(RedisValue::Kind::list) || role.list.empty() || !role.list[0].is(RedisValue::Kind::text)) {
    return fail(FaultKind::corrupt, "ROLE answered something else than a role");
  }
  return role.list[0].text == "master";
}

std::string eviction_of(std::string_view info) {
  constexpr std::string_view name = "maxmemory_policy:";
  const auto at = info.find(name);
  if (at == std::string_view::npos) return {};
  const auto policy = info.substr(at + name.size());
  const std::string word(policy.substr(0, policy.find_first_of("\r\n")));
  return word == "noeviction" ? std::string() : word;
}

std::string redis_host(std::string_view host, std::string_view port) {
  const bool is_v6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  std::string text;
  text.append(is_v6 ? "[" : "").append(host).append(is_v6 ? "]:" : ":").append(port);
  return text;
}

std::string redirected_host(std::string_view server, std::string_view asked) {
  const auto colon = server.rfind(':');
  if (colon == std::string_view::npos) return {};
  const auto host = server.substr(0, colon), port = server.substr(colon + 1);
  if (!is_port(port)) return {};
  return host.empty() || host == "?" ? std::string(host_part(asked)) + ":" + std::string(port) : redis_host(host, port);
}

}  // namespace firstcome
