#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace firstcome::verify {

/// One attempt of one user, as the user's side saw it. Times are microseconds since the epoch by one clock, whose
/// readings never go back: the order check compares them.
struct Attempt {
  std::string campaign;
  std::string user;
  std::int64_t call_us = 0;               ///< just before the first byte was sent
  std::optional<std::int64_t> return_us;  ///< after the last byte of the answer; none when the attempt was cut
  int status = 0;                         ///< HTTP status; 0 when cut
  std::string answer;                     ///< won, pending, sold_out, not_open, closed, paused, fault, refused, cut
  std::uint32_t rank = 0;                 ///< of a `won`
  std::string code;                       ///< of a `won`
  std::uint32_t quota = 0;                ///< of a `sold_out`

  bool operator==(const Attempt&) const = default;
};

/// Writes attempts as JSON lines, in any order, buffered; flush() or the destructor ends it.
///
///   Threads   one at a time.
///   Fails     unavailable, when the disk does not take it. A history with holes proves nothing: stop then.
class HistoryWriter {
 public:
  static Result<HistoryWriter> create(const std::string& path);
  Result<void> add(const Attempt& attempt);
  Result<void> flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  HistoryWriter(std::string path, std::unique_ptr<std::FILE, Close> file)
      : path_(std::move(path)), file_(std::move(file)) {}
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::string line_;  // its storage is used again
};

/// Reads a whole history. A last line without its end is a cut one and is left out; any other line that is no attempt
/// is a fault (misconfigured) that names file and line.
Result<std::vector<Attempt>> read_history(const std::string& path);

}  // namespace firstcome::verify
