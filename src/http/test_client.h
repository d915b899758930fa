#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "http/descriptor.h"

namespace firstcome::http {

/// Waits for a condition, not for a time.
inline bool eventually(const std::function<bool()>& condition,
                       std::chrono::milliseconds longest = std::chrono::seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + longest;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// A client that can do all that a good one would not.
class TestClient {
 public:
  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    bool has(std::string_view line) const {
      return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
    }
  };

  /// A socket that is not connected yet.
  TestClient() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  explicit TestClient(std::uint16_t port) : TestClient() { connect(port); }

  void connect(std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0) << std::strerror(errno);
  }

  void receive_buffer(int bytes) { ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

  /// True if all of it could be sent within `longest`.
  bool send(std::string_view bytes, std::chrono::milliseconds longest = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + longest;
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno != EAGAIN || std::chrono::steady_clock::now() > end) {
        return false;
      } else {
        pollfd wait{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
        ::poll(&wait, 1, 10);
      }
    }
    return true;
  }

  void half_close() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.reset(); }
  void cut() {  ///< by a reset: as a client whose process died with unread bytes
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
  }

  /// The next answer; nothing at the end of the stream, after a reset, or after ten seconds.
  std::optional<Answer> read_answer(bool with_body = true) {
    while (buffer_.find("\r\n\r\n") == std::string::npos) {
      if (!fill()) return std::nullopt;
    }
    Answer answer;
    const std::size_t head_end = buffer_.find("\r\n\r\n") + 4;
    answer.head = buffer_.substr(0, head_end);
    buffer_.erase(0, head_end);
    answer.status = std::stoi(answer.head.substr(9, 3));
    const std::size_t length_at = answer.head.find("Content-Length: ");
    if (!with_body || length_at == std::string::npos) return answer;
    const std::size_t length = std::stoul(answer.head.substr(length_at + 16));
    while (buffer_.size() < length) {
      if (!fill()) return std::nullopt;
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
  }

  /// True if the server ended the connection (a reset is not an end), and sent nothing before.
  bool is_ended() {
    if (!buffer_.empty()) return false;
    return !fill() && ended_;
  }
  bool is_cut() { return !fill(); }  ///< ended or reset
  bool has_nothing_to_read() {
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return buffer_.empty() && ::poll(&wait, 1, 0) == 0;
  }

 private:
  bool fill() {
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 10'000) != 1) return false;
    char bytes[16384];
    const ssize_t got = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    ended_ = got == 0;
    if (got <= 0) return false;
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  Descriptor socket_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace firstcome::http
