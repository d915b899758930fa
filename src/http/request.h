#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "identity/identity.h"

namespace firstcome::http {

enum class Method : std::uint8_t { get, head, post, patch, put, delete_, options, other };

using Field = HeaderField;  ///< the name as the client spelled it

/// Who is at the other end of the connection.
struct Peer {
  PeerAddress address{};
  std::uint16_t port = 0;

  std::string address_text() const;  ///< "192.0.2.7", "2001:db8::1"
};

/// One whole request that kept all the rules.
///
///   Invariant   `path` starts with '/'; every byte of target and fields is printable ASCII, space or (in values) tab.
///               No Transfer-Encoding but chunked, and the body is what is left after it was taken off.
///   Lifetime    Everything points into the connection's buffer: valid until Handler::on_request returns.
struct Request {
  Method method = Method::other;
  std::string_view method_name;
  std::string_view target;        ///< path, and what follows it
  std::string_view path;          ///< not percent-decoded: none of our paths needs it
  std::string_view query;         ///< behind the '?', or empty
  std::span<const Field> fields;  ///< in their order, with repeated ones
  std::string_view body;
  Peer peer;
  bool http_1_0 = false;
  bool keep_alive = true;

  /// The first field of that name, or nullptr.
  const Field* find(std::string_view name) const;

  /// Where two fields of a name would be two opinions (who the user is), ask this first.
  std::size_t count(std::string_view name) const;
};

}  // namespace firstcome::http
