#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "http/counters.h"
#include "http/deadline_wheel.h"
#include "http/handler.h"
#include "http/limits.h"
#include "http/request_parser.h"

namespace firstcome::http {

/// What the connections of one listener on one loop share.
struct Endpoint {
  Endpoint(Handler& h, const Limits& l);

  Handler& handler;
  const Limits limits;
  RequestParser parser;  ///< reads for every connection that has no unfinished request
  std::size_t open = 0;
};

/// What all connections of one loop share.
struct Common {
  explicit Common(Clock& c);

  Clock& clock;
  Uptime now;  ///< of the present batch of events
  Counters counters;
  DeadlineWheel wheel;
  std::string out;                     ///< answers of the connection that is being served
  std::vector<std::uint32_t> resumed;  ///< slots that go on when the present batch is done
  std::vector<std::uint32_t> free;     ///< slots without a connection
  bool draining = false;
};

/// One client's connection: reads, serves in order, sends.
///
/// DESIGN. The sockets are watched edge-triggered, for everything, once: a request costs recv and send and no other
/// system call. So what an edge said is remembered (`readable_`), and forgotten when a read comes back short. As long
/// as requests come whole, nothing is kept per connection: they are read into the listener's one buffer, answered into
/// the loop's one, and sent from there. Only an unfinished request, and answers that the client does not take, get
/// memory of their own.
///
///   Invariant   Answers leave in the order of the requests: while an exchange waits, no further request is looked at.
///   Bounds      At most limits.unread_answer_bytes and one answer are kept for a client that does not read, and no
///   more
///               than that of what it has read already.
///   Threads     the loop's own.
class Connection {
 public:
  Connection(Common& common, std::uint32_t slot) : common_(common), slot_(slot) {}

  void open(int fd, const Peer& peer, Endpoint& endpoint);
  void ready(std::uint32_t events);  ///< epoll's
  void resume();
  void due();    ///< the deadline wheel's: the deadline may have moved since
  void drain();  ///< closes at once what is idle; the rest when its client has what it asked for
  void close();

  /// False if that exchange is over: its client left.
  bool answer(ExchangeId id, const ReadyResponse& response);

  bool is_open() const { return fd_ >= 0; }
  std::size_t kept_bytes() const { return unsent_.size(); }  ///< of answers, those that are sent already too
  std::uint32_t life() const { return life_; }               ///< another one each time the slot is used

 private:
  friend class Exchange;

  void client_left();
  void proceed();
  void read();
  void serve(RequestParser& parser);
  void dispatch(Request& request);
  void refuse(Malformed kind);
  void keep_rest();
  void settle();
  void finish();
  void swallow();
  void set_deadline();
  void append(std::string& out, const ReadyResponse& response);
  ExchangeId start_waiting();
  bool send_out();
  std::size_t unsent_bytes() const { return unsent_.size() - unsent_begin_; }
  bool is_stalled() const { return unsent_bytes() + common_.out.size() > endpoint_->limits.unread_answer_bytes; }

  Common& common_;
  const std::uint32_t slot_;
  int fd_ = -1;
  std::uint32_t life_ = 0;
  std::uint32_t serial_ = 0;  ///< of the exchange that waits, or of the next one that will
  Endpoint* endpoint_ = nullptr;
  Uptime deadline_{};
  Uptime scheduled_{};
  bool readable_ = false;
  bool peer_done_ = false;  ///< the client sends nothing more
  bool serving_ = false;    ///< requests are being handed out right now
  bool waiting_ = false;
  bool keep_alive_ = true;  ///< the present request: its client can go on with this connection
  bool http_1_0_ = false;
  bool header_only_ = false;
  bool closing_ = false;  ///< no further request; closed when everything is sent
  bool linger_ = false;   ///< then swallow what the client still sends, lest it loses the answer to a reset
  bool lingering_ = false;
  bool stalled_ = false;  ///< requests are left unserved because the client does not take its answers
  bool queued_ = false;   ///< in common.resumed
  Peer peer_;
  Uptime request_since_{};  ///< the first byte of the unfinished request; 0 if there is none
  Uptime sent_at_{};        ///< when the client last took a byte, while it owes to read
  std::unique_ptr<RequestParser> own_;
  std::string unsent_;
  std::size_t unsent_begin_ = 0;
  std::size_t swallowed_ = 0;
};

}  // namespace firstcome::http
