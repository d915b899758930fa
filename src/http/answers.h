#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "desk/answer.h"
#include "http/problem.h"
#include "http/response.h"
#include "standings/campaign.h"

namespace firstcome::http {

/// Puts into `body` the body of `won`, always from the standings' record: the same bytes for ever, on every node.
void render_won(const Campaign& campaign, const Winner& winner, std::uint32_t rank, std::string& body);

/// The object of GET /v1/campaigns/{id}; operators see more of it.
std::string campaign_body(const Campaign& campaign, Time now, bool for_operator);

/// "2026-...Z" with quotes, or null.
std::string json_time(const std::optional<Time>& time);

enum class Wins : std::uint8_t {
  known,    ///< 200: the standings knew
  brought,  ///< 201: this request's wait brought it
};

/// Turns the desk's answers into responses. What names no user is made once per campaign and kept: refusing a claim
/// is then one look-up and one copy.
///
///   Bounds    at most `kept_max` responses a campaign.
///   Lifetime  a response is valid until the next call.
///   Threads   one.
class Answers {
 public:
  const ReadyResponse& of_claim(const Answer& answer, Wins wins);
  const ReadyResponse& of_status(const Answer& answer);

 private:
  static constexpr std::size_t kept_max = 32;
  /// All that such a body can depend on, besides the campaign.
  struct Key {
    AnswerKind kind = AnswerKind::fault;
    std::uint32_t quota = 0;
    std::int64_t retry_s = 0;
    std::int64_t opens_at_ms = 0;
    bool operator==(const Key&) const = default;
  };
  struct Kept {
    Key key;
    ReadyResponse response;
  };
  const ReadyResponse& made(const Response& response);

  std::unordered_map<const Campaign*, std::vector<Kept>> kept_;
  Response won_{.fields = {{"Cache-Control", "no-store"}}};
  ReadyResponse made_;
};

/// 503, with Retry-After: the server cannot decide now.
Response unavailable(std::chrono::seconds retry_after, std::string detail = "The server cannot decide this now.");

}  // namespace firstcome::http
