#include "gate/hand_redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/assert.h"

namespace firstcome {

Result<HandRedis> HandRedis::connect(const std::string& host) {
  const auto colon = host.rfind(':');
  MUST(colon != std::string::npos, "a server is HOST:PORT");
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(static_cast<std::uint16_t>(std::stoul(host.substr(colon + 1))));
  MUST(inet_pton(AF_INET, host.substr(0, colon).c_str(), &there.sin_addr) == 1, "a test's server is named by number");
  HandRedis hand(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(hand.socket_, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) {
    return fail(FaultKind::unavailable, host + ": " + std::strerror(errno));
  }
  return hand;
}

HandRedis::HandRedis(HandRedis&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), reader_(std::move(other.reader_)) {}

HandRedis::~HandRedis() {
  if (socket_ >= 0) close(socket_);
}

RedisValue HandRedis::command(std::span<const std::string_view> words) {
  std::string bytes;
  append_command(bytes, words);
  for (std::string_view left = bytes; !left.empty();) {
    const auto count = send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
    MUST(count > 0, "a test's server stays");
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  for (;;) {
    auto reply = reader_.next();
    MUST(reply.has_value(), "a test's server speaks Redis");
    if (*reply) return std::move(**reply);
    char buffer[16 * 1024];
    const auto count = recv(socket_, buffer, sizeof buffer, 0);
    MUST(count > 0, "a test's server stays");
    MUST(reader_.feed({buffer, static_cast<std::size_t>(count)}).has_value(), "a test's server speaks Redis");
  }
}

}  // namespace firstcome
