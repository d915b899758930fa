#include "http/admin_routes.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <deque>

#include "base/limits.h"
#include "base/log.h"
#include "base/sha256.h"
#include "http/answers.h"
#include "http/coupon_page.h"
#include "http/json_input.h"
#include "http/problem.h"
#include "model/names.h"

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t page_rows_max = 1000;
constexpr std::size_t page_rows = 100;

Response json(int status, std::string body) {
  return {.status = status, .fields = {{"Cache-Control", "no-store"}}, .body = std::move(body)};
}

Response no_campaign() {
  return Problem{.status = 404,
                 .type = "no-campaign",
                 .title = "No such campaign",
                 .detail = "there is no campaign with this id",
                 .hint = "GET /v1/campaigns shows those that there are."}
      .response();
}

Response conflict(std::string_view type, std::string_view title, std::string detail, std::string hint) {
  return Problem{.status = 409,
                 .type = std::string(type),
                 .title = std::string(title),
                 .detail = std::move(detail),
                 .hint = std::move(hint)}
      .response();
}

Response unauthorized(bool has_one) {
  return Problem{.status = 401,
                 .type = has_one ? "wrong-token" : "no-token",
                 .title = "The token is missing or wrong",
                 .detail = has_one ? "this is not the token of this server" : "the admin listener wants a token",
                 .hint = "Send one field Authorization: Bearer TOKEN, with the token of --admin-token-file."}
      .response({{"WWW-Authenticate", "Bearer"}});
}

Response foreign_host() {
  return Problem{.status = 403,
                 .type = "foreign-host",
                 .title = "For another host",
                 .detail = "this server has no token, and was asked by a name that may be anybody's",
                 .hint = "Ask localhost, 127.0.0.1 or [::1], or start the server with --admin-token-file."}
      .response();
}

Response foreign_origin() {
  return Problem{.status = 403,
                 .type = "foreign-origin",
                 .title = "From another web page",
                 .detail = "a browser sent this for a page of another origin, and this server has no token",
                 .hint = "Use the command line, or start the server with --admin-token-file."}
      .response();
}

/// The host that the request is for, without its port, and an IPv6 address without its brackets.
std::string host_of(const Request& request) {
  const Field* const field = request.find("Host");
  std::string_view host = field ? field->value : "";
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return std::string(host);
}

/// Names that lead to this machine whatever a name server says. By any other one a web page may have had its own name
/// pointed here (DNS rebinding): then it is of the same origin for the browser.
bool is_loopback(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return same_name(host, "localhost");
}

/// Where there is no token, a web page that the operator's browser shows must not be able to act: browsers say where
/// such a request comes from.
bool is_from_another_page(const Request& request) {
  const Field* const origin = request.find("Origin");
  const Field* const host = request.find("Host");
  return origin && (!host || origin->value != "http://" + std::string(host->value));
}

std::optional<Time> time_of(JsonInput& body, std::string_view name) {
  const auto text = body.text(name);
  if (!text) return {};
  const auto time = parse_rfc3339(*text);
  if (time) return *time;
  body.refuse(fmt::format("{}: {}", name, time.error().what));
  return {};
}

Opened opened_of(JsonInput& body) {
  Opened opened;
  const auto id = body.text("id");
  if (id && !is_campaign_id(*id)) body.refuse("id must be 1 to 63 of a-z, 0-9 and -");
  const auto quota = body.whole("quota");
  opened.name = body.text("name");
  opened.opens_at = time_of(body, "opens_at");
  opened.closes_at = time_of(body, "closes_at");
  opened.issue_rate = body.number("issue_rate");
  if (const auto promise = body.text("promise")) {
    if (*promise != "journal" && *promise != "store") body.refuse("promise must be \"journal\" or \"store\"");
    opened.promise = *promise == "store" ? Promise::store : Promise::journal;
  }
  if (!id) body.refuse("id is missing");
  if (!quota) body.refuse("quota is missing");
  if (body.refusal()) return {};
  opened.campaign = *id;
  opened.quota = *quota;
  return opened;
}

CampaignPatch patch_of(JsonInput& body) {
  CampaignPatch patch{.quota = body.whole("quota"),
                      .closes_at = time_of(body, "closes_at"),
                      .paused = body.truth("paused"),
                      .closed = body.truth("closed").value_or(false)};
  body.refuse_nulls();
  if (patch.quota == 0U) body.refuse("quota must be at least 1");
  if (body.has("closed") && !patch.closed) body.refuse("closed can only become true: a campaign is closed for ever");
  if (!patch.quota && !patch.closes_at && !patch.paused && !patch.closed) {
    body.refuse("nothing is to be changed: give quota, closes_at, paused or closed");
  }
  return patch;
}

}  // namespace

struct AdminRoutes::Impl {
  Ports ports;
  Sha256Sum token_sum = sum_of(ports.token);
  struct Asked {
    ExchangeId id;
    Uptime until;
  };
  std::deque<Asked> asked;  ///< of the store and not answered, in their order

  Sha256Sum sum_of(std::string_view text) {
    return sha256({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }

  bool is_allowed(const Request& request, Exchange& exchange);
  void campaigns(const Request& request, Exchange& exchange);
  void list(const Request& request, Exchange& exchange) const;
  void create(const Request& request, Exchange& exchange);
  void one(const Request& request, Exchange& exchange, std::string_view id);
  void patch(const Request& request, Exchange& exchange, const Campaign& campaign);
  void coupons(const Request& request, Exchange& exchange, std::string_view id);
  void parked(const Request& request, Exchange& exchange);
  void retry(Exchange& exchange, std::string_view number);
  void ask_store(Exchange& exchange, std::function<Response(Issuer&, Store&)> ask);
  std::string body_of(const Campaign& campaign) const { return campaign_body(campaign, ports.clock.now(), true); }
};

AdminRoutes::AdminRoutes(Ports ports) : impl_(std::make_unique<Impl>(std::move(ports))) {}
AdminRoutes::~AdminRoutes() = default;

void AdminRoutes::on_left(ExchangeId) {}  // what was asked for goes on; nobody reads the answer

void AdminRoutes::tick() {
  auto& asked = impl_->asked;
  const Uptime now = impl_->ports.clock.uptime();
  for (; !asked.empty() && asked.front().until <= now; asked.pop_front()) {
    impl_->ports.loop.answer(asked.front().id, unavailable(5s, "the store has not answered in time"));
  }
}

void AdminRoutes::on_request(const Request& request, Exchange& exchange) {
  if (answer_health(request, exchange, impl_->ports.readiness)) return;
  if (request.path == "/metrics") {
    if (!is_get(request)) return answer_wrong_method(exchange, "GET, HEAD");
    return exchange.answer(Response{
        .content_type = "text/plain; version=0.0.4; charset=utf-8", .fields = {}, .body = impl_->ports.metrics()});
  }
  if (!impl_->is_allowed(request, exchange)) return;
  if (request.path == "/v1/campaigns") return impl_->campaigns(request, exchange);
  if (request.path == "/v1/parked") return impl_->parked(request, exchange);
  if (const auto parked = segment_behind(request.path, "/v1/parked/"); parked && parked->rest == "/retry") {
    if (request.method != Method::post) return answer_wrong_method(exchange, "POST");
    return impl_->retry(exchange, parked->text);
  }
  const auto campaign = segment_behind(request.path, "/v1/campaigns/");
  if (!campaign || campaign->text.empty() || (!campaign->rest.empty() && campaign->rest != "/coupons"))
    return answer_no_route(exchange);
  const bool is_coupons = !campaign->rest.empty();
  if (!is_get(request) && (is_coupons || request.method != Method::patch)) {
    return answer_wrong_method(exchange, is_coupons ? "GET, HEAD" : "GET, HEAD, PATCH");
  }
  if (!is_campaign_id(campaign->text)) return answer_bad_campaign_id(exchange);
  if (is_coupons) return impl_->coupons(request, exchange, campaign->text);
  impl_->one(request, exchange, campaign->text);
}

bool AdminRoutes::Impl::is_allowed(const Request& request, Exchange& exchange) {
  if (ports.token.empty()) {
    const std::string host = host_of(request);
    const bool is_for_us = is_loopback(host) || same_name(host, ports.host);
    if (is_for_us && (is_get(request) || !is_from_another_page(request))) return true;
    exchange.answer(is_for_us ? foreign_origin() : foreign_host());
    return false;
  }
  const Field* const field = request.find("Authorization");
  const std::size_t count = request.count("Authorization");
  constexpr std::string_view scheme = "Bearer ";
  // The sums are compared: how long that takes tells nothing about where the tokens differ.
  if (count == 1 && field->value.size() > scheme.size() && same_name(field->value.substr(0, scheme.size()), scheme) &&
      sum_of(field->value.substr(scheme.size())) == token_sum) {
    return true;
  }
  exchange.answer(unauthorized(count > 0));
  return false;
}

void AdminRoutes::Impl::campaigns(const Request& request, Exchange& exchange) {
  if (is_get(request)) return list(request, exchange);
  if (request.method != Method::post) return answer_wrong_method(exchange, "GET, HEAD, POST");
  create(request, exchange);
}

void AdminRoutes::Impl::list(const Request& request, Exchange& exchange) const {
  static constexpr std::array<std::string_view, 2> known{"limit", "after"};
  const auto query = Query::parse(request.query, known);
  if (!query) return exchange.answer(bad_request("bad-field", query.error().what));
  const auto limit = query->number("limit", 1, page_rows_max, page_rows);
  if (!limit) return exchange.answer(bad_request("bad-field", limit.error().what));

  const auto& all = ports.standings.campaigns();
  const std::uint32_t size = all.size();
  std::uint32_t at = 0;
  if (const auto after = query->find("after")) {
    while (at < size && all[at]->id() != *after) ++at;
    if (at == size) return exchange.answer(bad_request("bad-field", "after names no campaign"));
    ++at;
  }
  std::string body = R"({"campaigns":[)";
  std::uint32_t shown = 0;
  for (; at < size && shown < *limit; ++at, ++shown) body += (shown == 0 ? "" : ",") + body_of(*all[at]);
  body += R"(],"next":)" + (at < size && shown > 0 ? json_string(all[at - 1]->id()) : "null") + "}";
  exchange.answer(json(200, std::move(body)));
}

void AdminRoutes::Impl::create(const Request& request, Exchange& exchange) {
  static constexpr std::array<std::string_view, 7> known{"id",        "name",       "quota",  "opens_at",
                                                         "closes_at", "issue_rate", "promise"};
  JsonInput body(request.body, known);
  const Opened opened = opened_of(body);
  if (body.refusal()) return exchange.answer(*body.refusal());
  ports.desk.create(opened, [this, id = exchange.wait()](const OperatorAnswer& answer) {
    using enum OperatorAnswer::Kind;
    switch (answer.kind) {
      case created:
      case unchanged: {
        Response response = json(answer.kind == created ? 201 : 200, body_of(*answer.campaign));
        response.fields.emplace_back("Location", "/v1/campaigns/" + answer.campaign->id().str());
        ports.loop.answer(id, response);
        return;
      }
      case conflict:
        ports.loop.answer(id, http::conflict("campaign-exists", "The id is taken", answer.detail,
                                             "Use another id, or PATCH what may be changed."));
        return;
      case invalid:
        ports.loop.answer(id, bad_request("bad-field", answer.detail));
        return;
      default:
        ports.loop.answer(id, unavailable(1s, answer.detail));
        return;
    }
  });
}

void AdminRoutes::Impl::one(const Request& request, Exchange& exchange, std::string_view id) {
  const Campaign* const campaign = ports.standings.find(id);
  if (!campaign) return exchange.answer(no_campaign());
  if (!is_get(request)) return patch(request, exchange, *campaign);
  exchange.answer(tagged(request, body_of(*campaign), to_rfc3339(ports.clock.now())));
}

void AdminRoutes::Impl::patch(const Request& request, Exchange& exchange, const Campaign& campaign) {
  static constexpr std::array<std::string_view, 4> known{"quota", "closes_at", "paused", "closed"};
  JsonInput body(request.body, known);
  const CampaignPatch patch = patch_of(body);
  if (body.refusal()) return exchange.answer(*body.refusal());
  const auto reply = [this, quota = patch.quota, id = exchange.wait()](const OperatorAnswer& answer) {
    using enum OperatorAnswer::Kind;
    switch (answer.kind) {
      case changed:
      case unchanged:
        ports.loop.answer(id, json(200, body_of(*answer.campaign)));
        return;
      case invalid:
        ports.loop.answer(id, bad_request("bad-field", answer.detail));
        return;
      case no_campaign:
        ports.loop.answer(id, http::no_campaign());
        return;
      case conflict:
        break;
      default:
        ports.loop.answer(id, unavailable(1s, answer.detail));
        return;
    }
    const auto& view = answer.campaign->view();
    if (view.closed) {
      ports.loop.answer(id, http::conflict("closed", "Closed", answer.detail, "Make another campaign."));
    } else if (quota && *quota < view.quota) {
      ports.loop.answer(id, http::conflict("quota-not-raised", "The quota only rises", answer.detail,
                                           "Give a quota above the present one; pause or close to stop."));
    } else {
      ports.loop.answer(id, http::conflict("changed-meanwhile", "Changed meanwhile", answer.detail,
                                           "GET the campaign, and ask again if you still want it."));
    }
  };
  ports.desk.change(campaign.id(), patch, reply);
}

/// Asks on the issuer's thread, and answers from this loop: nobody, if tick() was faster.
void AdminRoutes::Impl::ask_store(Exchange& exchange, std::function<Response(Issuer&, Store&)> ask) {
  if (!ports.ask_issuer) {
    static const ReadyResponse response(
        Problem{.status = 421,
                .type = "no-store",
                .title = "Another process knows",
                .detail = "this process serves users and has no connection to the store",
                .hint = "Ask the admin listener of an issuer (--role issuer), at work or spare."}
            .response());
    return exchange.answer(response);
  }
  const ExchangeId id = exchange.wait();
  const auto work = [this, id, ask = std::move(ask)](Issuer& issuer, Store& store) {
    ports.loop.post([this, id, response = ReadyResponse(ask(issuer, store))] {
      std::erase_if(asked, [&](const Asked& one) { return one.id == id; });
      ports.loop.answer(id, response);
    });
  };
  if (ports.ask_issuer(work)) {
    asked.push_back({id, ports.clock.uptime() + limits::store_answer_ms_max});
  } else {
    ports.loop.answer(id, unavailable(1s, "the store cannot be asked now"));
  }
}

void AdminRoutes::Impl::coupons(const Request& request, Exchange& exchange, std::string_view id) {
  static constexpr std::array<std::string_view, 3> known{"limit", "after", "format"};
  if (!ports.standings.find(id)) return exchange.answer(no_campaign());
  const auto query = Query::parse(request.query, known);
  if (!query) return exchange.answer(bad_request("bad-field", query.error().what));
  const auto limit = query->number("limit", 1, page_rows_max, page_rows);
  if (!limit) return exchange.answer(bad_request("bad-field", limit.error().what));
  const auto after = query->number("after", 0, std::numeric_limits<std::uint32_t>::max(), 0);
  if (!after) return exchange.answer(bad_request("bad-field", after.error().what));
  const std::string_view name = query->find("format").value_or("json");
  if (name != "json" && name != "jsonl" && name != "csv") {
    return exchange.answer(bad_request("bad-field", "format must be json, jsonl or csv"));
  }
  const CouponForm form = name == "csv" ? CouponForm::csv : name == "jsonl" ? CouponForm::lines : CouponForm::json;
  ask_store(exchange, [id = std::string(id), limit = *limit, after = *after, form](Issuer&, Store& store) -> Response {
    const auto rows = store.coupons(id, static_cast<std::uint32_t>(after), limit + 1);
    if (rows) return coupon_page(*rows, limit, form);
    log::warn("coupons could not be read from the store", {{"campaign", id}, {"why", rows.error().what}});
    return unavailable(1s, "the store cannot be read now");
  });
}

void AdminRoutes::Impl::parked(const Request& request, Exchange& exchange) {
  if (!is_get(request)) return answer_wrong_method(exchange, "GET, HEAD");
  ask_store(exchange, [](Issuer& issuer, Store&) -> Response {
    const auto parked = issuer.parked();
    if (parked) return parked_page(*parked);
    log::warn("parked coupons could not be read from the store", {{"why", parked.error().what}});
    return unavailable(1s, "the store cannot be read now");
  });
}

void AdminRoutes::Impl::retry(Exchange& exchange, std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0) {
    return exchange.answer(bad_request("bad-field", "the path must hold the number of a parked coupon"));
  }
  ask_store(exchange, [number](Issuer& issuer, Store&) -> Response {
    const auto outcome = issuer.retry(number);
    if (!outcome && outcome.error().kind == FaultKind::misconfigured) {
      return Problem{.status = 404,
                     .type = "not-parked",
                     .title = "Not parked",
                     .detail = fmt::format("no coupon is parked under the number {}", number),
                     .hint = "GET /v1/parked shows those that are."}
          .response();
    }
    if (!outcome) {
      log::warn("a parked coupon could not be tried again", {{"number", number}, {"why", outcome.error().what}});
      return unavailable(1s, "the store cannot be written now");
    }
    if (const auto* const refused = std::get_if<RowRefused>(&*outcome)) {
      return http::conflict("still-refused", "Still refused", fmt::format("coupon {}: {}", number, refused->reason),
                            "Mend the cause in the store, then retry.");
    }
    if (std::holds_alternative<FenceLost>(*outcome)) return unavailable(1s, "another issuer is at work");
    return json(200, fmt::format(R"({{"number":{},"issued":true}})", number));
  });
}

}  // namespace firstcome::http
