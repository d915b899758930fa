#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace firstcome::client {

struct Header {
  std::string name;
  std::string value;
};

struct Response {
  int status = 0;
  std::vector<Header> headers;
  std::string body;

  /// The first header of that name, whatever its case; nothing when there is none.
  const std::string* header(std::string_view name) const;
};

/// A client that waits: one request at a time, over connections that it keeps and uses again.
///
///   Threads   one at a time; every call blocks until the answer is there or its time is over. A host's name is looked
///             up by the system (getaddrinfo) first, when there is no kept connection: that takes its own time, which
///             no `wait_max` bounds; an address in numbers takes none.
///   Bounds    One kept connection per server; a header up to 64 KiB; a body up to `body_bytes_max`.
///   Fails     unavailable: nothing listens there, or the connection was cut; the sentence says what to start.
///             timed_out: no whole answer in time: it may have been done, or not.
///             corrupt: the answer is not HTTP. misconfigured: the URL or the method is wrong.
///             An answer of 4xx or 5xx is a response, not a fault.
///   Repeats   A request on a kept connection that the server had closed meanwhile is sent once more on a new one. So a
///             request may arrive twice, which every request of firstcome bears.
class Client {
 public:
  static constexpr std::size_t body_bytes_max = 64 * 1024 * 1024;

  Client();
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  Result<Response> request(std::string_view method, std::string_view url, const std::vector<Header>& headers = {},
                           std::string_view body = {}, Millis wait_max = Millis{10'000});

  /// Each line of the body, without its end, as it arrives; for bodies that are longer than memory (coupons). Lines are
  /// given only of an answer below 300; the body of any other is in the response, as with request(). False from
  /// `on_line` ends it early, which is no fault. `wait_max` is for each step, not for the whole.
  Result<Response> lines(std::string_view method, std::string_view url, const std::vector<Header>& headers,
                         const std::function<bool(std::string_view line)>& on_line, Millis wait_max = Millis{10'000});

 private:
  class Exchange;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace firstcome::client
