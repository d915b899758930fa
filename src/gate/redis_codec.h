#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace firstcome {

/// A reply of Redis, as RESP2 has them.
struct RedisValue {
  enum class Kind : std::uint8_t { nothing, number, text, error, list };
  Kind kind = Kind::nothing;
  std::int64_t number = 0;
  std::string text;  ///< of an error too
  std::vector<RedisValue> list;

  bool is(Kind wanted) const { return kind == wanted; }
};

/// Appends a command: counts and bytes, so that no argument can be read as anything else.
void append_command(std::string& out, std::span<const std::string_view> words);
inline void append_command(std::string& out, std::initializer_list<std::string_view> words) {
  append_command(out, std::span(words.begin(), words.size()));
}

/// Cuts what a server sends into replies.
///
///   Bounds   an unfinished reply may have `reply_bytes_max` bytes; a longer one is corrupt.
///   Fails    with corrupt; then the rest of the stream means nothing.
class RedisReader {
 public:
  static constexpr std::size_t reply_bytes_max = 4 * 1024 * 1024;  // CLUSTER SLOTS of a thousand nodes has 300 KB

  RedisReader();
  ~RedisReader();
  RedisReader(RedisReader&&) noexcept;
  RedisReader& operator=(RedisReader&&) noexcept;

  Result<void> feed(std::string_view bytes);

  /// Nothing: it is not whole yet.
  Result<std::optional<RedisValue>> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace firstcome
