#include "app/server.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "app/adapters.h"
#include "app/issuer_thread.h"
#include "app/metrics_page.h"
#include "app/news.h"
#include "app/silence_log.h"
#include "base/log.h"
#include "base/noun.h"
#include "desk/desk.h"
#include "desk/operator_desk.h"
#include "http/admin_routes.h"
#include "http/listener.h"
#include "http/loop.h"
#include "http/public_routes.h"
#include "http/starting_routes.h"
#include "identity/identity.h"
#include "issuer/issuer.h"

namespace firstcome {
namespace {

/// One core's share: its loop and the desk on it.
struct Lane {
  std::unique_ptr<http::Loop> loop;
  std::unique_ptr<http::StartingRoutes> front;  // what the listener talks to; passes on to `routes` when there are any
  std::unique_ptr<Gate> gate;                   // or none
  std::unique_ptr<Desk> desk;
  std::unique_ptr<http::PublicRoutes> routes;
  std::thread thread;
};

/// Why we are not ready, for /readyz. Any thread.
class Reasons {
 public:
  void set(std::string reason) {
    std::lock_guard lock(mutex_);
    reason_ = std::move(reason);
  }
  std::vector<std::string> list() const {
    std::lock_guard lock(mutex_);
    return reason_.empty() ? std::vector<std::string>{} : std::vector{reason_};
  }

 private:
  mutable std::mutex mutex_;
  std::string reason_ = "starting";
};

http::Limits limits_of(const Settings& settings, std::size_t connections) {
  http::Limits limits;
  limits.header_bytes = settings.header_bytes_max;
  limits.body_bytes = settings.body_bytes_max;
  limits.connections = connections;
  limits.header_ms = settings.header_ms_max;
  limits.idle_ms = settings.idle_ms_max;
  limits.write_ms = settings.write_ms_max;
  return limits;
}

Result<std::unique_ptr<Identity>> identity_of(const Settings& settings) {
  const std::string spelled = settings.identity.empty() ? "header:X-User" : settings.identity;
  std::vector<Network> trusted;
  for (const auto& text : settings.identity_trusted) {
    auto network = Network::parse(text);
    if (!network) return fail(network.error());
    trusted.push_back(*network);
  }
  return std::make_unique<HeaderIdentity>(spelled.substr(std::string_view("header:").size()), std::move(trusted));
}

}  // namespace

struct Server::Parts {
  explicit Parts(const Settings& given) : settings(given), adapters(Adapters::of(settings, clock, random)) {}

  const Settings settings;
  SystemClock clock;
  SystemRandom random;
  Reasons reasons;
  std::atomic<bool> ready{false};

  std::string public_address, admin_address;
  std::vector<Lane> lanes;
  std::unique_ptr<http::StartingRoutes> admin_front;

  std::unique_ptr<Identity> identity;
  std::unique_ptr<Adapters> adapters;
  std::unique_ptr<Standings> standings;
  std::unique_ptr<News> news;
  SilenceLog silence{clock};       // of the first loop
  std::unique_ptr<Issuer> issuer;  // none where this process does not issue
  std::unique_ptr<IssuerThread> issuer_thread;
  std::unique_ptr<OperatorDesk> operator_desk;
  std::unique_ptr<http::AdminRoutes> admin_routes;

  Result<void> listen();
  Result<void> open_data();
  void close_data();
  Result<void> connect();
  void start_issuing(std::uint32_t author);
  void go_live();
  std::optional<std::string> why_out_of_step(const Lane& lane) const;
  std::optional<std::string> why_not_issuing() const;
  http::Readiness readiness();
  void drain(Millis longest);
};

Result<void> Server::Parts::listen() {
  const std::size_t loops = settings.serves() ? settings.loop_count() : 1;
  std::vector<http::Descriptor> users;
  if (settings.serves()) {
    auto listening = http::open_listening(settings.listen.host, settings.listen.port, loops);
    if (!listening) return fail(std::move(listening.error()).within("--listen"));
    users = std::move(listening->sockets);
    public_address = Address{settings.listen.host, listening->port}.text();
  }
  auto operators = http::open_listening(settings.admin_listen.host, settings.admin_listen.port, 1);
  if (!operators) return fail(std::move(operators.error()).within("--admin-listen"));
  admin_address = Address{settings.admin_listen.host, operators->port}.text();
  const auto ask_readiness = [this] { return readiness(); };
  const std::size_t connections = std::max<std::size_t>(settings.connections_max / loops, 1);
  lanes.reserve(loops);  // their addresses are handed out
  for (std::size_t i = 0; i < loops; ++i) {
    Lane& lane = lanes.emplace_back();
    lane.loop = std::make_unique<http::Loop>(clock);
    lane.front = std::make_unique<http::StartingRoutes>(ask_readiness);
    if (!users.empty()) lane.loop->listen(std::move(users[i]), *lane.front, limits_of(settings, connections));
  }
  admin_front = std::make_unique<http::StartingRoutes>(ask_readiness);
  lanes[0].loop->listen(std::move(operators->sockets[0]), *admin_front,
                        limits_of(settings, limits::admin_connections_max));
  // A tick finds the desks once they are there: both are set on the loop's own thread.
  for (Lane& lane : lanes) {
    lane.loop->on_tick([this, &lane, count = 0U]() mutable {
      if (!lane.routes) return;
      if (lane.gate) lane.gate->tick();
      lane.desk->tick();
      if (&lane != &lanes[0]) return;
      operator_desk->tick();
      admin_routes->tick();
      silence.look(why_out_of_step(lane));
      constexpr unsigned ticks_per_second = 50;
      if (++count % ticks_per_second == 0) lane.desk->close_due();
    });
  }
  for (Lane& lane : lanes) lane.thread = std::thread([&lane] { lane.loop->run(); });
  return {};
}

Result<void> Server::Parts::open_data() {
  reasons.set("reading the journal");
  standings = std::make_unique<Standings>(random.next());
  news = std::make_unique<News>(*standings);
  if (auto opened = adapters->open(); !opened) return opened;
  if (auto connected = connect(); !connected) return connected;
  if (auto started = adapters->journal().start(*news); !started) return started;
  return issuer ? issuer->check() : Result<void>{};
}

/// Everybody hears the news: each desk on its loop, the operators' desk on the first one, the issuer by a prod.
Result<void> Server::Parts::connect() {
  Journal& journal = adapters->journal();
  const auto loops = static_cast<std::uint32_t>(lanes.size());
  const std::uint32_t operators = loops, issuing = loops + 1;
  const DeskLimits limits{.wait_ms_max = settings.wait_ms_max,
                          .in_flight_ms_max = settings.in_flight_ms_max,
                          .stale_ms_max = settings.stale_ms_max,
                          .gate_bypass_ms_max = settings.gate_bypass_ms_max,
                          .in_flight_max = std::max<std::size_t>(settings.in_flight_max / loops, 1),
                          .waiting_claims_max = std::max<std::size_t>(settings.waiting_claims_max / loops, 1)};
  for (std::uint32_t i = 0; i < loops; ++i) {
    Lane& lane = lanes[i];
    auto gate = adapters->make_gate(*lane.loop);
    if (!gate) return fail(gate.error());
    lane.gate = std::move(*gate);
    lane.desk = std::make_unique<Desk>(
        i, *standings, journal, lane.gate.get(), clock, random, limits,
        [&lane](ClaimNumber number, const Answer& answer) { lane.routes->deliver(number, answer); });
    news->add({[&lane](Effects effects) {
                 lane.loop->post([&lane, effects = std::move(effects)] { lane.desk->applied(*effects); });
               },
               [&lane](Time now) { lane.loop->post([&lane, now] { lane.desk->heard(now); }); },
               [&lane](std::vector<AppendTag> tags, Fault fault) {
                 lane.loop->post([&lane, tags = std::move(tags), fault = std::move(fault)] {
                   lane.desk->append_failed(tags, fault);
                 });
               }});
  }
  operator_desk = std::make_unique<OperatorDesk>(
      operators, *standings, journal, clock,
      OperatorLimits{settings.quota_max, settings.places_max, settings.campaigns_max, settings.in_flight_ms_max});
  http::Loop& first = *lanes[0].loop;
  news->add({[this, &first](Effects effects) {
               first.post([this, effects = std::move(effects)] { operator_desk->applied(*effects); });
             },
             [this, &first](Time) { first.post([this] { operator_desk->heard(); }); },
             [this, &first](std::vector<AppendTag> tags, Fault fault) {
               first.post([this, tags = std::move(tags), fault = std::move(fault)] {
                 operator_desk->append_failed(tags, fault);
               });
             }});
  if (adapters->store()) start_issuing(issuing);
  return {};
}

void Server::Parts::start_issuing(std::uint32_t author) {
  issuer = std::make_unique<Issuer>(*standings, *adapters->store(), adapters->journal(), clock,
                                    IssuerSettings{.holder = adapters->holder(),
                                                   .author = author,
                                                   .issue_rate = settings.issue_rate,
                                                   .issue_rate_total = settings.issue_rate_total,
                                                   .parked_max = settings.parked_max,
                                                   .is_alone = !settings.is_distributed()});
  news->add({[this](const Effects&) { issuer_thread->prod(); }, [this](Time) { issuer->heard(); }, {}});
}

void Server::Parts::go_live() {
  if (issuer) issuer_thread = std::make_unique<IssuerThread>(*issuer, *adapters->store());
  news->go_live();  // before the first claim can be appended: nobody waits for news that are not told
  const MetricsSources sources{.adapters = *adapters,
                               .standings = *standings,
                               .issuer = issuer.get(),
                               .issuer_thread = issuer_thread.get(),
                               .operator_desk = *operator_desk,
                               .news = *news};
  auto page = [this, sources] {
    std::vector<const http::Counters*> loops;
    std::vector<const Desk::Counters*> desks;
    std::vector<Gate::Stats> gates;
    for (const Lane& lane : lanes) {
      loops.push_back(&lane.loop->counters());
      desks.push_back(&lane.desk->counters());
      if (lane.gate) gates.push_back(lane.gate->stats());
    }
    return metrics_page(sources, loops, desks, gates, clock);
  };
  admin_routes = std::make_unique<http::AdminRoutes>(http::AdminRoutes::Ports{
      .loop = *lanes[0].loop,
      .desk = *operator_desk,
      .standings = *standings,
      .clock = clock,
      .token = settings.admin_token,
      .host = settings.admin_listen.host,
      .ask_issuer =
          issuer ? http::AskIssuer([this](IssuerThread::Work work) { return issuer_thread->ask(std::move(work)); })
                 : http::AskIssuer(),
      .metrics = page,
      .readiness = [this] { return readiness(); }});
  for (Lane& lane : lanes) {
    lane.loop->post([this, &lane] {
      if (const auto heard = news->heard_at()) lane.desk->heard(*heard);
      if (lane.gate) lane.gate->start(*lane.desk);
      lane.routes =
          std::make_unique<http::PublicRoutes>(http::PublicRoutes::Ports{.loop = *lane.loop,
                                                                         .desk = *lane.desk,
                                                                         .standings = *standings,
                                                                         .identity = *identity,
                                                                         .clock = clock,
                                                                         .readiness = [this] { return readiness(); }});
      lane.front->set_next(lane.routes.get());
      if (&lane == &lanes[0]) admin_front->set_next(admin_routes.get());
    });
  }
  reasons.set("");
  ready = true;
}

/// With the journal.
std::optional<std::string> Server::Parts::why_out_of_step(const Lane& lane) const {
  auto why = lane.desk->why_not_fresh();
  const auto fault = why ? adapters->journal().why_silent() : std::nullopt;
  if (fault) *why += ": " + fault->what;
  return why;
}

/// Claims go on while the store is away: where there are users that is no reason, but an issuer that has stopped is.
std::optional<std::string> Server::Parts::why_not_issuing() const {
  if (!issuer) return std::nullopt;
  const auto trouble = issuer->trouble();
  if (!trouble) return std::nullopt;
  if (issuer->counters().stopped) return "the issuer has stopped, which needs a person: " + trouble->what;
  if (settings.serves()) return std::nullopt;
  return "the store: " + trouble->what;
}

http::Readiness Server::Parts::readiness() {
  http::Readiness now{.reasons = reasons.list(), .standings = {}};
  if (!ready) return now;
  now.standings = news->marks();
  for (const Lane& lane : lanes) {
    const auto why = why_out_of_step(lane);
    if (!why) continue;
    now.reasons.push_back(*why);
    break;  // one is enough: when the journal is silent, all say so
  }
  if (const auto trouble = adapters->journal().trouble()) now.reasons.push_back("the journal: " + trouble->what);
  // One that is away is passed by; one that a person must mend is told.
  const auto trouble = lanes[0].gate ? lanes[0].gate->trouble() : std::nullopt;
  if (trouble) now.reasons.push_back("the gate: " + trouble->what);
  if (const auto why = why_not_issuing()) now.reasons.push_back(*why);
  return now;
}

/// Undoes open_data(), whole or half done, so that it can be tried again.
void Server::Parts::close_data() {
  if (issuer_thread) issuer_thread->stop();
  adapters->stop_journal();
  issuer_thread.reset();
  issuer.reset();
  for (Lane& lane : lanes) {
    if (lane.routes) lane.routes.reset();  // the loop has ended then; before, its thread may be reading this pointer
    lane.desk.reset();
    lane.gate.reset();
  }
  admin_routes.reset();
  operator_desk.reset();
  adapters->close();
  news.reset();
  standings.reset();
}

void Server::Parts::drain(Millis longest) {
  if (ready) {
    reasons.set("going down");
    for (Lane& lane : lanes) lane.loop->post([&lane] { lane.desk->refuse_claims(); });
  }
  for (Lane& lane : lanes) lane.loop->drain(longest);
  for (Lane& lane : lanes) {
    if (lane.thread.joinable()) lane.thread.join();
  }
  close_data();
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { drain(); }

Result<std::unique_ptr<Server>> Server::start(const Settings& settings) {
  if (auto fits = check_settings(settings); !fits) return fail(fits.error());
  auto identity = identity_of(settings);
  if (!identity) return fail(identity.error());
  auto parts = std::make_unique<Parts>(settings);
  parts->identity = std::move(*identity);
  std::unique_ptr<Server> server(new Server(std::move(parts)));
  Parts& all = *server->parts_;
  if (auto listening = all.listen(); !listening) return fail(listening.error());

  constexpr Millis pause{1000};
  std::string told;
  for (;;) {
    const auto opened = all.open_data();
    if (opened) break;
    const std::string reason = opened.error().what;
    if (!opened.error().retryable()) return fail(opened.error().kind, reason);
    if (reason != told) log::warn("cannot start yet: trying again every second", {{"reason", reason}});
    told = reason;
    all.reasons.set(reason);
    all.close_data();
    std::this_thread::sleep_for(pause);
  }
  all.go_live();
  return server;
}

std::string Server::public_address() const { return parts_->public_address; }
std::string Server::place() const { return parts_->adapters->describe(); }
std::string Server::admin_address() const { return parts_->admin_address; }

bool Server::await_ready() const {
  constexpr Millis longest{1500}, pause{10};  // a connection to a gate that is silent is given up after a second
  const Gate* const gate = parts_->lanes[0].gate.get();
  const Uptime until = parts_->clock.uptime() + longest;
  for (;;) {
    const auto stats = gate ? gate->stats() : Gate::Stats{.is_away = false};
    const bool is_known = !stats.is_away || stats.faults > 0;
    const bool is_wrong = gate && gate->trouble();
    const bool is_ready = parts_->readiness().reasons.empty();
    if ((is_known && is_ready) || is_wrong || parts_->clock.uptime() >= until) return is_ready;
    std::this_thread::sleep_for(pause);
  }
}

bool Server::is_new() const { return parts_->standings->campaigns().empty(); }

std::string Server::summary() const {
  std::uint64_t winners = 0;
  const auto& campaigns = parts_->standings->campaigns();
  for (std::uint32_t i = 0; i < campaigns.size(); ++i) winners += campaigns[i]->winners().size();
  return std::to_string(campaigns.size()) + " " + noun(campaigns.size(), "campaign") + ", " + std::to_string(winners) +
         " " + noun(winners, "winner");
}

void Server::drain() {
  if (parts_) parts_->drain(parts_->settings.drain_ms_max);
}

}  // namespace firstcome
