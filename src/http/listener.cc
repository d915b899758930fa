#include "http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace firstcome::http {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t bytes = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  std::uint16_t port() const {
    return ntohs(family() == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                                      : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  }
  void set_port(std::uint16_t port) {
    if (family() == AF_INET6) {
      reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
    } else {
      reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
    }
  }
};

std::string shown(const std::string& address, std::uint16_t port) {
  return (address.find(':') == std::string::npos ? address : "[" + address + "]") + ":" + std::to_string(port);
}

Result<Address> parse(const std::string& address, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_flags = address == "localhost" ? 0 : AI_NUMERICHOST;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_family = address == "localhost" ? AF_INET : AF_UNSPEC;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), nullptr, &wanted, &found) != 0 || !found) {
    return fail(FaultKind::misconfigured, "cannot listen on \"" + address + "\": it is not an IP address");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  Address result;
  std::memcpy(&result.storage, found->ai_addr, found->ai_addrlen);
  result.bytes = found->ai_addrlen;
  result.set_port(port);
  return result;
}

Result<Descriptor> open_one(const Address& at, bool shared, const std::string& name) {
  const auto failed = [&](const char* doing) {
    const int error = errno;
    const bool in_use = error == EADDRINUSE;
    return fail(FaultKind::misconfigured,
                std::string("cannot ") + doing + " " + name + ": " + std::strerror(error) +
                    (in_use ? "; stop the program that listens there, or choose another port" : ""));
  };
  Descriptor socket(::socket(at.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return failed("open a socket for");
  const int on = 1;
  // Without it a restarted server could not listen for a minute, while connections of the old one rest in TIME_WAIT.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) return failed("share");
  // The accepted sockets inherit it: one system call less per connection.
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::bind(socket.get(), at.get(), at.bytes) != 0) return failed("listen on");
  constexpr int backlog = Listener::queue_max - 1;  // the kernel lets in one more
  if (::listen(socket.get(), backlog) != 0) return failed("listen on");
  return socket;
}

Peer peer_of(const Address& address) {
  Peer peer;
  peer.port = address.port();
  if (address.family() == AF_INET6) {
    std::memcpy(peer.address.data(), &reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr, 16);
  } else {
    peer.address[10] = peer.address[11] = 0xff;
    std::memcpy(peer.address.data() + 12, &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, 4);
  }
  return peer;
}

}  // namespace

Result<ListeningSockets> open_listening(const std::string& address, std::uint16_t port, std::size_t count) {
  auto at = parse(address, port);
  if (!at) return fail(std::move(at.error()));
  const std::string name = shown(address, port);
  // One that does not share is refused if anybody listens there already. It is closed again before we share.
  if (auto probe = open_one(*at, false, name); !probe) return fail(std::move(probe.error()));

  ListeningSockets result{.address = address, .port = port, .sockets = {}};
  while (result.sockets.size() < count) {
    auto socket = open_one(*at, true, name);
    if (!socket) return fail(std::move(socket.error()));
    if (at->port() == 0) {
      ::getsockname(socket->get(), at->get(), &at->bytes);
      result.port = at->port();
    }
    result.sockets.push_back(std::move(*socket));
  }
  return result;
}

Listener::Outcome Listener::accept(Accepted& into) {
  Address address;
  address.bytes = sizeof address.storage;
  into.socket.reset(::accept4(socket_.get(), address.get(), &address.bytes, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (into.socket.is_open()) {
    into.peer = peer_of(address);
    return Outcome::accepted;
  }
  const bool is_exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
  return is_exhausted ? Outcome::exhausted : Outcome::none_left;
}

}  // namespace firstcome::http
