#include "http/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace firstcome::http {
namespace {

struct Refusal {
  std::string_view word;  ///< in metrics
  int status;
  std::string_view type;
  std::string_view title;
  std::string_view detail;
  std::string_view hint;
};

constexpr std::string_view malformed_title = "The request is not well-formed HTTP";

// In the order of Malformed.
constexpr std::array<Refusal, malformed_kinds> refusals{{
    {"request_line", 400, "malformed-request", malformed_title, "The request line cannot be read.",
     "Send METHOD SP TARGET SP HTTP/1.1 CRLF."},
    {"version", 505, "version-not-supported", "This HTTP version is not spoken here",
     "Only HTTP/1.1 and HTTP/1.0 are spoken here.", "Send HTTP/1.1."},
    {"target", 400, "malformed-request", malformed_title,
     "The request target is not a path: absolute-form, authority-form and fragments are refused.",
     "Start the target with '/', and name the host in the Host field."},
    {"byte", 400, "malformed-request", malformed_title,
     "The header holds a byte that is not printable ASCII, or a line that does not end with CRLF.",
     "Percent-encode such bytes in the target; leave them out of fields."},
    {"field", 400, "malformed-request", malformed_title, "A header field cannot be read.",
     "Send NAME: VALUE CRLF, with no space before the colon."},
    {"folded_field", 400, "malformed-request", malformed_title, "A header field goes on in a second line.",
     "Send each field in one line."},
    {"no_host", 400, "malformed-request", malformed_title, "The Host field is missing.",
     "Send exactly one Host field."},
    {"two_hosts", 400, "malformed-request", malformed_title, "There is more than one Host field.",
     "Send exactly one Host field."},
    {"bad_host", 400, "malformed-request", malformed_title, "The Host field does not name a host.",
     "Send Host: NAME or Host: NAME:PORT."},
    {"content_length", 400, "malformed-request", malformed_title, "The Content-Length is not a decimal number.",
     "Send one Content-Length of digits only."},
    {"two_content_lengths", 400, "malformed-request", malformed_title, "There is more than one Content-Length.",
     "Send one Content-Length."},
    {"length_and_encoding", 400, "malformed-request", malformed_title,
     "There are both Content-Length and Transfer-Encoding.", "Send one of the two."},
    {"transfer_encoding", 400, "malformed-request", malformed_title,
     "The Transfer-Encoding is not exactly \"chunked\", or the client speaks HTTP/1.0.",
     "Send Transfer-Encoding: chunked once, or a Content-Length."},
    {"chunk", 400, "malformed-request", malformed_title, "A chunk of the body cannot be read.",
     "Send chunks as RFC 9112, 7.1 says, or a Content-Length."},
    {"expectation", 417, "expectation-failed", "The expectation cannot be met", "Only Expect: 100-continue is known.",
     "Leave the Expect field out."},
    {"target_too_long", 414, "target-too-long", "The request target is too long",
     "The request target is longer than this server reads.", "No address of this service is that long."},
    {"header_too_large", 431, "header-too-large", "The header is too large",
     "The request line and the header fields together are larger than this server reads.",
     "Send fewer or shorter fields; the operator can raise header_bytes_max."},
    {"too_many_fields", 431, "header-too-large", "The header is too large",
     "There are more header fields than this server reads.", "Send fewer fields."},
    {"body_too_large", 413, "body-too-large", "The body is too large", "The body is larger than this server reads.",
     "Send a shorter body; the operator can raise body_bytes_max."},
    {"too_slow", 408, "request-too-slow", "The request took too long",
     "The request was not complete in the time that a client has for it.", "Send the request again, in one go."},
}};

}  // namespace

std::string_view to_string(Malformed kind) { return refusals[static_cast<std::size_t>(kind)].word; }

std::string json_string(std::string_view text) {
  // Nearly always there is nothing to escape, and then nlohmann's costs four times as much.
  const bool plain = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (plain) return '"' + std::string(text) + '"';
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Response Problem::response(std::vector<std::pair<std::string, std::string>> fields) const {
  Response response{.status = status,
                    .content_type = "application/problem+json",
                    .fields = std::move(fields),
                    .body = fmt::format(R"({{"type":{},"title":{},"status":{},"detail":{},"hint":{})",
                                        json_string("/problems/" + type), json_string(title), status,
                                        json_string(detail), json_string(hint))};
  for (const auto& [name, value] : members) response.body += fmt::format(",{}:{}", json_string(name), value);
  response.body += "}";
  if (retry_after) response.fields.emplace_back("Retry-After", std::to_string(retry_after->count()));
  return response;
}

const ReadyResponse& problem_of(Malformed kind) {
  static const auto ready = [] {
    std::array<ReadyResponse, malformed_kinds> all;
    for (std::size_t i = 0; i < malformed_kinds; ++i) {
      const Refusal& refusal = refusals[i];
      all[i] = ReadyResponse(Problem{
          .status = refusal.status,
          .type = std::string(refusal.type),
          .title = std::string(refusal.title),
          .detail = std::string(refusal.detail),
          .hint = std::string(refusal.hint),
          .members = {},
          .retry_after = {}}.response());
    }
    return all;
  }();
  return ready[static_cast<std::size_t>(kind)];
}

}  // namespace firstcome::http
