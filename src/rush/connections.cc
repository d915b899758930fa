#include "rush/connections.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

// DESIGN
//
// A request costs two system calls: one send, one recv. Everything else is shared: a socket is registered with epoll
// once, and epoll_pwait2 brings the news of up to 512 connections at a time. Nothing is sent while news is being told,
// so the asker's answers to a batch go out behind it.

namespace firstcome::rush {
namespace {

constexpr std::uint32_t connecting_max = 256;  // a listener's backlog is 4096 at most, and often 128
constexpr std::int64_t back_off_us_min = 10'000;
constexpr std::int64_t back_off_us_max = 250'000;
constexpr std::size_t buffer_bytes = 128 * 1024;  // above the largest answer that parse() takes

std::uint64_t tag_of(std::uint32_t connection, std::uint32_t life) { return std::uint64_t{life} << 32 | connection; }

}  // namespace

Result<std::unique_ptr<Connections>> Connections::create(const std::vector<std::vector<client::Address>>& servers,
                                                         std::uint32_t count, const Watch& watch, Asker& asker) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) return fail(FaultKind::unavailable, std::string("epoll: ") + std::strerror(errno));
  std::vector<Server> all;
  for (const auto& addresses : servers) all.push_back({.addresses = addresses});
  return std::unique_ptr<Connections>(new Connections(std::move(all), count, watch, asker, epoll));
}

Connections::Connections(std::vector<Server> servers, std::uint32_t count, const Watch& watch, Asker& asker, int epoll)
    : watch_(watch), asker_(asker), epoll_(epoll), servers_(std::move(servers)), all_(count), buffer_(buffer_bytes) {
  for (std::uint32_t one = 0; one < count; ++one) servers_[server_of(one)].closed.push_back(one);
  for (auto& server : servers_) std::ranges::reverse(server.closed);
}

Connections::~Connections() {
  for (const auto& one : all_)
    if (one.socket >= 0) ::close(one.socket);
  ::close(epoll_);
}

void Connections::open_all() {
  const auto now = watch_.now_us();
  for (auto& server : servers_) {
    while (!server.closed.empty() && now >= server.not_before_us &&
           server.connecting < (server.refusals > 0 ? 1 : connecting_max))
      open_one(server);
  }
}

bool Connections::settled() const {
  return std::ranges::all_of(servers_, [](const Server& server) {
    return server.refusals > 0 || (server.closed.empty() && server.connecting == 0);
  });
}

void Connections::open_one(Server& server) {
  const std::uint32_t number = server.closed.back();
  server.closed.pop_back();
  Connection& one = all_[number];
  const auto& address = server.addresses[server.address % server.addresses.size()];
  one.state = State::connecting;
  one.since_us = watch_.now_us();
  ++one.life;
  ++server.connecting;
  one.socket = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (one.socket < 0) return refuse(number);
  const int on = 1;
  setsockopt(one.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // without it requests are a little later
  if (connect(one.socket, address.raw(), address.size()) != 0 && errno != EINPROGRESS) return refuse(number);
  watch_for(number, EPOLLOUT, EPOLL_CTL_ADD);
}

void Connections::watch_for(std::uint32_t connection, std::uint32_t events, int operation) {
  const Connection& one = all_[connection];
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag_of(connection, one.life);
  MUST(epoll_ctl(epoll_, operation, one.socket, &event) == 0, "an open socket can be watched");
}

void Connections::refuse(std::uint32_t connection) {
  Server& server = servers_[server_of(connection)];
  const auto wait = std::min(back_off_us_max, back_off_us_min << std::min(server.refusals, 8u));
  ++counts_.refused;
  ++server.refusals;
  ++server.address;  // the host may have another one that answers
  server.not_before_us = watch_.now_us() + wait;
  close(connection);
}

void Connections::finish_opening(std::uint32_t connection) {
  Connection& one = all_[connection];
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(one.socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return refuse(connection);
  Server& server = servers_[server_of(connection)];
  --server.connecting;
  server.refusals = 0;
  ++counts_.opened;
  ++free_count_;
  one.state = State::free;
  watch_for(connection, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_MOD);
  free_.push_back(connection);
}

std::optional<std::uint32_t> Connections::take(std::uint32_t other_than) {
  std::optional<std::uint32_t> taken;
  bool passed_over = false;
  while (!taken && !free_.empty()) {
    const auto candidate = free_.front();
    free_.pop_front();
    if (all_[candidate].state != State::free) continue;
    if (candidate == other_than && !passed_over) {
      passed_over = true;  // a second time it is an old mention of it
    } else if (candidate != other_than) {
      taken = candidate;
    }
  }
  if (passed_over && !taken && busy_count_ == 0) return other_than;  // no other one will become free
  if (passed_over) free_.push_front(other_than);
  return taken;
}

bool Connections::send(std::uint32_t connection, std::string_view request) {
  Connection& one = all_[connection];
  MUST(one.state == State::free, "one request at a time");
  const auto sent = ::send(one.socket, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    close(connection);
    return false;
  }
  const auto count = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  one.state = State::busy;
  one.since_us = watch_.now_us();
  --free_count_;
  ++busy_count_;
  if (count < request.size()) {
    one.unsent = request.substr(count);
    watch_for(connection, EPOLLIN | EPOLLRDHUP | EPOLLOUT, EPOLL_CTL_MOD);
  }
  return true;
}

void Connections::send_rest(std::uint32_t connection) {
  Connection& one = all_[connection];
  const auto sent = ::send(one.socket, one.unsent.data(), one.unsent.size(), MSG_NOSIGNAL);
  if (sent < 0) return;  // what is wrong with it shows when it is read
  one.unsent.erase(0, static_cast<std::size_t>(sent));
  if (one.unsent.empty()) watch_for(connection, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_MOD);
}

void Connections::read(std::uint32_t connection) {
  Connection& one = all_[connection];
  const auto count = recv(one.socket, buffer_.data(), buffer_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count > 0 && one.state == State::busy) {
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
    if (one.read.empty()) return answer(connection, bytes);
    one.read += bytes;
    const std::string whole = std::move(one.read);
    one.read.clear();
    return answer(connection, whole);
  }
  if (count > 0) ++counts_.malformed;  // it speaks without having been asked
  close(connection);
}

void Connections::answer(std::uint32_t connection, std::string_view bytes) {
  Response response;
  const auto parsed = parse(bytes, response);
  if (parsed == Parsed::more) {
    all_[connection].read = bytes;
    return;
  }
  if (parsed == Parsed::malformed || response.bytes != bytes.size()) {
    ++counts_.malformed;
    return close(connection);
  }
  all_[connection].state = State::free;
  --busy_count_;
  ++free_count_;
  asker_.on_answer(connection, response, watch_.now_us());
  if (response.close || !all_[connection].unsent.empty()) return close(connection);
  free_.push_back(connection);
}

void Connections::close(std::uint32_t connection) {
  Connection& one = all_[connection];
  const auto was = std::exchange(one.state, State::closed);
  Server& server = servers_[server_of(connection)];
  if (was == State::connecting) --server.connecting;
  if (was == State::free) --free_count_;
  if (was == State::busy) --busy_count_;
  if (one.socket >= 0) ::close(std::exchange(one.socket, -1));
  one.read.clear();
  one.unsent.clear();
  server.closed.push_back(connection);
  if (was == State::busy) asker_.on_cut(connection);
}

void Connections::cut_overdue(std::int64_t answer_us_max) {
  const auto now = watch_.now_us();
  for (std::uint32_t number = 0; number < size(); ++number) {
    const Connection& one = all_[number];
    if (now - one.since_us <= answer_us_max) continue;
    if (one.state == State::connecting) refuse(number);
    if (one.state != State::busy) continue;
    ++counts_.overdue;
    close(number);
  }
}

void Connections::wait(std::int64_t wait_us) {
  std::array<epoll_event, 512> events;
  timespec wait{.tv_sec = wait_us / 1'000'000, .tv_nsec = wait_us % 1'000'000 * 1'000};
  int count = -1;
  if (fine_waits_) {
    count = epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
    // Older kernels and some containers' filters do not have it: then waits are whole milliseconds.
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) fine_waits_ = false;
  }
  if (!fine_waits_)
    count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>((wait_us + 999) / 1'000));
  for (int at = 0; at < count; ++at) {
    const auto& event = events[static_cast<std::size_t>(at)];
    const auto connection = static_cast<std::uint32_t>(event.data.u64);
    if (event.data.u64 != tag_of(connection, all_[connection].life)) continue;
    const auto state = all_[connection].state;
    if (state == State::connecting) finish_opening(connection);
    if (state != State::free && state != State::busy) continue;
    if ((event.events & EPOLLOUT) != 0) send_rest(connection);
    if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) read(connection);
  }
}

}  // namespace firstcome::rush
