#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace firstcome::client {

/// What arrived at a scripted server, whole.
struct Heard {
  std::size_t nth = 0;         ///< over all connections, from 0
  std::size_t connection = 0;  ///< in the order of their coming, from 0
  std::string method;
  std::string target;
  std::string head;  ///< request line and headers, with the empty line
  std::string body;

  /// The value of the first header of that name; empty when there is none.
  std::string header(std::string_view name) const;
};

/// What the server does about it: bytes as they are, after a while, and then perhaps the end of the connection.
struct Reply {
  std::string bytes;
  bool close = false;  ///< behind the bytes; without bytes the client sees a cut
  bool stop_listening = false;
  Millis after{0};
  Millis drip{0};  ///< between one byte and the next; 0 sends all at once

  static Reply json(int status, std::string_view body, std::string_view more_headers = {});
  static Reply cut() { return {.bytes = {}, .close = true}; }
};

/// A server of a test: real loopback sockets, one thread, and a script that is asked about every request. While the
/// script runs, the server stalls, as a real one with a blocked loop would.
///
///   Threads   the script runs on the server's thread; what it shares with the test is the test's to guard.
class ScriptedServer {
 public:
  using Script = std::function<Reply(const Heard&)>;

  /// Port 0 takes a free one.
  explicit ScriptedServer(Script script, std::uint16_t port = 0);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  class Loop;
  std::uint16_t port_ = 0;
  std::unique_ptr<Loop> loop_;
};

}  // namespace firstcome::client
