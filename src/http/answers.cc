#include "http/answers.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "model/code.h"

namespace firstcome::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

const Fields about_a_user{{"Cache-Control", "no-store"}};

// Rounded up: a client that comes back after that time comes back late enough.
std::chrono::seconds in_seconds(Millis time) { return std::chrono::ceil<std::chrono::seconds>(time); }

Response json(int status, std::string body) {
  return {.status = status, .fields = about_a_user, .body = std::move(body)};
}

Response sold_out(std::uint32_t quota) {
  return Problem{.status = 409,
                 .type = "sold-out",
                 .title = "Sold out",
                 .detail = quota == 1 ? "the only place is taken" : fmt::format("all {} places are taken", quota),
                 .hint = "This is final for this quota; only if the operator raises it are there places again.",
                 .members = {{"quota", std::to_string(quota)}}}
      .response(about_a_user);
}

Response closed() {
  return Problem{.status = 410,
                 .type = "closed",
                 .title = "Closed",
                 .detail = "the campaign has ended",
                 .hint = "This is final; winners can still ask for their coupon."}
      .response(about_a_user);
}

Response not_open(const Answer& answer) {
  return Problem{.status = 403,
                 .type = "not-open",
                 .title = "Not open yet",
                 .detail = "the campaign has not begun",
                 .hint = "Ask again after opens_at; Retry-After says when to look.",
                 .members = {{"opens_at", json_time(answer.campaign->view().window.opens_at)}},
                 .retry_after = in_seconds(answer.retry_after)}
      .response(about_a_user);
}

Response paused(const Answer& answer) {
  return Problem{.status = 403,
                 .type = "paused",
                 .title = "Paused",
                 .detail = "an operator has paused the campaign",
                 .hint = "Ask again after Retry-After seconds: no place is lost or given meanwhile.",
                 .retry_after = in_seconds(answer.retry_after)}
      .response(about_a_user);
}

Response pending(const Answer& answer) {
  Response response =
      json(202, fmt::format(R"({{"campaign":{},"answer":"pending"}})", json_string(answer.campaign->id())));
  response.fields.emplace_back("Retry-After", std::to_string(in_seconds(answer.retry_after).count()));
  return response;
}

Response no_campaign() {
  return Problem{.status = 404,
                 .type = "no-campaign",
                 .title = "No such campaign",
                 .detail = "there is no campaign with this id",
                 .hint = "Check the id; an operator makes campaigns."}
      .response(about_a_user);
}

/// What users are told who did not win.
Response make(const Answer& answer) {
  switch (answer.kind) {
    case AnswerKind::sold_out:
      return sold_out(answer.quota);
    case AnswerKind::closed:
      return closed();
    case AnswerKind::not_open:
      return not_open(answer);
    case AnswerKind::paused:
      return paused(answer);
    case AnswerKind::pending:
      return pending(answer);
    case AnswerKind::no_campaign:
      return no_campaign();
    case AnswerKind::fault:
      return unavailable(in_seconds(answer.retry_after));
    case AnswerKind::won:
      break;
  }
  MUST(false, "won is rendered for one user, from the standings' record");
  return {};
}

}  // namespace

// Put together by hand: every winner's answer is made here, and fmt would take three times as long.
void render_won(const Campaign& campaign, const Winner& winner, std::uint32_t rank, std::string& body) {
  body.clear();
  const auto append = [&body](const auto&... parts) { (body.append(parts), ...); };
  append(R"({"campaign":")", campaign.id().view(), R"(","user":)", json_string(winner.user()));
  append(R"(,"answer":"won","rank":)", std::to_string(rank), R"(,"code":")");
  append_text(body, winner.code);
  append(R"(","claimed_at":")", to_rfc3339(winner.stamp), R"("})");
}

std::string json_time(const std::optional<Time>& time) { return time ? '"' + to_rfc3339(*time) + '"' : "null"; }

std::string campaign_body(const Campaign& campaign, Time now, bool for_operator) {
  const Campaign::View& view = campaign.view();
  const std::uint32_t taken = std::min(campaign.winners().size(), view.quota);
  std::string body =
      fmt::format(R"({{"campaign":"{}","name":{},"quota":{},"remaining":{},"state":"{}","opens_at":{},"closes_at":{})",
                  campaign.id().view(), json_string(campaign.name()), view.quota, view.quota - taken,
                  campaign.state(now), json_time(view.window.opens_at), json_time(view.window.closes_at));
  if (for_operator) {
    const auto& rate = campaign.opened().issue_rate;
    body += fmt::format(R"(,"id":"{}","promise":"{}","issue_rate":{},"opened_at":{})", campaign.id().view(),
                        campaign.promises_store() ? "store" : "journal", rate ? fmt::format("{}", *rate) : "null",
                        json_time(campaign.changes()[0].stamp));
  }
  return body + "}";
}

Response unavailable(std::chrono::seconds retry_after, std::string detail) {
  return Problem{.status = 503,
                 .type = "unavailable",
                 .title = "Not available now",
                 .detail = std::move(detail),
                 .hint = "Ask again after Retry-After seconds: it is safe, whatever became of this request.",
                 .retry_after = std::max(retry_after, std::chrono::seconds(1))}
      .response(about_a_user);
}

const ReadyResponse& Answers::made(const Response& response) {
  made_.assign(response);
  return made_;
}

const ReadyResponse& Answers::of_claim(const Answer& answer, Wins wins) {
  if (answer.kind == AnswerKind::won) {
    won_.status = wins == Wins::brought ? 201 : 200;
    render_won(*answer.campaign, *answer.winner, answer.rank, won_.body);
    made_.assign(won_);
    return made_;
  }
  Key key{.kind = answer.kind, .quota = answer.quota, .retry_s = in_seconds(answer.retry_after).count()};
  if (answer.kind == AnswerKind::not_open) {
    const auto opens_at = answer.campaign->view().window.opens_at;
    key.opens_at_ms = opens_at ? opens_at->time_since_epoch().count() : 0;
  }
  auto& kept = kept_[answer.campaign];
  for (const Kept& one : kept) {
    if (one.key == key) return one.response;
  }
  if (kept.size() == kept_max) kept.clear();
  return kept.emplace_back(key, ReadyResponse(make(answer))).response;
}

const ReadyResponse& Answers::of_status(const Answer& answer) {
  const auto told = [&](std::string_view rest) {
    return json(200, fmt::format(R"({{"campaign":"{}",{}}})", answer.campaign->id().view(), rest));
  };
  switch (answer.kind) {
    case AnswerKind::won:
      return of_claim(answer, Wins::known);
    case AnswerKind::sold_out:
      return made(told(fmt::format(R"("answer":"sold_out","quota":{})", answer.quota)));
    case AnswerKind::closed:
      return made(told(R"("answer":"closed")"));
    case AnswerKind::no_campaign:
    case AnswerKind::fault:
      return of_claim(answer, Wins::known);
    default:
      return made(told(R"("answer":"unknown")"));
  }
}

}  // namespace firstcome::http
