#include "http/connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/assert.h"
#include "http/problem.h"

namespace firstcome::http {
namespace {

constexpr Uptime never = Uptime::max();
constexpr Millis wheel_step{20};
constexpr std::size_t wheel_buckets = 4096;          // 82 s at a turn: more than any default
constexpr std::size_t read_bytes = 16 * 1024;        // a hundred pipelined claims
constexpr std::size_t kept_capacity_max = 2 * 1024;  // of a connection's own answers, between two of them

}  // namespace

Endpoint::Endpoint(Handler& h, const Limits& l)
    : handler(h), limits(l), parser(limits, std::max(read_bytes, l.header_bytes + 2 * Limits::chunk_line_bytes_max)) {}

Common::Common(Clock& c) : clock(c), now(c.uptime()), wheel(wheel_step, wheel_buckets) {
  wheel.advance(now, [](std::uint32_t) {});
}

void Exchange::answer(const ReadyResponse& response) {
  MUST(!settled_, "an exchange is answered once");
  settled_ = true;
  connection_.append(connection_.common_.out, response);
}

ExchangeId Exchange::id() const { return {connection_.slot_, connection_.serial_}; }

ExchangeId Exchange::wait() {
  MUST(!settled_, "an exchange that was answered cannot wait");
  settled_ = true;
  return connection_.start_waiting();
}

void Connection::open(int fd, const Peer& peer, Endpoint& endpoint) {
  MUST(!is_open(), "a slot holds one connection");
  fd_ = fd;
  peer_ = peer;
  endpoint_ = &endpoint;
  readable_ = peer_done_ = serving_ = waiting_ = closing_ = linger_ = lingering_ = false;
  request_since_ = {};
  swallowed_ = 0;
  scheduled_ = never;
  ++endpoint.open;
  common_.counters.connections_accepted.add();
  common_.counters.connections_open.add();
  set_deadline();
}

void Connection::close() {
  if (waiting_) {
    waiting_ = false;
    common_.counters.exchanges_waiting.drop();
    endpoint_->handler.on_left({slot_, serial_++});
  }
  ::close(fd_);
  fd_ = -1;
  ++life_;
  queued_ = false;
  own_.reset();
  common_.out.clear();
  unsent_ = {};
  unsent_begin_ = 0;
  --endpoint_->open;
  common_.counters.connections_open.drop();
  common_.wheel.remove(slot_);
  common_.free.push_back(slot_);
}

void Connection::client_left() {
  if (waiting_) common_.counters.clients_left.add();
  close();
}

void Connection::ready(std::uint32_t events) {
  // A client that has left altogether. One that only ended its side (RDHUP) may still read: it gets its answers first.
  if (events & (EPOLLERR | EPOLLHUP)) return client_left();
  if (events & EPOLLRDHUP) peer_done_ = true;
  if (events & (EPOLLIN | EPOLLRDHUP)) readable_ = true;
  if (waiting_ && unsent_.empty()) return;
  proceed();
}

void Connection::resume() {
  if (!std::exchange(queued_, false)) return;
  proceed();
}

void Connection::proceed() {
  if (lingering_) return swallow();
  if (!unsent_.empty() && !send_out()) return;
  stalled_ = false;
  if (own_ && !closing_) serve(*own_);
  if (is_open() && readable_ && !waiting_ && !closing_ && !is_stalled()) read();
  if (is_open()) settle();
}

void Connection::read() {
  RequestParser& parser = own_ ? *own_ : endpoint_->parser;
  const auto room = parser.room();
  const ssize_t got = ::recv(fd_, room.data(), room.size(), 0);
  if (got > 0) {
    const auto bytes = static_cast<std::size_t>(got);
    // A short read took everything; a byte that came since is another edge.
    if (bytes < room.size()) readable_ = false;
    common_.counters.bytes_in.add(bytes);
    parser.received(bytes);
    serve(parser);
    keep_rest();
  } else if (got == 0) {
    readable_ = false;
    peer_done_ = true;
  } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
    readable_ = false;
  } else if (errno != EINTR) {
    client_left();
  }
}

void Connection::serve(RequestParser& parser) {
  serving_ = true;
  while (!waiting_ && !closing_) {
    if (is_stalled()) {
      if (!send_out()) break;
      stalled_ = is_stalled();
      if (stalled_) break;
    }
    const auto outcome = parser.next();
    if (outcome == RequestParser::Outcome::malformed) {
      refuse(parser.malformed());
      break;
    }
    if (outcome == RequestParser::Outcome::need_more) {
      if (parser.take_wants_continue()) common_.out += "HTTP/1.1 100 Continue\r\n\r\n";
      if (request_since_ == Uptime{} && parser.has_rest()) request_since_ = common_.now;
      break;
    }
    request_since_ = {};
    dispatch(parser.request());
  }
  serving_ = false;
}

void Connection::dispatch(Request& request) {
  common_.counters.requests.add();
  request.peer = peer_;
  keep_alive_ = request.keep_alive;
  http_1_0_ = request.http_1_0;
  header_only_ = request.method == Method::head;
  Exchange exchange(*this);
  endpoint_->handler.on_request(request, exchange);
  MUST(exchange.is_settled(), "a handler answers, or says that it will");
}

void Connection::refuse(Malformed kind) {
  common_.counters.malformed[static_cast<std::size_t>(kind)].add();
  keep_alive_ = header_only_ = false;
  append(common_.out, problem_of(kind));
  linger_ = true;
}

void Connection::append(std::string& out, const ReadyResponse& response) {
  using enum ReadyResponse::Connection;
  const bool keep = keep_alive_ && !common_.draining;
  response.append_to(out, keep ? (http_1_0_ ? keep_alive : implied) : ReadyResponse::Connection::close, !header_only_);
  if (keep) return;
  closing_ = true;
  linger_ |= common_.draining;  // the client did not ask for it, and may be sending
}

ExchangeId Connection::start_waiting() {
  waiting_ = true;
  common_.counters.exchanges_waiting.add();
  return {slot_, serial_};
}

bool Connection::answer(ExchangeId id, const ReadyResponse& response) {
  if (!waiting_ || id.serial != serial_) return false;
  waiting_ = false;
  ++serial_;
  common_.counters.exchanges_waiting.drop();
  if (unsent_.empty()) sent_at_ = common_.now;  // from here on the client owes to read
  // Inside its own on_request the answers before it are still in the loop's buffer.
  append(serving_ ? common_.out : unsent_, response);
  if (!serving_ && !std::exchange(queued_, true)) common_.resumed.push_back(slot_);
  return true;
}

/// Gives back the listener's parser: what it holds of this client's goes into one of its own.
void Connection::keep_rest() {
  RequestParser& shared = endpoint_->parser;
  if (shared.has_rest()) {
    if (closing_ || !is_open()) {
      linger_ = true;
    } else {
      own_ = std::make_unique<RequestParser>(endpoint_->limits);
      own_->take_rest_of(shared);
    }
  }
  shared.clear();  // without a rest too: it may have skipped an empty line, and the next client has one of its own
}

/// False if the connection was closed over it.
bool Connection::send_out() {
  std::string& out = unsent_.empty() ? common_.out : unsent_;
  if (&out == &unsent_) {
    unsent_ += common_.out;
    common_.out.clear();
  }
  if (out.empty()) return true;
  const std::size_t begin = &out == &unsent_ ? unsent_begin_ : 0;
  ssize_t sent = ::send(fd_, out.data() + begin, out.size() - begin, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      client_left();
      return false;
    }
    sent = 0;
  }
  const std::size_t end = begin + static_cast<std::size_t>(sent);
  common_.counters.bytes_out.add(static_cast<std::uint64_t>(sent));
  if (end == out.size()) {
    out.clear();
    unsent_begin_ = 0;
    if (unsent_.capacity() > kept_capacity_max) unsent_ = {};
    return true;
  }
  if (sent > 0 || &out != &unsent_) sent_at_ = common_.now;
  if (&out == &unsent_) {
    unsent_begin_ = end;
    if (unsent_begin_ > unsent_bytes()) {  // fewer bytes move than were sent since the last time
      unsent_.erase(0, unsent_begin_);
      unsent_begin_ = 0;
    }
  } else {
    unsent_.assign(out, end);
    out.clear();
  }
  return true;
}

/// The end of every turn: sends, decides whether this connection goes on, and until when it may do nothing.
void Connection::settle() {
  if (!common_.out.empty() && !send_out()) return;
  if (own_ && !own_->has_rest()) own_.reset();
  if (!waiting_ && unsent_.empty()) {
    const bool more = readable_ || stalled_;
    if (closing_) return finish();
    if (peer_done_ && !more) return close();
    if (common_.draining && !more && !own_) return finish();
    if (more && !std::exchange(queued_, true)) common_.resumed.push_back(slot_);  // others first
  }
  set_deadline();
}

void Connection::set_deadline() {
  const Limits& limits = endpoint_->limits;
  if (!unsent_.empty()) {
    deadline_ = sent_at_ + limits.write_ms;
  } else if (waiting_) {
    deadline_ = never;  // whoever makes an exchange wait bounds it
  } else if (request_since_ != Uptime{}) {
    deadline_ = request_since_ + limits.header_ms;
  } else {
    deadline_ = common_.now + limits.idle_ms;
  }
  if (deadline_ < scheduled_) scheduled_ = common_.wheel.schedule(slot_, deadline_);
}

void Connection::due() {
  scheduled_ = never;
  if (deadline_ == never) return;
  if (deadline_ > common_.now) {
    scheduled_ = common_.wheel.schedule(slot_, deadline_);
    return;
  }
  if (lingering_) return close();
  if (!unsent_.empty()) {
    common_.counters.unread_closed.add();
    return close();
  }
  if (request_since_ == Uptime{}) {
    common_.counters.idle_closed.add();
    return close();
  }
  refuse(Malformed::too_slow);
  settle();
}

void Connection::drain() {
  if (waiting_ || lingering_) return;
  readable_ = true;             // a request may have come that no event has told yet
  linger_ |= !unsent_.empty();  // it is not idle: it reads, and may be sending
  proceed();
}

/// Everything is sent: ends the connection, and if the client may still be sending, waits a little until it has read.
void Connection::finish() {
  if (!linger_ && !own_ && !readable_) return close();
  ::shutdown(fd_, SHUT_WR);
  own_.reset();
  lingering_ = true;
  deadline_ = common_.now + endpoint_->limits.linger_ms;
  if (deadline_ < scheduled_) scheduled_ = common_.wheel.schedule(slot_, deadline_);
  swallow();
}

void Connection::swallow() {
  const auto room = endpoint_->parser.room();
  while (swallowed_ < Limits::linger_bytes_max) {
    const ssize_t got = ::recv(fd_, room.data(), room.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got <= 0) return close();
    swallowed_ += static_cast<std::size_t>(got);
  }
  close();
}

}  // namespace firstcome::http
