#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace firstcome::client {

/// http://HOST[:PORT][/TARGET], the only form that we speak. IPv6 hosts stand in brackets, as RFC 3986 says.
struct Url {
  std::string host;  ///< without brackets
  std::uint16_t port = 80;
  std::string target = "/";  ///< path and query, as they are sent

  /// Fails with misconfigured and a sentence that shows the form.
  static Result<Url> parse(std::string_view text);

  /// What a Host header names: "127.0.0.1:8080", "[::1]:8080".
  std::string authority() const;

  /// The same server with another target: "/v1/campaigns" behind "http://a:1/" is "http://a:1/v1/campaigns".
  Url with(std::string_view path) const;

  std::string text() const { return "http://" + authority() + target; }
};

}  // namespace firstcome::client
