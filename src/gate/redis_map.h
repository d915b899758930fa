#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gate/redis_codec.h"

namespace firstcome {

/// Where the servers of the gate are, as the operator named them.
struct RedisServers {
  enum class Kind : std::uint8_t { single, sentinel, cluster };
  Kind kind = Kind::single;
  std::vector<std::string> hosts;  ///< HOST:PORT: the one server, sentinels, or some of a cluster
  std::string user;
  std::string master;  ///< the name that the sentinels know it by
};

/// From the parts of the URL: redis://[USER@]HOST:PORT, redis-sentinel://[USER@]HOST:PORT,.../MASTER,
/// redis-cluster://[USER@]HOST:PORT,... Fails with misconfigured and the form.
Result<RedisServers> redis_servers(std::string_view scheme, std::string_view user, std::vector<std::string> hosts,
                                   std::string_view path);

/// The slot of a cluster that the keys of a campaign are in: CRC16 of their hash tag.
std::uint16_t redis_slot(std::string_view campaign);
inline constexpr std::uint16_t redis_slots = 16384;

/// Which server has which slots. A single server has them all.
class RedisMap {
 public:
  RedisMap() = default;
  explicit RedisMap(std::string host) { add(0, redis_slots - 1, std::move(host)); }

  void add(std::uint16_t first, std::uint16_t last, std::string host) {
    ranges_.push_back({first, last, std::move(host)});
  }

  /// Empty: nobody has it, as far as is known.
  std::string_view host_of(std::uint16_t slot) const;
  std::vector<std::string> hosts() const;  ///< each once

 private:
  struct Range {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    std::string host;
  };
  std::vector<Range> ranges_;
};

/// What CLUSTER SLOTS answered. `asked` is HOST:PORT of who was asked: a server that does not know its own address
/// leaves it out. Fails with corrupt.
Result<RedisMap> map_of_slots(const RedisValue& reply, std::string_view asked);

/// What SENTINEL GET-MASTER-ADDR-BY-NAME answered. Fails with unavailable (it knows no such master) or corrupt.
Result<RedisMap> map_of_master(const RedisValue& reply);

/// Does ROLE say that it is a primary? Fails with corrupt.
Result<bool> is_primary(const RedisValue& role);

/// What INFO memory says: the policy by which keys with a time are evicted when memory is full; empty: none is.
std::string eviction_of(std::string_view info);

/// HOST:PORT, IPv6 in brackets.
std::string redis_host(std::string_view host, std::string_view port);

/// `server` of MOVED or ASK, which may be :PORT only: then it is on the host of `asked`.
std::string redirected_host(std::string_view server, std::string_view asked);

}  // namespace firstcome
