#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace firstcome::http {

/// Why a request was refused before anybody looked at what it wants. Each ends its connection: after a framing error
/// nobody knows where the next request starts.
enum class Malformed : std::uint8_t {
  request_line,
  version,
  target,
  byte,
  field,
  folded_field,
  no_host,
  two_hosts,
  bad_host,
  content_length,
  two_content_lengths,
  length_and_encoding,
  transfer_encoding,
  chunk,
  expectation,
  target_too_long,
  header_too_large,
  too_many_fields,
  body_too_large,
  too_slow,
};
inline constexpr std::size_t malformed_kinds = static_cast<std::size_t>(Malformed::too_slow) + 1;

/// The word for metrics: "two_hosts".
std::string_view to_string(Malformed kind);

}  // namespace firstcome::http
