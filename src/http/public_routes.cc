#include "http/public_routes.h"

#include "http/answers.h"
#include "http/problem.h"
#include "model/names.h"

namespace firstcome::http {
namespace {

ClaimNumber number_of(ExchangeId id) { return ClaimNumber{id.slot} << 32 | id.serial; }
ExchangeId exchange_of(ClaimNumber number) {
  return {.slot = static_cast<std::uint32_t>(number >> 32), .serial = static_cast<std::uint32_t>(number)};
}

Response no_identity(const IdentityRefusal& refusal, const Peer& peer) {
  return Problem{
      .status = 401,
      .type = "no-identity",
      .title = "Nobody is named",
      .detail = refusal.detail,
      .hint = "Who asks is said by a proxy that the operator trusts, in one header field; this request came from " +
              peer.address_text() + "."}
      .response({{"Cache-Control", "no-store"}});
}

}  // namespace

struct PublicRoutes::Impl {
  Ports ports;
  Answers answers;

  void claim(const Request& request, Exchange& exchange, std::string_view campaign, std::string_view user);
  void campaign(const Request& request, Exchange& exchange, std::string_view id);
};

PublicRoutes::PublicRoutes(Ports ports) : impl_(std::make_unique<Impl>(std::move(ports))) {}
PublicRoutes::~PublicRoutes() = default;

void PublicRoutes::on_request(const Request& request, Exchange& exchange) {
  const auto segment = segment_behind(request.path, "/v1/campaigns/");
  if (!segment || segment->text.empty()) {
    if (!answer_health(request, exchange, impl_->ports.readiness)) answer_no_route(exchange);
    return;
  }
  const bool is_claim = segment->rest == "/claims";
  const bool is_mine = segment->rest == "/claims/me";
  if (!is_claim && !is_mine && !segment->rest.empty()) return answer_no_route(exchange);
  if (is_claim ? request.method != Method::post : !is_get(request)) {
    return answer_wrong_method(exchange, is_claim ? "POST" : "GET, HEAD");
  }
  if (!is_campaign_id(segment->text)) return answer_bad_campaign_id(exchange);
  if (segment->rest.empty()) return impl_->campaign(request, exchange, segment->text);

  const auto user = impl_->ports.identity.user_of(request.peer.address, request.fields);
  if (!user) {
    impl_->ports.loop.counters().unnamed.add();
    return exchange.answer(no_identity(user.error(), request.peer));
  }
  if (is_claim) return impl_->claim(request, exchange, segment->text, *user);
  exchange.answer(impl_->answers.of_status(impl_->ports.desk.status(segment->text, *user)));
}

void PublicRoutes::Impl::claim(const Request&, Exchange& exchange, std::string_view id, std::string_view user) {
  if (const auto answer = ports.desk.claim(id, user, number_of(exchange.id()))) {
    exchange.answer(answers.of_claim(*answer, Wins::known));
  } else {
    exchange.wait();
  }
}

void PublicRoutes::Impl::campaign(const Request& request, Exchange& exchange, std::string_view id) {
  const Campaign* const campaign = ports.standings.find(id);
  if (!campaign) {
    // A node that has not read its journal to the end does not know what there is not.
    const auto kind = ports.desk.is_fresh() ? AnswerKind::no_campaign : AnswerKind::fault;
    return exchange.answer(answers.of_claim(Answer{.kind = kind, .retry_after = Millis{1000}}, Wins::known));
  }
  const Time now = ports.clock.now();
  exchange.answer(tagged(request, campaign_body(*campaign, now, false), to_rfc3339(now)));
}

void PublicRoutes::on_left(ExchangeId id) { impl_->ports.desk.leave(number_of(id)); }

void PublicRoutes::deliver(ClaimNumber number, const Answer& answer) {
  impl_->ports.loop.answer(exchange_of(number), impl_->answers.of_claim(answer, Wins::brought));
}

}  // namespace firstcome::http
