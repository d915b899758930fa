#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/handler.h"
#include "standings/standings.h"

namespace firstcome::http {

/// What /readyz says.
struct Readiness {
  std::vector<std::string> reasons;  ///< why this process should get no requests now; empty when it is ready
  std::vector<Mark> standings;       ///< by partition; for /readyz?verbose
};
/// Any thread.
using AskReadiness = std::function<Readiness()>;

/// Answers /livez and /readyz; false: the path is neither.
bool answer_health(const Request& request, Exchange& exchange, const AskReadiness& ask_readiness);

/// What of the path is behind `prefix`, up to the next '/'; and what is behind that, '/' included.
struct Segment {
  std::string_view text;
  std::string_view rest;
};
std::optional<Segment> segment_behind(std::string_view path, std::string_view prefix);

inline bool is_get(const Request& request) { return request.method == Method::get || request.method == Method::head; }

/// 404 `no-route`; 405 with Allow ("GET, HEAD"); 404 `bad-campaign-id`.
void answer_no_route(Exchange& exchange);
void answer_wrong_method(Exchange& exchange, std::string_view allow);
void answer_bad_campaign_id(Exchange& exchange);

/// 400 with that type: `bad-json`, `bad-field`.
Response bad_request(std::string_view type, std::string detail);

/// GET of a campaign: with Server-Time, and an ETag made from the body; 304 where the client has it already.
Response tagged(const Request& request, std::string body, std::string server_time);

/// The parameters of a query, each of them known and there once. Values are not percent-decoded: none of ours needs it.
class Query {
 public:
  /// Fails with misconfigured and the sentence for the client.
  static Result<Query> parse(std::string_view text, std::span<const std::string_view> known);

  std::optional<std::string_view> find(std::string_view name) const;

  /// A number from `least` to `most`, or `if_absent`.
  Result<std::uint64_t> number(std::string_view name, std::uint64_t least, std::uint64_t most,
                               std::uint64_t if_absent) const;

 private:
  std::vector<std::pair<std::string_view, std::string_view>> parameters_;
};

}  // namespace firstcome::http
