#include "rush/response.h"

#include <algorithm>
#include <charconv>

namespace firstcome::rush {
namespace {

constexpr std::size_t header_bytes_max = 8 * 1024;
constexpr std::uint64_t body_bytes_max = 64 * 1024;

char lower(char byte) { return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte; }

/// `name` is lower case.
bool is(std::string_view text, std::string_view name) {
  return text.size() == name.size() && std::ranges::equal(text, name, {}, lower);
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

bool is_token_byte(char byte) {
  return byte > ' ' && byte < '\x7f' && byte != '"' && byte != '(' && byte != ')' && byte != ',';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// "HTTP/1.1 201 Created"
bool read_status(std::string_view line, Response& into) {
  constexpr std::string_view version = "HTTP/1.1 ";
  if (!line.starts_with(version) || line.size() < version.size() + 4 || line[version.size() + 3] != ' ') return false;
  const auto status = number(line.substr(version.size(), 3));
  if (!status || *status < 200 || *status > 599) return false;  // 1xx is for a request that waits; we send none
  into.status = static_cast<int>(*status);
  return true;
}

bool read_header(std::string_view line, Response& into, std::optional<std::uint64_t>& length) {
  const auto colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  const auto name = line.substr(0, colon);
  if (!std::ranges::all_of(name, is_token_byte)) return false;  // a folded line begins with a space: refused here
  const auto value = trimmed(line.substr(colon + 1));
  // Told apart by length first: a header of ours has ten lines, and three of them matter.
  switch (name.size()) {
    case 14:
      if (!is(name, "content-length")) return true;
      if (length || !(length = number(value)) || *length > body_bytes_max) return false;
      return true;
    case 17:
      return !is(name, "transfer-encoding");
    case 11:
      if (is(name, "retry-after")) {
        const auto seconds = number(value);
        if (!seconds || *seconds > 86'400) return false;
        into.retry_after_s = static_cast<std::int64_t>(*seconds);
      }
      return true;
    case 10:
      if (is(name, "connection")) into.close = into.close || is(value, "close");
      return true;
    default:
      return true;
  }
}

}  // namespace

Parsed parse(std::string_view bytes, Response& into) {
  into = {};
  std::optional<std::uint64_t> length;
  std::size_t at = 0;
  for (bool first = true;; first = false) {
    const auto end = bytes.find('\n', at);
    if (end == std::string_view::npos) return bytes.size() > header_bytes_max ? Parsed::malformed : Parsed::more;
    if (end > header_bytes_max || end == at || bytes[end - 1] != '\r') return Parsed::malformed;
    const auto line = bytes.substr(at, end - 1 - at);
    at = end + 1;
    if (line.find('\r') != std::string_view::npos) return Parsed::malformed;
    if (first) {
      if (!read_status(line, into)) return Parsed::malformed;
    } else if (line.empty()) {
      break;
    } else if (!read_header(line, into, length)) {
      return Parsed::malformed;
    }
  }
  if (into.status == 204 || into.status == 304) {
    length = 0;
  } else if (!length) {
    return Parsed::malformed;
  }
  if (bytes.size() - at < *length) return Parsed::more;
  into.body = bytes.substr(at, *length);
  into.bytes = at + *length;
  return Parsed::whole;
}

}  // namespace firstcome::rush
