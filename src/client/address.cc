#include "client/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

#include "base/assert.h"

namespace firstcome::client {

Address::Address(const sockaddr* bytes, socklen_t size) : size_(size) {
  MUST(size <= sizeof bytes_, "sockaddr_storage holds every address");
  std::memcpy(&bytes_, bytes, size);
}

bool Address::is_loopback() const {
  if (family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &bytes_, sizeof v4);
    return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
  }
  if (family() != AF_INET6) return false;
  sockaddr_in6 v6;
  std::memcpy(&v6, &bytes_, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) return v6.sin6_addr.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

std::string Address::text() const {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(raw(), size_, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "an unknown address";
  return family() == AF_INET6 ? "[" + std::string(host) + "]:" + port : std::string(host) + ":" + port;
}

Result<std::vector<Address>> resolve(const Url& url) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (error != 0)
    return fail(FaultKind::unavailable, "no address for host \"" + url.host + "\": " + gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);

  std::vector<Address> addresses;
  for (const bool ipv4 : {true, false}) {
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
      if ((one->ai_family == AF_INET) == ipv4)
        addresses.emplace_back(one->ai_addr, static_cast<socklen_t>(one->ai_addrlen));
    }
  }
  return addresses;
}

}  // namespace firstcome::client
