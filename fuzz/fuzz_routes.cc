// Bytes from a client over a real socket into the real loop and the routes of both listeners: nothing crashes or hangs,
// and every answer is whole. The first byte says which listener, the second how the bytes are cut. At the end every
// route must have been reached (the corpus alone does it), else the target fails.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/assert.h"
#include "desk/hand_ports.h"
#include "http/admin_routes.h"
#include "http/descriptor.h"
#include "http/listener.h"
#include "http/loop.h"
#include "http/public_routes.h"

namespace firstcome::http {
namespace {

class EmptyStore final : public Store {
 public:
  Result<std::optional<InstallationId>> installation() override { return std::nullopt; }
  Result<void> adopt(const InstallationId&) override { return {}; }
  Result<std::vector<Progress>> progress() override { return std::vector<Progress>{}; }
  Result<WriteOutcome> write(const IssueBatch&) override { return Committed{}; }
  Result<std::vector<ParkedEntry>> parked() override {
    return std::vector<ParkedEntry>{{.number = 1, .coupon = {.campaign = "lunch", .user = "u"}, .reason = "r"}};
  }
  Result<WriteOutcome> retry(std::int64_t number, Time) override {
    if (number == 1) return RowRefused{"still"};
    return fail(FaultKind::misconfigured, "not parked");
  }
  Result<bool> beat(const std::string&) override { return true; }
  Result<std::vector<CouponRow>> coupons(std::string_view, std::uint32_t after, std::size_t limit) override {
    std::vector<CouponRow> rows;
    for (std::uint32_t rank = after + 1; rank <= 5 && rows.size() < limit; ++rank) {
      rows.push_back({.campaign = "lunch", .rank = rank, .user = "a,\"b"});
    }
    return rows;
  }
};

constexpr std::array<std::string_view, 15> routes{
    "users POST /v1/campaigns/*/claims",
    "users GET /v1/campaigns/*/claims/me",
    "users GET /v1/campaigns/*",
    "users GET /livez",
    "users GET /readyz",
    "operators POST /v1/campaigns",
    "operators GET /v1/campaigns",
    "operators GET /v1/campaigns/*",
    "operators PATCH /v1/campaigns/*",
    "operators GET /v1/campaigns/*/coupons",
    "operators GET /v1/parked",
    "operators POST /v1/parked/*/retry",
    "operators GET /metrics",
    "operators GET /livez",
    "operators GET /readyz",
};

/// Notes which routes are reached with the method that they have.
class Noting final : public Handler {
 public:
  Noting(std::string name, Handler& next) : name_(std::move(name)), next_(next) {}

  void on_request(const Request& request, Exchange& exchange) override {
    std::string route = name_ + " " + std::string(request.method_name) + " " + shape(request.path);
    if (std::ranges::find(routes, route) != routes.end()) reached.insert(std::move(route));
    next_.on_request(request, exchange);
  }
  void on_left(ExchangeId id) override { next_.on_left(id); }

  std::set<std::string> reached;

 private:
  static std::string shape(std::string_view path) {
    constexpr std::string_view campaigns = "/v1/campaigns/";
    constexpr std::string_view parked = "/v1/parked/";
    for (const auto prefix : {campaigns, parked}) {
      if (!path.starts_with(prefix)) continue;
      const auto rest = path.substr(prefix.size());
      return std::string(prefix) + "*" + std::string(rest.substr(std::min(rest.find('/'), rest.size())));
    }
    return std::string(path);
  }

  const std::string name_;
  Handler& next_;
};

/// Everything behind the sockets; made anew now and then, so that campaigns do not pile up.
struct Server {
  Server() {
    auto users = open_listening("127.0.0.1", 0, 1);
    auto operators = open_listening("127.0.0.1", 0, 1);
    MUST(users && operators, "two free ports");
    ports = {users->port, operators->port};
    Limits limits;
    limits.body_bytes = 1000;
    limits.header_bytes = 2000;
    limits.target_bytes = 500;
    loop.listen(std::move(users->sockets[0]), noting_users, limits);
    loop.listen(std::move(operators->sockets[0]), noting_operators, limits);
    show(Opened{.campaign = "lunch", .quota = 3});
    show(Opened{.campaign = "sold", .quota = 1});
    show(Ticket{.campaign = "sold", .user = "first"});
  }

  void show(Entry entry) {
    const std::vector effects{standings.apply({++position, clock.now(), std::move(entry)})};
    desk.applied(effects);
    operator_desk.applied(effects);
  }

  /// One turn of everything: the loop, and the journal's commit.
  void turn() {
    loop.poll();
    if (journal.waiting.empty()) return;
    loop.post([this] {
      for (auto& [entry, tag] : std::exchange(journal.waiting, {})) show(std::move(entry));
    });
    loop.poll();
  }

  HandClock clock;
  SystemClock system_clock;
  SystemRandom random;
  HandJournal journal;
  EmptyStore store;
  Standings standings{0, 1000};
  Position position = 0;
  Loop loop{system_clock};
  HeaderIdentity identity{"X-User", {*Network::parse("127.0.0.0/8")}};
  Desk desk{0,       standings,
            journal, nullptr,
            clock,   random,
            {},      [this](ClaimNumber number, const Answer& answer) {
              users_routes.deliver(number, answer); }};
  OperatorDesk operator_desk{1, standings, journal, clock, {.campaigns_max = 500}};
  Issuer issuer{standings, store, journal, clock, {}};
  PublicRoutes users_routes{
      {.loop = loop, .desk = desk, .standings = standings, .identity = identity, .clock = clock, .readiness = [] {
         return Readiness{};
       }}};
  AdminRoutes operators_routes{{.loop = loop,
                                .desk = operator_desk,
                                .standings = standings,
                                .clock = clock,
                                .token = "",
                                .host = "h",
                                .ask_issuer =
                                    [this](const std::function<void(Issuer&, Store&)>& work) {
                                      work(issuer, store);
                                      return true;
                                    },
                                .metrics = [] { return std::string("firstcome_build_info 1\n"); },
                                .readiness = [] { return Readiness{.reasons = {"starting"}, .standings = {}}; }}};
  Noting noting_users{"users", users_routes};
  Noting noting_operators{"operators", operators_routes};
  std::array<std::uint16_t, 2> ports{};
};

std::unique_ptr<Server> server;
std::set<std::string> reached;
int inputs = 0;

void keep_reached() {
  if (!server) return;
  reached.merge(server->noting_users.reached);
  reached.merge(server->noting_operators.reached);
}

void check_routes() {
  keep_reached();
  bool missing = false;
  for (const auto route : routes) {
    if (reached.contains(std::string(route))) continue;
    missing = true;
    std::fprintf(stderr, "never reached: %s\n", std::string(route).c_str());
  }
  std::fprintf(stderr, "routes reached: %s\n", missing ? "not all" : "all");
  if (missing && inputs > 1000) std::_Exit(1);
}

/// After the timer of the fuzzer has interrupted it, a connect goes on by itself.
int end_of_connect(const Descriptor& socket) {
  pollfd ready{.fd = socket.get(), .events = POLLOUT, .revents = 0};
  while (::poll(&ready, 1, -1) < 0 && errno == EINTR) {
  }
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

Descriptor connect(std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A reset at the end: hundreds of connections a second would use up the ports in TIME_WAIT.
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  // Each from another address of 127/8, else the ports that rest in TIME_WAIT run out after 28,000 connections.
  static std::uint32_t next_address = 0;
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on,
               sizeof on);  // else a piece waits for the ACK of the one before
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next_address++ % 60'000);
  MUST(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0, "127/8 is ours");
  int error = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 ? 0 : errno;
  if (error == EINTR) error = end_of_connect(socket);
  MUST(error == 0, std::string("the server listens: ") + std::strerror(error));
  return socket;
}

/// Every answer begins with a status that we have, and is as long as it says; only HEAD's have no body.
void check_answers(std::string_view text, bool some_are_head) {
  while (!text.empty()) {
    MUST(text.starts_with("HTTP/1.1 "), "an answer begins where the one before ended");
    const std::size_t head_end = text.find("\r\n\r\n");
    MUST(head_end != std::string_view::npos, "a header is sent whole");
    const std::string head(text.substr(0, head_end + 2));
    text.remove_prefix(head_end + 4);
    const int status = std::atoi(head.c_str() + 9);
    MUST(status == 100 || !reason_of(status).empty(), "the status is one of ours");
    const std::size_t length = head.find("\r\nContent-Length: ");
    if (length == std::string::npos) {
      MUST(status == 100 || status == 304, "an answer states its length");
      continue;
    }
    const std::size_t bytes = std::strtoul(head.c_str() + length + 18, nullptr, 10);
    if (some_are_head && !text.starts_with("{") && (text.empty() || text.starts_with("HTTP/1.1 "))) continue;
    MUST(bytes <= text.size(), "a body is sent whole");
    text.remove_prefix(bytes);
  }
}

void run(std::uint16_t port, std::uint8_t cut, std::string_view bytes) {
  const Descriptor client = connect(port);
  std::string answers;
  bool open = true;
  const auto receive = [&] {
    char into[16384];
    ssize_t got;
    while ((got = ::recv(client.get(), into, sizeof into, MSG_DONTWAIT)) > 0) {
      answers.append(into, static_cast<std::size_t>(got));
    }
    open = got < 0 && errno == EAGAIN;
  };
  server->turn();
  const bool some_are_head = bytes.contains("HEAD");
  while (!bytes.empty()) {
    const std::string_view piece = cut == 0 ? bytes : bytes.substr(0, cut);
    const ssize_t sent = ::send(client.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
    server->turn();
    receive();
  }
  // The server answers what has come, and closes. Bytes may take their time on a busy machine, through the loopback
  // too.
  ::shutdown(client.get(), SHUT_WR);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (open && std::chrono::steady_clock::now() < end) {
    server->turn();
    receive();
  }
  MUST(!open, "the server closes when everything was answered");
  MUST(server->loop.counters().exchanges_waiting.value() == 0, "everything that waited was answered");
  check_answers(answers, some_are_head);
}

void run_one(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return;
  if (inputs == 0) std::atexit(check_routes);
  constexpr int inputs_a_server = 2000;
  if (inputs++ % inputs_a_server == 0) {
    keep_reached();
    server = std::make_unique<Server>();
  }
  // A cut of a byte each would take 8,000 turns.
  const std::uint8_t cut = data[1] == 0 ? 0 : static_cast<std::uint8_t>(std::max<std::size_t>(data[1], 16));
  run(server->ports[data[0] % 2], cut, {reinterpret_cast<const char*>(data) + 2, size - 2});
}

}  // namespace
}  // namespace firstcome::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  firstcome::http::run_one(data, size);
  return 0;
}
