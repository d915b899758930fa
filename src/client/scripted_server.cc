#include "client/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <list>
#include <optional>
#include <thread>
#include <vector>

#include "base/assert.h"

namespace firstcome::client {
namespace {

using Steady = std::chrono::steady_clock;

struct Visitor {
  int socket;
  std::size_t number;
  std::string read;
  std::optional<std::pair<Steady::time_point, Reply>> due;  // one request at a time: the next waits for this reply
  bool gone = false;
};

std::size_t body_bytes_of(const Heard& heard) {
  const auto text = heard.header("Content-Length");
  return text.empty() ? 0 : std::stoul(text);
}

/// Takes the first whole request out of `read`.
std::optional<Heard> next_request(std::string& read) {
  const auto end = read.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  Heard heard;
  heard.head = read.substr(0, end + 4);
  const std::size_t whole = heard.head.size() + body_bytes_of(heard);
  if (read.size() < whole) return {};
  heard.body = read.substr(heard.head.size(), whole - heard.head.size());
  const auto space = heard.head.find(' ');
  heard.method = heard.head.substr(0, space);
  heard.target = heard.head.substr(space + 1, heard.head.find(' ', space + 1) - space - 1);
  read.erase(0, whole);
  return heard;
}

}  // namespace

std::string Heard::header(std::string_view name) const {
  for (auto at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at + 2)) {
    const char* line = head.c_str() + at + 2;
    if (strncasecmp(line, name.data(), name.size()) != 0 || line[name.size()] != ':') continue;
    const auto from = head.find_first_not_of(' ', at + 2 + name.size() + 1);
    return head.substr(from, head.find("\r\n", from) - from);
  }
  return {};
}

Reply Reply::json(int status, std::string_view body, std::string_view more_headers) {
  return {.bytes = "HTTP/1.1 " + std::to_string(status) +
                   " Said\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n" + std::string(more_headers) + "\r\n" + std::string(body)};
}

class ScriptedServer::Loop {
 public:
  Loop(Script script, std::uint16_t port) : script_(std::move(script)), wake_(eventfd(0, EFD_CLOEXEC)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(port);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    MUST(bind(listener_, reinterpret_cast<sockaddr*>(&here), size) == 0 && listen(listener_, 1024) == 0,
         "a test's server finds its port free");
    getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size);
    port_ = ntohs(here.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  ~Loop() {
    stopping_ = true;
    const std::uint64_t one = 1;
    MUST(write(wake_, &one, sizeof one) == sizeof one, "an eventfd takes a one");
    thread_.join();
    for (auto& visitor : visitors_) close(visitor.socket);
    if (listener_ >= 0) close(listener_);
    close(wake_);
  }

  std::uint16_t port() const { return port_; }

 private:
  void run() {
    while (!stopping_) {
      std::vector<pollfd> watched{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
      for (auto& visitor : visitors_) watched.push_back({visitor.socket, POLLIN, 0});
      if (poll(watched.data(), watched.size(), wait_ms()) < 0) continue;
      std::size_t at = 2;
      for (auto& visitor : visitors_)
        if (watched[at++].revents != 0) hear(visitor);
      if (listener_ >= 0 && watched[1].revents != 0) welcome();
      for (auto& visitor : visitors_) serve(visitor);
      visitors_.remove_if([](const Visitor& visitor) { return visitor.gone && close(visitor.socket) == 0; });
    }
  }

  int wait_ms() const {
    int wait = -1;
    for (const auto& visitor : visitors_) {
      if (!visitor.due) continue;
      const auto left = std::chrono::ceil<Millis>(visitor.due->first - Steady::now()).count();
      const int ms = static_cast<int>(std::max<Millis::rep>(left, 0));
      wait = wait < 0 ? ms : std::min(wait, ms);
    }
    return wait;
  }

  void welcome() {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) visitors_.push_back({socket, visitors_seen_++, {}, {}});
  }

  static void hear(Visitor& visitor) {
    char bytes[16 * 1024];
    const auto count = recv(visitor.socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count > 0) visitor.read.append(bytes, static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EAGAIN)) visitor.gone = true;
  }

  void serve(Visitor& visitor) {
    while (!visitor.gone) {
      if (!visitor.due) {
        auto heard = next_request(visitor.read);
        if (!heard) return;
        heard->nth = requests_seen_++;
        heard->connection = visitor.number;
        Reply reply = script_(*heard);
        const auto when = Steady::now() + reply.after;
        visitor.due.emplace(when, std::move(reply));
      }
      if (visitor.due->first > Steady::now()) return;
      Reply& reply = visitor.due->second;
      if (reply.drip > Millis(0) && reply.bytes.size() > 1) {
        say(visitor, {.bytes = reply.bytes.substr(0, 1)});
        reply.bytes.erase(0, 1);
        visitor.due->first += reply.drip;
        continue;
      }
      say(visitor, reply);
      visitor.due.reset();
    }
  }

  void say(Visitor& visitor, const Reply& reply) {
    std::string_view left = reply.bytes;
    while (!left.empty()) {
      const auto count = send(visitor.socket, left.data(), left.size(), MSG_NOSIGNAL);
      if (count <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(count));
    }
    if (reply.close) visitor.gone = true;
    if (reply.stop_listening && listener_ >= 0) {
      close(listener_);
      listener_ = -1;  // poll() passes over it
    }
  }

  const Script script_;
  const int wake_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::list<Visitor> visitors_;
  std::size_t visitors_seen_ = 0;
  std::size_t requests_seen_ = 0;
  std::thread thread_;
};

ScriptedServer::ScriptedServer(Script script, std::uint16_t port)
    : loop_(std::make_unique<Loop>(std::move(script), port)) {
  port_ = loop_->port();
}

ScriptedServer::~ScriptedServer() = default;

}  // namespace firstcome::client
