#include "gate/fake_redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "base/assert.h"

namespace firstcome {
namespace {

struct Visitor {
  int socket;
  std::size_t number;
  std::string read;
  bool gone = false;
};

/// "*2\r\n$4\r\n..." or "$4\r\n...": the number, and where what follows begins.
std::optional<std::pair<std::size_t, std::size_t>> count_at(std::string_view text, std::size_t at, char kind) {
  const auto end = text.find("\r\n", at);
  if (end == std::string_view::npos) return {};
  MUST(text[at] == kind, "a command is a list of texts");
  return std::pair(std::stoul(std::string(text.substr(at + 1, end - at - 1))), end + 2);
}

/// Takes the first whole command out of `read`.
std::optional<std::vector<std::string>> next_command(std::string& read) {
  const auto list = count_at(read, 0, '*');
  if (!list) return {};
  std::vector<std::string> words;
  std::size_t at = list->second;
  for (std::size_t i = 0; i < list->first; ++i) {
    const auto word = count_at(read, at, '$');
    if (!word || read.size() < word->second + word->first + 2) return {};
    words.push_back(read.substr(word->second, word->first));
    at = word->second + word->first + 2;
  }
  read.erase(0, at);
  return words;
}

}  // namespace

class FakeRedis::Loop {
 public:
  Loop(Script script, bool greets) : script_(std::move(script)), greets_(greets), wake_(eventfd(0, EFD_CLOEXEC)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    MUST(bind(listener_, reinterpret_cast<sockaddr*>(&here), size) == 0 && listen(listener_, 64) == 0,
         "a test's server finds a port");
    getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size);
    port = ntohs(here.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  ~Loop() {
    stopping_ = true;
    const std::uint64_t one = 1;
    MUST(write(wake_, &one, sizeof one) == sizeof one, "an eventfd takes a one");
    thread_.join();
    for (const Visitor& visitor : visitors_) close(visitor.socket);
    close(listener_);
    close(wake_);
  }

  std::vector<FakeCommand> heard() const {
    std::lock_guard lock(mutex_);
    return heard_;
  }

  std::uint16_t port = 0;

 private:
  void run() {
    while (!stopping_) {
      std::vector<pollfd> watched{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
      for (const Visitor& visitor : visitors_) watched.push_back({visitor.socket, POLLIN, 0});
      if (poll(watched.data(), watched.size(), -1) < 0) continue;
      std::size_t at = 2;
      for (Visitor& visitor : visitors_) {
        if (watched[at++].revents != 0) serve(visitor);
      }
      visitors_.remove_if([](const Visitor& visitor) { return visitor.gone && close(visitor.socket) == 0; });
      if (watched[1].revents == 0) continue;
      if (const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); socket >= 0) {
        visitors_.push_back({socket, visitors_seen_++, {}});
      }
    }
  }

  void serve(Visitor& visitor) {
    char bytes[16 * 1024];
    const auto count = recv(visitor.socket, bytes, sizeof bytes, MSG_DONTWAIT);
    if (count > 0) visitor.read.append(bytes, static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EAGAIN)) visitor.gone = true;
    while (!visitor.gone) {
      auto words = next_command(visitor.read);
      if (!words) return;
      const FakeCommand command{std::move(*words), visitor.number};
      {
        std::lock_guard lock(mutex_);
        heard_.push_back(command);
      }
      say(visitor, reply_to(command));
    }
  }

  FakeReply reply_to(const FakeCommand& command) {
    const FakeReply greeting = greets_ ? greet(command) : FakeReply();
    return greeting.bytes.empty() ? script_(command) : greeting;
  }

  static void say(Visitor& visitor, const FakeReply& reply) {
    for (std::string_view left = reply.bytes; !left.empty();) {
      const auto count = send(visitor.socket, left.data(), left.size(), MSG_NOSIGNAL);
      if (count <= 0) break;
      left.remove_prefix(static_cast<std::size_t>(count));
    }
    if (reply.close) visitor.gone = true;
  }

  const Script script_;
  const bool greets_;
  const int wake_;
  int listener_ = -1;
  std::atomic<bool> stopping_ = false;
  std::list<Visitor> visitors_;
  std::size_t visitors_seen_ = 0;
  mutable std::mutex mutex_;
  std::vector<FakeCommand> heard_;
  std::thread thread_;
};

FakeRedis::FakeRedis(Script script, bool greets) : loop_(std::make_unique<Loop>(std::move(script), greets)) {
  port_ = loop_->port;
}
FakeRedis::~FakeRedis() = default;

FakeReply FakeRedis::greet(const FakeCommand& command) {
  if (command.name() == "PING") return {"+PONG\r\n"};
  if (command.name() == "AUTH") return {"+OK\r\n"};
  if (command.name() == "ROLE") return {"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"};
  if (command.name() == "INFO") return FakeReply::text("maxmemory_policy:noeviction\r\n");
  return command.is_own() ? FakeReply::text(command.words[4]) : FakeReply();
}

std::vector<FakeCommand> FakeRedis::heard() const { return loop_->heard(); }

std::size_t FakeRedis::count(std::string_view name) const {
  const auto all = heard();
  return static_cast<std::size_t>(std::ranges::count_if(
      all, [&](const FakeCommand& command) { return command.name() == name && !command.is_own(); }));
}

}  // namespace firstcome
