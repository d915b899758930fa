#pragma once

#include <cstddef>

#include "base/clock.h"
#include "base/limits.h"

namespace firstcome::http {

/// What one listener allows. The defaults are those of the settings.
struct Limits {
  std::size_t target_bytes = limits::target_bytes_max;          ///< beyond: 414
  std::size_t header_bytes = limits::header_bytes_max_default;  ///< request line and fields; beyond: 431
  std::size_t body_bytes = limits::body_bytes_max_default;      ///< beyond: 413
  std::size_t connections =
      limits::connections_max_default;  ///< per loop and listener; beyond: closed at once, counted
  std::size_t unread_answer_bytes = limits::unread_answer_bytes_max;  ///< beyond: no more is read from that client
  Millis header_ms = limits::header_ms_max_default;  ///< from the first byte of a request to its last: 408
  Millis idle_ms = limits::idle_ms_max_default;
  Millis write_ms = limits::write_ms_max_default;  ///< without the client taking a byte
  Millis linger_ms = Millis{2000};                 ///< after an error: how long we swallow what the client still sends

  static constexpr std::size_t fields_max = 64;              ///< beyond: 431
  static constexpr std::size_t chunk_line_bytes_max = 4096;  ///< one chunk header with extensions, or all trailers
  static constexpr std::size_t linger_bytes_max = 1024 * 1024;
};

}  // namespace firstcome::http
