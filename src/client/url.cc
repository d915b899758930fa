#include "client/url.h"

#include <algorithm>
#include <charconv>

namespace firstcome::client {
namespace {

std::unexpected<Fault> no_url(std::string_view text, std::string_view why) {
  return fail(FaultKind::misconfigured, "\"" + std::string(text) + "\" is no URL that firstcome speaks: " +
                                            std::string(why) + "; write it as http://127.0.0.1:8080");
}

bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

bool is_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_ipv6_byte(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.' || c == '%';
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  if (text.starts_with("https://")) return no_url(text, "TLS is for the proxy in front");
  constexpr std::string_view scheme = "http://";
  if (!text.starts_with(scheme)) return no_url(text, "it does not begin with http://");
  if (!std::ranges::all_of(text, is_visible))
    return no_url(text, "it has a space or a byte that is not printable ASCII");
  if (text.find('#') != std::string_view::npos) return no_url(text, "a fragment never reaches a server");

  std::string_view rest = text.substr(scheme.size());
  const auto target_at = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, target_at);
  if (authority.find('@') != std::string_view::npos) return no_url(text, "it has a user name in front of the host");

  Url url;
  if (target_at < rest.size()) url.target = rest.substr(target_at);
  if (url.target.front() == '?') url.target.insert(0, "/");

  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return no_url(text, "the bracket of its IPv6 address is not closed");
    url.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (!std::ranges::all_of(url.host, is_ipv6_byte)) return no_url(text, "what is in brackets is no IPv6 address");
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    port = authority.substr(colon);
    if (!std::ranges::all_of(url.host, is_host_byte)) return no_url(text, "its host is no name and no address");
  }
  if (url.host.empty()) return no_url(text, "it names no host");
  if (port.empty()) return url;

  if (port.front() != ':') return no_url(text, "there is something between the host and its port");
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (error != std::errc() || end != port.data() + port.size() || url.port == 0)
    return no_url(text, "its port is no number from 1 to 65535");
  return url;
}

std::string Url::authority() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Url Url::with(std::string_view path) const {
  Url other = *this;
  const auto query = std::min(target.find('?'), target.size());
  other.target = target.substr(0, query);
  if (other.target.ends_with('/') && path.starts_with('/')) other.target.pop_back();
  other.target += path;
  return other;
}

}  // namespace firstcome::client
