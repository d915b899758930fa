#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/connection.h"
#include "http/descriptor.h"

namespace firstcome::http {

/// Sockets that listen on one address, one for each loop; the kernel spreads the clients over them (SO_REUSEPORT).
struct ListeningSockets {
  std::string address;
  std::uint16_t port = 0;  ///< the real one, where 0 was asked for
  std::vector<Descriptor> sockets;
};

/// `address` is numeric, or "localhost". Fails with misconfigured: the port is in use (by anybody: SO_REUSEPORT alone
/// would let a second server of the same user share it, and take half of the claims), or the address is not ours.
Result<ListeningSockets> open_listening(const std::string& address, std::uint16_t port, std::size_t count);

struct Accepted {
  Descriptor socket;
  Peer peer;
};

/// One listening socket on its loop.
class Listener {
 public:
  enum class Outcome : std::uint8_t {
    accepted,
    none_left,  ///< or one that left before it was accepted
    exhausted,  ///< no file descriptor or no memory: try again later, the clients wait in the kernel's queue
  };

  static constexpr int queue_max = 4096;  ///< clients that wait to be accepted; cut to net.core.somaxconn

  Listener(Descriptor socket, Handler& handler, const Limits& limits)
      : endpoint(handler, limits), socket_(std::move(socket)) {}

  Outcome accept(Accepted& into);

  int fd() const { return socket_.get(); }
  bool is_open() const { return socket_.is_open(); }
  void close() { socket_.reset(); }

  Endpoint endpoint;
  bool paused = false;  ///< by exhausted

 private:
  Descriptor socket_;
};

}  // namespace firstcome::http
