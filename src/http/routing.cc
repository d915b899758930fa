#include "http/routing.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "base/hex.h"
#include "base/nearest.h"
#include "http/problem.h"

namespace firstcome::http {
namespace {

// Ready made: whoever tries paths at random is refused as cheaply as anybody.
ReadyResponse ready(const Problem& problem) { return ReadyResponse(problem.response()); }

bool has_tag(const Request& request, std::string_view tag) {
  for (const Field& field : request.fields) {
    if (!same_name(field.name, "If-None-Match")) continue;
    // RFC 9110, 13.1.2: a list, compared weakly. Our tags hold no comma.
    std::string_view left = field.value;
    while (!left.empty()) {
      const std::size_t comma = std::min(left.find(','), left.size());
      std::string_view one = left.substr(0, comma);
      left.remove_prefix(std::min(comma + 1, left.size()));
      while (one.starts_with(' ') || one.starts_with('\t')) one.remove_prefix(1);
      while (one.ends_with(' ') || one.ends_with('\t')) one.remove_suffix(1);
      if (one.starts_with("W/")) one.remove_prefix(2);
      if (one == tag || one == "*") return true;
    }
  }
  return false;
}

/// ,"standings":[{"partition":0,"position":12,"chains":"..."}]: of partitions with entries.
std::string standings_member(const std::vector<Mark>& standings) {
  std::string member = R"(,"standings":[)";
  for (std::size_t partition = 0; partition < standings.size(); ++partition) {
    const Mark& mark = standings[partition];
    if (mark.position == 0) continue;
    fmt::format_to(std::back_inserter(member), R"({}{{"partition":{},"position":{},"chains":"{}"}})",
                   member.ends_with('[') ? "" : ",", partition, mark.position, hex(mark.chains));
  }
  return member + "]";
}

}  // namespace

bool answer_health(const Request& request, Exchange& exchange, const AskReadiness& ask_readiness) {
  const bool live = request.path == "/livez";
  if (!live && request.path != "/readyz") return false;
  if (!is_get(request)) {
    answer_wrong_method(exchange, "GET, HEAD");
    return true;
  }
  const Readiness readiness = live ? Readiness{} : ask_readiness();
  const bool fine = readiness.reasons.empty();
  std::string body = live ? R"({"live":true)" : fine ? R"({"ready":true)" : R"({"ready":false,"reasons":[)";
  for (const auto& reason : readiness.reasons) body += (body.ends_with('[') ? "" : ",") + json_string(reason);
  if (!fine) body += "]";
  if (request.query == "verbose") body += standings_member(readiness.standings);
  body += "}";
  exchange.answer(Response{.status = fine ? 200 : 503, .fields = {{"Cache-Control", "no-store"}}, .body = body});
  return true;
}

std::optional<Segment> segment_behind(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return {};
  path.remove_prefix(prefix.size());
  const std::size_t slash = std::min(path.find('/'), path.size());
  return Segment{path.substr(0, slash), path.substr(slash)};
}

void answer_no_route(Exchange& exchange) {
  static const ReadyResponse response =
      ready({.status = 404,
             .type = "no-route",
             .title = "No such path",
             .detail = "this listener has no such path",
             .hint = "The paths are in docs/api.md; operators' paths are on the admin listener."});
  exchange.answer(response);
}

void answer_wrong_method(Exchange& exchange, std::string_view allow) {
  exchange.answer(Problem{.status = 405,
                          .type = "wrong-method",
                          .title = "Wrong method",
                          .detail = "this path does not have that method",
                          .hint = fmt::format("It has {}.", allow)}
                      .response({{"Allow", std::string(allow)}}));
}

void answer_bad_campaign_id(Exchange& exchange) {
  static const ReadyResponse response = ready({.status = 404,
                                               .type = "bad-campaign-id",
                                               .title = "Not a campaign's id",
                                               .detail = "a campaign's id is 1 to 63 of a-z, 0-9 and -",
                                               .hint = "Check the path."});
  exchange.answer(response);
}

Response bad_request(std::string_view type, std::string detail) {
  return Problem{.status = 400,
                 .type = std::string(type),
                 .title = type == "bad-json" ? "The body is not a JSON object" : "A field is wrong",
                 .detail = std::move(detail),
                 .hint = "Mend the request; docs/api.md shows what it may hold. Nothing was changed."}
      .response();
}

Response tagged(const Request& request, std::string body, std::string server_time) {
  std::string tag = fmt::format("\"{:016x}\"", XXH3_64bits(body.data(), body.size()));
  const bool has_it = has_tag(request, tag);
  Response response{.status = has_it ? 304 : 200,
                    .fields = {{"ETag", std::move(tag)},
                               {"Cache-Control", "no-cache"},  // to be kept, but asked about each time
                               {"Server-Time", std::move(server_time)}},
                    .body = {}};
  if (!has_it) response.body = std::move(body);
  return response;
}

Result<Query> Query::parse(std::string_view text, std::span<const std::string_view> known) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    const std::size_t equals = std::min(one.find('='), one.size());
    const std::string_view name = one.substr(0, equals);
    if (std::ranges::find(known, name) == known.end()) {
      return fail(FaultKind::misconfigured, fmt::format("unknown parameter {}{}", name, did_you_mean(name, known)));
    }
    if (query.find(name)) return fail(FaultKind::misconfigured, fmt::format("{} is there twice", name));
    query.parameters_.emplace_back(name, one.substr(std::min(equals + 1, one.size())));
  }
  return query;
}

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const auto& [known, value] : parameters_) {
    if (known == name) return value;
  }
  return {};
}

Result<std::uint64_t> Query::number(std::string_view name, std::uint64_t least, std::uint64_t most,
                                    std::uint64_t if_absent) const {
  const auto text = find(name);
  if (!text) return if_absent;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (text->empty() || error != std::errc() || end != text->data() + text->size() || value < least || value > most) {
    return fail(FaultKind::misconfigured, fmt::format("{} must be a whole number from {} to {}", name, least, most));
  }
  return value;
}

}  // namespace firstcome::http
