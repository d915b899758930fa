#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/address.h"
#include "rush/response.h"
#include "rush/watch.h"

namespace firstcome::rush {

/// Who asked through a connection.
class Asker {
 public:
  /// The answer to what was sent through this connection. Views hold during the call.
  virtual void on_answer(std::uint32_t connection, const Response& response, std::int64_t now_us) = 0;
  /// There will be none: the connection ended, was too slow, or said what is no answer.
  virtual void on_cut(std::uint32_t connection) = 0;

 protected:
  ~Asker() = default;
};

/// Many kept-alive connections on one thread, one request in flight on each.
///
///   Invariant   A connection that is taken is sent through, or it is gone.
///   Bounds      `count` connections, spread evenly over the servers; at most 256 of a server are being opened at once,
///   and one while it
///               refuses, with a back-off from 10 to 250 ms.
///   Threads     one.
///   Lifetime    the asker outlives it.
class Connections {
 public:
  struct Counts {
    std::uint64_t opened = 0;
    std::uint64_t refused = 0;    ///< could not be opened
    std::uint64_t overdue = 0;    ///< closed by us, as no answer came in time
    std::uint64_t malformed = 0;  ///< closed by us, for bytes that are no answer of ours
  };

  static Result<std::unique_ptr<Connections>> create(const std::vector<std::vector<client::Address>>& servers,
                                                     std::uint32_t count, const Watch& watch, Asker& asker);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  /// Begins to open what is closed, as far as the bounds let it.
  void open_all();

  /// The one that has been free for longest, but not `other_than`, if there is a choice or can be one.
  std::optional<std::uint32_t> take(std::uint32_t other_than);

  /// False when nothing was sent: the connection was gone already.
  bool send(std::uint32_t connection, std::string_view request);

  /// Waits for news, at most `wait_us`, and tells the asker.
  void wait(std::int64_t wait_us);

  /// Cuts those whose answer has taken longer.
  void cut_overdue(std::int64_t answer_us_max);

  /// Every connection is open, or its server refuses.
  bool settled() const;

  std::uint32_t server_of(std::uint32_t connection) const {
    return connection % static_cast<std::uint32_t>(servers_.size());
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(all_.size()); }
  std::uint32_t open() const { return free_count_ + busy_count_; }
  std::uint32_t free() const { return free_count_; }
  std::uint32_t busy() const { return busy_count_; }
  const Counts& counts() const { return counts_; }

 private:
  enum class State : std::uint8_t { closed, connecting, free, busy };
  struct Connection {
    int socket = -1;
    State state = State::closed;
    std::uint32_t life = 0;  // counts its sockets, so that news of an earlier one is known as old
    std::int64_t since_us = 0;
    std::string read;    // of an answer that came in pieces
    std::string unsent;  // of a request that the system did not take whole
  };
  struct Server {
    std::vector<client::Address> addresses;
    std::size_t address = 0;
    std::vector<std::uint32_t> closed;
    std::uint32_t connecting = 0;
    std::uint32_t refusals = 0;  // in a row
    std::int64_t not_before_us = 0;
  };

  Connections(std::vector<Server> servers, std::uint32_t count, const Watch& watch, Asker& asker, int epoll);

  void open_one(Server& server);
  void watch_for(std::uint32_t connection, std::uint32_t events, int operation);
  void refuse(std::uint32_t connection);
  void finish_opening(std::uint32_t connection);
  void send_rest(std::uint32_t connection);
  void read(std::uint32_t connection);
  void answer(std::uint32_t connection, std::string_view bytes);
  void close(std::uint32_t connection);

  const Watch& watch_;
  Asker& asker_;
  const int epoll_;
  std::vector<Server> servers_;
  std::vector<Connection> all_;
  std::deque<std::uint32_t> free_;  // some may have been closed since: the state decides
  std::uint32_t free_count_ = 0;
  std::uint32_t busy_count_ = 0;
  std::vector<char> buffer_;
  bool fine_waits_ = true;
  Counts counts_;
};

}  // namespace firstcome::rush
