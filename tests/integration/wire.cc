#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace firstcome {
namespace {

constexpr int answer_ms_max = 5000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int tcp_socket() {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  MUST(made >= 0, "a test gets its sockets");
  const int on = 1;
  setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return made;
}

/// False: the other side has gone.
bool send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void wake_up(int wake) {
  const std::uint64_t one = 1;
  MUST(write(wake, &one, sizeof one) == sizeof one, "an eventfd takes a one");
}

}  // namespace

Wire::Wire(std::uint16_t to) : to_(to), listener_(tcp_socket()), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  auto here = loopback(0);
  socklen_t size = sizeof here;
  MUST(bind(listener_, reinterpret_cast<sockaddr*>(&here), size) == 0 && listen(listener_, 64) == 0,
       "a free port is found");
  getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size);
  port_ = ntohs(here.sin_port);
  thread_ = std::thread([this] { run(); });
}

Wire::~Wire() {
  stopping_ = true;
  wake_up(wake_);
  thread_.join();
  close_all();
  close(listener_);
  close(wake_);
}

void Wire::cut_at(std::function<bool(std::string_view)> is_it, Cut cut, std::function<void()> then) {
  const std::lock_guard lock(mutex_);
  is_it_ = std::move(is_it);
  then_ = std::move(then);
  cut_ = cut;
}

std::function<bool(std::string_view)> Wire::holds(std::string_view words) {
  return [words = std::string(words)](std::string_view packet) { return packet.find(words) != std::string_view::npos; };
}

void Wire::mend() { cut_at({}, Cut::before); }

void Wire::hold(bool held) {
  held_ = held;
  wake_up(wake_);
}

void Wire::run() {
  while (!stopping_) {
    std::vector<pollfd> watched{{wake_, POLLIN, 0}};
    if (!held_) {
      watched.push_back({listener_, POLLIN, 0});
      for (const auto& pair : pairs_) {
        watched.push_back({pair.client, POLLIN, 0});
        watched.push_back({pair.server, POLLIN, 0});
      }
    }
    if (poll(watched.data(), watched.size(), -1) < 0) continue;
    std::uint64_t count = 0;
    if (watched[0].revents != 0 && read(wake_, &count, sizeof count) < 0) continue;
    if (watched.size() == 1) continue;
    std::size_t at = 2;
    for (auto& pair : pairs_) {
      if (at < watched.size() && watched[at].revents != 0 && !pair.gone) pass_up(pair);
      if (at < watched.size() && watched[at + 1].revents != 0 && !pair.gone) pass_down(pair);
      at += 2;
    }
    if (watched[1].revents != 0) welcome();
    pairs_.remove_if([](const Pair& pair) { return pair.gone && close(pair.client) == 0 && close(pair.server) == 0; });
  }
}

/// A server that is down is a client that is cut.
void Wire::welcome() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int on = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const int server = tcp_socket();
  const auto there = loopback(to_);
  const bool reached = connect(server, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0;
  pairs_.push_back({client, server, !reached});
}

void Wire::pass_up(Pair& pair) {
  char bytes[256 * 1024];
  const auto count = recv(pair.client, bytes, sizeof bytes, MSG_DONTWAIT);
  if (count <= 0) {
    pair.gone = true;
    return;
  }
  const std::string_view packet(bytes, static_cast<std::size_t>(count));
  std::function<void()> then;
  {
    const std::lock_guard lock(mutex_);
    if (!is_it_ || !is_it_(packet)) {
      pair.gone = !send_all(pair.server, packet);
      return;
    }
    is_it_ = {};
    then = std::exchange(then_, {});
  }
  if (cut_ == Cut::after && send_all(pair.server, packet)) {
    pollfd answer{pair.server, POLLIN, 0};
    poll(&answer, 1, answer_ms_max);
  }
  if (then) then();
  ++cuts_;
  for (auto& each : pairs_) each.gone = true;
}

void Wire::pass_down(Pair& pair) {
  char bytes[256 * 1024];
  const auto count = recv(pair.server, bytes, sizeof bytes, MSG_DONTWAIT);
  pair.gone = count <= 0 || !send_all(pair.client, {bytes, static_cast<std::size_t>(count)});
}

void Wire::close_all() {
  for (const auto& pair : pairs_) {
    close(pair.client);
    close(pair.server);
  }
  pairs_.clear();
}

}  // namespace firstcome
