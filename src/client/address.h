#pragma once

#include <sys/socket.h>

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/url.h"

namespace firstcome::client {

/// Where to connect to, as the system wants it.
class Address {
 public:
  Address(const sockaddr* bytes, socklen_t size);

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&bytes_); }
  socklen_t size() const { return size_; }
  int family() const { return bytes_.ss_family; }
  bool is_loopback() const;
  std::string text() const;

 private:
  sockaddr_storage bytes_{};
  socklen_t size_;
};

/// All addresses of the URL's host, IPv4 first, since that is where `serve` listens by default. Blocks while the system
/// asks its name servers. Never empty. Fails with unavailable.
Result<std::vector<Address>> resolve(const Url& url);

}  // namespace firstcome::client
