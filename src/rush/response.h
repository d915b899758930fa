#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace firstcome::rush {

/// One answer in a buffer. Views point into the buffer.
struct Response {
  int status = 0;
  std::string_view body;
  std::optional<std::int64_t> retry_after_s;
  bool close = false;     ///< the server will not read another request from this connection
  std::size_t bytes = 0;  ///< of the whole answer in the buffer
};

enum class Parsed : std::uint8_t { whole, more, malformed };

/// Reads what our server sends, and refuses everything else: HTTP/1.1, lines that end in CRLF, one Content-Length and
/// no transfer coding. It does the least that is still strict, since it shares the cores with the server that it
/// measures.
///
///   Bounds   a header up to 8 KiB, a body up to 64 KiB; beyond is malformed.
Parsed parse(std::string_view bytes, Response& into);

}  // namespace firstcome::rush
