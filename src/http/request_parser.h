#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "http/limits.h"
#include "http/malformed.h"
#include "http/request.h"

namespace firstcome::http {

/// Takes the bytes of a connection and gives its requests, one by one, in place.
///
/// DESIGN. Beast's parser does the grammar; what it lets through and a strict server must not (docs/decisions) is
/// refused here: two parties that read one request in two ways are how requests are smuggled. Beast sees a header only
/// when all of it is there, so that nothing moves under its views; the search for the header's end goes on where it
/// stopped, so that a header that drips costs no more than one that comes at once.
///
///   Invariant   What request() gives keeps every rule in request.h.
///   Bounds      The buffer holds one header and 8 KiB more (or what take_rest_of() brought), the body `body_bytes`.
///   Lifetime    request() is valid until next(), room() or clear().
///   Threads     one.
class RequestParser {
 public:
  enum class Outcome : std::uint8_t { need_more, complete, malformed };

  /// `buffer_bytes` is where the buffer starts; it grows as far as one request needs.
  explicit RequestParser(const Limits& limits, std::size_t buffer_bytes = 1024);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Where to read to; never empty after need_more. Then say how much came.
  std::span<char> room();
  void received(std::size_t bytes);

  /// Drops the request that was complete, and looks for the next one. After malformed it stays malformed.
  Outcome next();

  Request& request();
  Malformed malformed() const;

  /// True once per request whose client waits for "100 Continue" before it sends the body.
  bool take_wants_continue();

  /// Bytes that belong to no request that next() has completed.
  bool has_rest() const;

  /// Moves the rest of `other`, and how far it was understood, here; `other` is empty then. This one must be empty.
  void take_rest_of(RequestParser& other);

  void clear();

 private:
  struct Parts;
  Outcome head();
  Outcome body();
  Outcome refuse(Malformed kind);
  void forget_request();
  void grow(std::size_t bytes);
  void move_request(char* to, std::size_t capacity);

  const Limits& limits_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_;
  std::size_t begin_ = 0;    ///< the first byte of the present request
  std::size_t end_ = 0;      ///< behind the last byte received
  std::size_t scanned_ = 0;  ///< header: bytes from begin_ that hold no end of it; body: bytes that were taken in
  std::size_t head_bytes_ = 0;
  std::unique_ptr<Parts> parts_;
};

}  // namespace firstcome::http
