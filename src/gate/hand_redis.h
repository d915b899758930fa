#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "gate/redis_codec.h"

namespace firstcome {

/// A hand on a real server, for tests and measurements: one command at a time, blocking.
class HandRedis {
 public:
  /// HOST:PORT with a numeric host. Fails when nothing listens there.
  static Result<HandRedis> connect(const std::string& host);
  ~HandRedis();
  HandRedis(HandRedis&& other) noexcept;
  HandRedis& operator=(HandRedis&&) = delete;

  /// An error reply is a value too. Aborts when the server is gone: a test's server stays.
  RedisValue command(std::span<const std::string_view> words);
  RedisValue command(std::initializer_list<std::string_view> words) {
    return command(std::span(words.begin(), words.size()));
  }

 private:
  explicit HandRedis(int socket) : socket_(socket) {}
  int socket_;
  RedisReader reader_;
};

}  // namespace firstcome
