// The routes over real sockets, with desks whose journal is in the hand of the test.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "desk/hand_ports.h"
#include "http/admin_routes.h"
#include "http/answers.h"
#include "http/listener.h"
#include "http/loop.h"
#include "http/public_routes.h"
#include "http/starting_routes.h"
#include "http/test_client.h"

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

/// A store in memory: what the routes ask of one.
class HandStore final : public Store {
 public:
  Result<std::optional<InstallationId>> installation() override { return std::nullopt; }
  Result<void> adopt(const InstallationId&) override { return {}; }
  Result<std::vector<Progress>> progress() override { return std::vector<Progress>{}; }
  Result<WriteOutcome> write(const IssueBatch&) override { return Committed{}; }
  Result<std::vector<ParkedEntry>> parked() override {
    if (broken) return fail(FaultKind::unavailable, "the disk is on fire");
    return parked_entries;
  }
  Result<WriteOutcome> retry(std::int64_t number, Time) override {
    if (broken) return fail(FaultKind::unavailable, "the disk is on fire");
    if (number == 1) return Committed{};
    if (number == 2) return RowRefused{"check constraint: not her"};
    return fail(FaultKind::misconfigured, "not parked");
  }
  Result<bool> beat(const std::string&) override { return true; }
  Result<std::vector<CouponRow>> coupons(std::string_view, std::uint32_t after, std::size_t limit) override {
    if (broken) return fail(FaultKind::unavailable, "the disk is on fire");
    std::vector<CouponRow> found;
    for (const auto& row : rows) {
      if (row.rank > after && found.size() < limit) found.push_back(row);
    }
    return found;
  }

  bool broken = false;
  std::vector<CouponRow> rows;
  std::vector<ParkedEntry> parked_entries;
};

class RoutesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto users = open_listening("127.0.0.1", 0, 1);
    auto operators = open_listening("127.0.0.1", 0, 1);
    ASSERT_TRUE(users && operators);
    port_ = users->port;
    admin_port_ = operators->port;
    front_.set_next(&routes_);
    loop_.listen(std::move(users->sockets[0]), front_, Limits{});
    loop_.listen(std::move(operators->sockets[0]), admin_front_, Limits{});
    thread_ = std::thread([this] { loop_.run(); });
    on_loop([&] {
      desk_.heard(clock_.now());
      make_admin("");
    });
  }
  void TearDown() override {
    loop_.stop();
    thread_.join();
  }

  template <class Work>
  void on_loop(Work work) {
    std::promise<void> done;
    loop_.post([&] {
      work();
      done.set_value();
    });
    done.get_future().get();
  }
  void make_admin(const std::string& token) {
    admin_ = std::make_unique<AdminRoutes>(AdminRoutes::Ports{
        .loop = loop_,
        .desk = operators_,
        .standings = standings_,
        .clock = clock_,
        .token = token,
        .host = "h",
        .ask_issuer =
            [this](const std::function<void(Issuer&, Store&)>& work) {
              if (issuer_is_busy_) return false;
              if (store_hangs_) {
                hanging_.push_back(work);
              } else {
                work(issuer_, store_);
              }
              return true;
            },
        .metrics = [] { return std::string("firstcome_build_info 1\n"); },
        .readiness = [this] { return Readiness{.reasons = reasons_, .standings = {standings_.mark(0)}}; }});
    admin_front_.set_next(admin_.get());
  }
  void show(Entry entry) {
    on_loop([&] {
      const std::vector effects{standings_.apply({++position_, clock_.now(), std::move(entry)})};
      desk_.applied(effects);
      operators_.applied(effects);
    });
  }
  /// The journal shows what waits in it, as soon as there is something.
  void commit() {
    ASSERT_TRUE(eventually([&] {
      bool some = false;
      on_loop([&] {
        std::vector<Effect> effects;
        for (auto& [entry, tag] : std::exchange(journal_.waiting, {})) {
          effects.push_back(standings_.apply({++position_, clock_.now(), std::move(entry)}));
        }
        some = !effects.empty();
        desk_.applied(effects);
        operators_.applied(effects);
      });
      return some;
    }));
  }
  void open(std::string_view id, std::uint32_t quota) { show(Opened{.campaign = id, .quota = quota}); }

  static std::string request(std::string_view method, std::string_view target, std::string_view fields = "",
                             std::string_view body = "") {
    std::string text =
        std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields);
    if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return text + "\r\n" + std::string(body);
  }
  TestClient::Answer ask(std::uint16_t port, const std::string& bytes) {
    TestClient client(port);
    EXPECT_TRUE(client.send(bytes));
    const auto answer = client.read_answer(!bytes.starts_with("HEAD"));
    EXPECT_TRUE(answer) << bytes;
    return answer.value_or(TestClient::Answer{});
  }
  TestClient::Answer claim(std::string_view campaign, std::string_view user) {
    return ask(port_, request("POST", "/v1/campaigns/" + std::string(campaign) + "/claims",
                              "X-User: " + std::string(user) + "\r\n"));
  }
  TestClient::Answer mine(std::string_view campaign, std::string_view user) {
    return ask(port_, request("GET", "/v1/campaigns/" + std::string(campaign) + "/claims/me",
                              "X-User: " + std::string(user) + "\r\n"));
  }
  /// A claim that the journal has to answer.
  TestClient::Answer claim_and_commit(std::string_view campaign, std::string_view user) {
    TestClient client(port_);
    EXPECT_TRUE(client.send(request("POST", "/v1/campaigns/" + std::string(campaign) + "/claims",
                                    "X-User: " + std::string(user) + "\r\n")));
    commit();
    return client.read_answer().value_or(TestClient::Answer{});
  }
  /// An operator's change that the journal has to show. One step after the other.
  TestClient::Answer admin_and_commit(const std::string& bytes, int commits = 1) {
    TestClient client(admin_port_);
    EXPECT_TRUE(client.send(bytes));
    for (int i = 0; i < commits; ++i) commit();
    return client.read_answer().value_or(TestClient::Answer{});
  }
  static void expect_problem(const TestClient::Answer& answer, int status, const std::string& type) {
    EXPECT_EQ(answer.status, status) << answer.head << answer.body;
    EXPECT_TRUE(answer.has("Content-Type: application/problem+json")) << answer.head;
    const auto problem = Json::parse(answer.body);
    EXPECT_EQ(problem["type"], "/problems/" + type) << answer.body;
    EXPECT_EQ(problem["status"], status);
    for (const auto* member : {"title", "detail", "hint"}) EXPECT_FALSE(problem[member].get<std::string>().empty());
  }
  static bool asks_back(const TestClient::Answer& answer) { return answer.head.contains("\r\nRetry-After: "); }

  HandClock clock_;
  SystemClock system_clock_;
  SystemRandom random_;
  HandJournal journal_;
  HandStore store_;
  Standings standings_;
  Position position_ = 0;
  std::vector<std::string> reasons_;
  bool issuer_is_busy_ = false;
  bool store_hangs_ = false;
  std::vector<std::function<void(Issuer&, Store&)>> hanging_;
  Loop loop_{system_clock_};
  HeaderIdentity identity_{"X-User", {*Network::parse("127.0.0.0/8")}};
  Desk desk_{0,        standings_,
             journal_, nullptr,
             clock_,   random_,
             {},       [this](ClaimNumber number, const Answer& answer) {
               routes_.deliver(number, answer); }};
  OperatorDesk operators_{1, standings_, journal_, clock_, {}};
  Issuer issuer_{standings_, store_, journal_, clock_, {}};
  PublicRoutes routes_{
      {.loop = loop_,
       .desk = desk_,
       .standings = standings_,
       .identity = identity_,
       .clock = clock_,
       .readiness = [this] { return Readiness{.reasons = reasons_, .standings = {standings_.mark(0)}}; }}};
  std::unique_ptr<AdminRoutes> admin_;
  StartingRoutes front_{[this] { return Readiness{.reasons = reasons_, .standings = {standings_.mark(0)}}; }};
  StartingRoutes admin_front_{[this] { return Readiness{.reasons = reasons_, .standings = {standings_.mark(0)}}; }};
  std::thread thread_;
  std::uint16_t port_ = 0;
  std::uint16_t admin_port_ = 0;
};

TEST_F(RoutesTest, won_is_the_same_body_for_ever) {
  open("lunch", 5);
  const auto first = claim_and_commit("lunch", "al\"i\\ce");
  EXPECT_EQ(first.status, 201);
  EXPECT_TRUE(first.has("Cache-Control: no-store"));
  EXPECT_TRUE(first.has("Content-Type: application/json"));
  const auto body = Json::parse(first.body);
  const std::vector<std::string> members{"campaign", "user", "answer", "rank", "code", "claimed_at"};
  std::vector<std::string> seen;
  for (const auto& [name, value] : body.items()) seen.push_back(name);
  EXPECT_EQ(seen, members);
  EXPECT_EQ(body["user"], "al\"i\\ce");
  EXPECT_EQ(body["rank"], 1);
  const auto again = claim("lunch", "al\"i\\ce");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(mine("lunch", "al\"i\\ce").body, first.body);
}

TEST_F(RoutesTest, the_refused_are_told_why) {
  open("sold", 1);
  claim_and_commit("sold", "alice");
  expect_problem(claim("sold", "bob"), 409, "sold-out");
  EXPECT_EQ(Json::parse(claim("sold", "bob").body)["quota"], 1);
  EXPECT_FALSE(claim("sold", "bob").body.contains("bob"));
  EXPECT_EQ(mine("sold", "bob").body, R"({"campaign":"sold","answer":"sold_out","quota":1})");
  show(QuotaRaised{"sold", 2});
  EXPECT_EQ(claim_and_commit("sold", "bob").status, 201);
  EXPECT_EQ(Json::parse(claim("sold", "carol").body)["quota"], 2);

  show(Opened{.campaign = "later", .quota = 1, .opens_at = clock_.now() + 30s});
  const auto early = claim("later", "bob");
  expect_problem(early, 403, "not-open");
  EXPECT_TRUE(early.has("Retry-After: 30")) << early.head;
  EXPECT_EQ(Json::parse(early.body)["opens_at"], to_rfc3339(clock_.now() + 30s));
  EXPECT_EQ(mine("later", "bob").body, R"({"campaign":"later","answer":"unknown"})");

  open("over", 1);
  show(Paused{"over", 0});
  expect_problem(claim("over", "bob"), 403, "paused");
  EXPECT_TRUE(asks_back(claim("over", "bob")));
  show(Closed{"over", ClosedBy::person});
  expect_problem(claim("over", "bob"), 410, "closed");
  EXPECT_EQ(mine("over", "bob").body, R"({"campaign":"over","answer":"closed"})");
}

TEST_F(RoutesTest, who_waits_too_long_is_told_pending) {
  open("slow", 5);
  TestClient client(port_);
  ASSERT_TRUE(client.send(request("POST", "/v1/campaigns/slow/claims", "X-User: u\r\n")));
  ASSERT_TRUE(eventually([&] { return loop_.counters().exchanges_waiting.value() == 1; }));
  on_loop([&] {
    clock_.advance(1501ms);
    desk_.tick();
  });
  const auto pending = client.read_answer();
  EXPECT_EQ(pending->status, 202);
  EXPECT_EQ(pending->body, R"({"campaign":"slow","answer":"pending"})");
  EXPECT_TRUE(asks_back(*pending));
  EXPECT_TRUE(pending->has("Cache-Control: no-store"));
}

TEST_F(RoutesTest, a_client_that_left_is_not_waited_for) {
  open("left", 5);
  TestClient client(port_);
  ASSERT_TRUE(client.send(request("POST", "/v1/campaigns/left/claims", "X-User: u\r\n")));
  ASSERT_TRUE(eventually([&] { return loop_.counters().exchanges_waiting.value() == 1; }));
  client.cut();
  ASSERT_TRUE(eventually([&] {
    std::size_t waiting = 0;
    on_loop([&] { waiting = desk_.waiting(); });
    return waiting == 0;
  }));
  commit();
  EXPECT_EQ(claim("left", "u").status, 200);
}

TEST_F(RoutesTest, there_must_be_a_campaign_and_a_user) {
  open("lunch", 5);
  expect_problem(claim("nosuch", "u"), 404, "no-campaign");
  expect_problem(mine("nosuch", "u"), 404, "no-campaign");
  expect_problem(ask(port_, request("GET", "/v1/campaigns/nosuch")), 404, "no-campaign");
  for (const auto* id : {"UPPER", "a_b", "a%20b", "a.b"}) expect_problem(claim(id, "u"), 404, "bad-campaign-id");
  expect_problem(claim(std::string(64, 'x'), "u"), 404, "bad-campaign-id");
  for (const auto* fields : {"", "X-User:\r\n", "X-User: a b\r\n", "X-User: a\r\nx-user: b\r\n"}) {
    expect_problem(ask(port_, request("POST", "/v1/campaigns/lunch/claims?user=u", fields, R"({"user":"u"})")), 401,
                   "no-identity");
  }
  expect_problem(claim("lunch", std::string(65, 'x')), 401, "no-identity");
  EXPECT_TRUE(claim("lunch", "").body.contains("127.0.0.1"));
}

TEST_F(RoutesTest, a_stale_node_knows_only_what_is_won) {
  open("lunch", 5);
  claim_and_commit("lunch", "alice");
  on_loop([&] { clock_.advance(6s); });
  expect_problem(claim("lunch", "bob"), 503, "unavailable");
  EXPECT_TRUE(asks_back(claim("lunch", "bob")));
  expect_problem(claim("nosuch", "bob"), 503, "unavailable");
  expect_problem(ask(port_, request("GET", "/v1/campaigns/nosuch")), 503, "unavailable");
  EXPECT_EQ(claim("lunch", "alice").status, 200);
}

TEST_F(RoutesTest, a_campaign_has_a_tag_and_a_server_time) {
  show(Opened{.campaign = "page", .name = "Lunch \"&\" more", .quota = 3, .closes_at = clock_.now() + 1h});
  const auto page = ask(port_, request("GET", "/v1/campaigns/page"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.body, R"({"campaign":"page","name":"Lunch \"&\" more","quota":3,"remaining":3,"state":"open",)"
                       R"("opens_at":null,"closes_at":")" +
                           to_rfc3339(clock_.now() + 1h) + "\"}");
  EXPECT_TRUE(page.has("Server-Time: " + to_rfc3339(clock_.now())));
  const std::size_t at = page.head.find("ETag: ") + 6;
  const std::string tag = page.head.substr(at, page.head.find("\r\n", at) - at);
  for (const auto& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    const auto same = ask(port_, request("GET", "/v1/campaigns/page", "If-None-Match: " + known + "\r\n"));
    EXPECT_EQ(same.status, 304) << known;
    EXPECT_TRUE(same.has("ETag: " + tag));
  }
  claim_and_commit("page", "alice");
  const auto changed = ask(port_, request("GET", "/v1/campaigns/page", "If-None-Match: " + tag + "\r\n"));
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(Json::parse(changed.body)["remaining"], 2);
  EXPECT_EQ(ask(port_, request("HEAD", "/v1/campaigns/page")).status, 200);
}

TEST_F(RoutesTest, wrong_paths_and_methods) {
  for (const auto* path : {"/", "/v1", "/v1/campaigns", "/v1/campaigns/", "/v1/campaigns/a/", "/v1/campaigns//claims",
                           "/v1/campaigns/a/claims/", "/v1/campaigns/a/claims/you", "/metrics", "/v1/parked"}) {
    expect_problem(ask(port_, request("GET", path)), 404, "no-route");
  }
  struct Case {
    std::uint16_t port;
    std::string_view method, path, allow;
  };
  for (const Case& c :
       {Case{port_, "GET", "/v1/campaigns/a/claims", "POST"},
        Case{port_, "POST", "/v1/campaigns/a/claims/me", "GET, HEAD"},
        Case{port_, "DELETE", "/v1/campaigns/a", "GET, HEAD"}, Case{port_, "PUT", "/livez", "GET, HEAD"},
        Case{admin_port_, "DELETE", "/v1/campaigns", "GET, HEAD, POST"},
        Case{admin_port_, "PUT", "/v1/campaigns/x", "GET, HEAD, PATCH"},
        Case{admin_port_, "POST", "/v1/campaigns/x/coupons", "GET, HEAD"},
        Case{admin_port_, "POST", "/metrics", "GET, HEAD"}, Case{admin_port_, "POST", "/v1/parked", "GET, HEAD"},
        Case{admin_port_, "GET", "/v1/parked/1/retry", "POST"}}) {
    const auto answer = ask(c.port, request(c.method, c.path, "X-User: u\r\n"));
    expect_problem(answer, 405, "wrong-method");
    EXPECT_TRUE(answer.has("Allow: " + std::string(c.allow))) << c.path << answer.head;
  }
  expect_problem(ask(admin_port_, request("GET", "/nosuch")), 404, "no-route");
}

TEST_F(RoutesTest, health_is_on_both_listeners) {
  for (const auto port : {port_, admin_port_}) {
    EXPECT_EQ(ask(port, request("GET", "/livez")).status, 200);
    EXPECT_EQ(ask(port, request("GET", "/readyz")).body, R"({"ready":true})");
  }
  on_loop([&] { reasons_ = {"going \"down\"", "stale"}; });
  const auto unready = ask(port_, request("GET", "/readyz"));
  EXPECT_EQ(unready.status, 503);
  EXPECT_EQ(unready.body, R"({"ready":false,"reasons":["going \"down\"","stale"]})");
  EXPECT_EQ(ask(port_, request("GET", "/livez")).status, 200);
}

TEST_F(RoutesTest, before_the_start_there_is_health_only) {
  on_loop([&] {
    front_.set_next(nullptr);
    reasons_ = {"starting"};
  });
  EXPECT_EQ(ask(port_, request("GET", "/livez")).status, 200);
  EXPECT_EQ(ask(port_, request("GET", "/readyz")).status, 503);
  const auto early = claim("lunch", "u");
  expect_problem(early, 503, "unavailable");
  EXPECT_TRUE(early.has("Retry-After: 1"));
}

TEST_F(RoutesTest, a_campaign_is_made_once) {
  const std::string body =
      R"({"id":"lunch","name":"Lunch","quota":5,"issue_rate":2.5,"closes_at":"2099-01-01T00:00:00Z"})";
  const auto made = admin_and_commit(request("POST", "/v1/campaigns", "", body));
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_TRUE(made.has("Location: /v1/campaigns/lunch"));
  const auto shown = Json::parse(made.body);
  EXPECT_EQ(shown["campaign"], "lunch");
  EXPECT_EQ(shown["id"], "lunch");
  EXPECT_EQ(shown["issue_rate"], 2.5);
  EXPECT_EQ(shown["promise"], "journal");
  EXPECT_EQ(shown["opened_at"], to_rfc3339(clock_.now()));
  EXPECT_EQ(ask(admin_port_, request("POST", "/v1/campaigns", "", body)).status, 200);
  EXPECT_EQ(ask(admin_port_, request("GET", "/v1/campaigns/lunch")).body, made.body);
  expect_problem(ask(admin_port_, request("POST", "/v1/campaigns", "", R"({"id":"lunch","quota":5})")), 409,
                 "campaign-exists");
  // What is null was left out, and stays left out.
  EXPECT_EQ(admin_and_commit(request("POST", "/v1/campaigns", "", R"({"id":"bare","quota":5,"name":null})")).status,
            201);
  const auto bare = ask(admin_port_, request("POST", "/v1/campaigns", "", R"({"id":"bare","quota":5})"));
  EXPECT_EQ(bare.status, 200);
  EXPECT_TRUE(Json::parse(bare.body)["issue_rate"].is_null());
}

TEST_F(RoutesTest, wrong_bodies_are_told_what_is_wrong) {
  struct Case {
    std::string body;
    std::string_view word;
  };
  const std::vector<Case> cases{
      {" ", "JSON"},
      {"{", "JSON"},
      {"[]", "object"},
      {"7", "object"},
      {"nul", "JSON"},
      {R"({"id":"w","quota":5}x)", "JSON"},
      {"{\"id\":\"w\",\"quota\":5,\"name\":\"\xff\"}", "JSON"},
      {std::string(50'000, '['), "object"},
      {R"({"id":"w","quota":5,"quota":6})", "quota is there twice"},
      {R"({"id":"w","qouta":5})", "did you mean quota?"},
      {R"({"id":"w","quota":{"a":1}})", "quota must be a single value"},
      {R"({"id":"w","quota":[5]})", "quota must be a single value"},
      {R"({"quota":5})", "id is missing"},
      {R"({"id":"w"})", "quota is missing"},
      {R"({"id":"w","quota":0})", "quota"},
      {R"({"id":"w","quota":-1})", "quota"},
      {R"({"id":"w","quota":1.5})", "quota"},
      {R"({"id":"w","quota":"5"})", "quota"},
      {R"({"id":"w","quota":true})", "quota"},
      {R"({"id":"w","quota":1000000000})", "quota_max"},
      {R"({"id":"w","quota":4294967297})", "quota"},
      {R"({"id":"w","quota":1000000000000000000000000})", "quota"},
      {R"({"id":"UPPER","quota":5})", "id"},
      {R"({"id":"","quota":5})", "id"},
      {R"({"id":7,"quota":5})", "id must be a text"},
      {R"({"id":")" + std::string(64, 'x') + R"(","quota":5})", "id"},
      {R"({"id":"w","quota":5,"name":")" + std::string(201, 'x') + R"("})", "name"},
      {R"({"id":"w","quota":5,"opens_at":"tomorrow"})", "opens_at"},
      {R"({"id":"w","quota":5,"opens_at":5})", "opens_at"},
      {R"({"id":"w","quota":5,"opens_at":"2099-02-30T00:00:00Z"})", "opens_at"},
      {R"({"id":"w","quota":5,"opens_at":"2099-01-02T00:00:00Z","closes_at":"2099-01-01T00:00:00Z"})", "closes_at"},
      {R"({"id":"w","quota":5,"issue_rate":-1})", "issue_rate"},
      {R"({"id":"w","quota":5,"issue_rate":"fast"})", "issue_rate"},
      {R"({"id":"w","quota":5,"issue_rate":1e999})", "JSON"},
      {R"({"id":"w","quota":5,"promise":"moon"})", "promise"},
  };
  for (const Case& c : cases) {
    const auto answer = ask(admin_port_, request("POST", "/v1/campaigns", "", c.body));
    expect_problem(answer, 400, c.word == "JSON" || c.word == "object" ? "bad-json" : "bad-field");
    EXPECT_TRUE(Json::parse(answer.body)["detail"].get<std::string>().contains(c.word)) << c.body << answer.body;
  }
  expect_problem(ask(admin_port_, request("POST", "/v1/campaigns")), 400, "bad-json");
  EXPECT_TRUE(standings_.campaigns().empty());
}

TEST_F(RoutesTest, what_may_be_changed_is_changed) {
  open("lunch", 5);
  const auto patch = [](std::string_view body) { return request("PATCH", "/v1/campaigns/lunch", "", body); };
  const auto raised = admin_and_commit(patch(R"({"quota":7,"closes_at":"2099-01-01T00:00:00Z","paused":true})"), 3);
  EXPECT_EQ(raised.status, 200) << raised.body;
  EXPECT_EQ(Json::parse(raised.body)["quota"], 7);
  EXPECT_EQ(Json::parse(raised.body)["state"], "paused");
  EXPECT_EQ(Json::parse(raised.body)["closes_at"], "2099-01-01T00:00:00.000Z");
  EXPECT_EQ(ask(admin_port_, patch(R"({"quota":7,"paused":true})")).status, 200);
  expect_problem(ask(admin_port_, patch(R"({"quota":6})")), 409, "quota-not-raised");
  for (const auto* body : {"{}", R"({"quota":0})", R"({"quota":1000000000})", R"({"closed":false})", R"({"paused":1})",
                           R"({"closes_at":null})", R"({"quota":8,"closes_at":null})", R"({"closes_at":"late"})",
                           R"({"id":"other"})", R"({"quota":8,"quota":9})"}) {
    expect_problem(ask(admin_port_, patch(body)), 400, "bad-field");
  }
  expect_problem(ask(admin_port_, patch("{")), 400, "bad-json");
  expect_problem(ask(admin_port_, request("PATCH", "/v1/campaigns/nosuch", "", R"({"quota":9})")), 404, "no-campaign");
  EXPECT_EQ(admin_and_commit(patch(R"({"closed":true})")).status, 200);
  expect_problem(ask(admin_port_, patch(R"({"quota":9})")), 409, "closed");
}

TEST_F(RoutesTest, two_operators_at_once_and_a_journal_that_does_not_take_it) {
  open("lunch", 5);
  const std::string pause = request("PATCH", "/v1/campaigns/lunch", "", R"({"paused":true})");
  const std::string close = request("PATCH", "/v1/campaigns/lunch", "", R"({"closes_at":"2099-01-01T00:00:00Z"})");
  TestClient first(admin_port_);
  TestClient second(admin_port_);
  ASSERT_TRUE(first.send(pause));
  ASSERT_TRUE(eventually([&] { return loop_.counters().exchanges_waiting.value() == 1; }));
  ASSERT_TRUE(second.send(close));
  ASSERT_TRUE(eventually([&] { return loop_.counters().exchanges_waiting.value() == 2; }));
  commit();
  EXPECT_EQ(first.read_answer()->status, 200);
  expect_problem(*second.read_answer(), 409, "changed-meanwhile");

  on_loop([&] { journal_.full = true; });
  const auto full = ask(admin_port_, request("POST", "/v1/campaigns", "", R"({"id":"more","quota":5})"));
  expect_problem(full, 503, "unavailable");
  EXPECT_TRUE(asks_back(full));
}

TEST_F(RoutesTest, campaigns_come_in_pages_in_the_order_of_creation) {
  for (const auto* id : {"c", "a", "b"}) open(id, 1);
  const auto page = [&](std::string_view query) {
    return Json::parse(ask(admin_port_, request("GET", "/v1/campaigns" + std::string(query))).body);
  };
  EXPECT_EQ(page("")["campaigns"].size(), 3U);
  EXPECT_TRUE(page("")["next"].is_null());
  EXPECT_EQ(page("?limit=2")["campaigns"][1]["campaign"], "a");
  EXPECT_EQ(page("?limit=2")["next"], "a");
  EXPECT_EQ(page("?limit=2&after=a")["campaigns"][0]["campaign"], "b");
  EXPECT_TRUE(page("?limit=1&after=a")["next"].is_null());
  EXPECT_EQ(page("?after=b")["campaigns"].size(), 0U);
  for (const auto* query :
       {"?limit=x", "?limit=0", "?limit=1001", "?limit=", "?limit=1&limit=2", "?limt=1", "?after=nosuch"}) {
    expect_problem(ask(admin_port_, request("GET", "/v1/campaigns" + std::string(query))), 400, "bad-field");
  }
  EXPECT_TRUE(ask(admin_port_, request("GET", "/v1/campaigns?limt=1")).body.contains("did you mean limit?"));
}

TEST_F(RoutesTest, coupons_come_as_json_lines_and_csv) {
  open("lunch", 5);
  for (std::uint32_t rank = 1; rank <= 3; ++rank) {
    store_.rows.push_back({.campaign = "lunch",
                           .rank = rank,
                           .user = rank == 2 ? "a,\"b" : "u" + std::to_string(rank),
                           .position = 10 + rank,
                           .issued_at = clock_.now()});
  }
  const std::string path = "/v1/campaigns/lunch/coupons";
  const auto all = Json::parse(ask(admin_port_, request("GET", path)).body);
  ASSERT_EQ(all["coupons"].size(), 3U);
  EXPECT_TRUE(all["next"].is_null());
  EXPECT_EQ(all["coupons"][1]["user"], "a,\"b");
  EXPECT_EQ(all["coupons"][1]["position"], 12);
  EXPECT_EQ(all["coupons"][0]["issued_at"], to_rfc3339(clock_.now()));
  EXPECT_EQ(Json::parse(ask(admin_port_, request("GET", path + "?limit=2")).body)["next"], 2);
  EXPECT_EQ(Json::parse(ask(admin_port_, request("GET", path + "?after=2")).body)["coupons"][0]["rank"], 3);

  const auto lines = ask(admin_port_, request("GET", path + "?format=jsonl&limit=2"));
  EXPECT_TRUE(lines.has("Content-Type: application/x-ndjson"));
  EXPECT_TRUE(lines.has("Next-After: 2"));
  EXPECT_EQ(std::ranges::count(lines.body, '\n'), 2);
  const auto table = ask(admin_port_, request("GET", path + "?format=csv"));
  EXPECT_TRUE(table.body.starts_with("rank,user,code,position,issued_at\r\n1,u1,")) << table.body;
  EXPECT_TRUE(table.body.contains("\r\n2,\"a,\"\"b\",")) << table.body;
  EXPECT_FALSE(table.head.contains("Next-After"));

  expect_problem(ask(admin_port_, request("GET", path + "?format=xml")), 400, "bad-field");
  expect_problem(ask(admin_port_, request("GET", path + "?after=-1")), 400, "bad-field");
  expect_problem(ask(admin_port_, request("GET", "/v1/campaigns/nosuch/coupons")), 404, "no-campaign");
  on_loop([&] { store_.broken = true; });
  const auto broken = ask(admin_port_, request("GET", path));
  expect_problem(broken, 503, "unavailable");
  EXPECT_FALSE(broken.body.contains("fire")) << "the inside of a fault is for the log";
  on_loop([&] { issuer_is_busy_ = true; });
  expect_problem(ask(admin_port_, request("GET", path)), 503, "unavailable");
}

TEST_F(RoutesTest, parked_coupons_are_shown_and_tried_again) {
  EXPECT_EQ(ask(admin_port_, request("GET", "/v1/parked")).body, R"({"parked":[]})");
  on_loop([&] {
    store_.parked_entries.push_back({.number = 2,
                                     .coupon = {.campaign = "lunch", .rank = 5, .user = "u5"},
                                     .reason = "not \"her\"",
                                     .parked_at = clock_.now()});
  });
  const auto parked = Json::parse(ask(admin_port_, request("GET", "/v1/parked")).body)["parked"][0];
  EXPECT_EQ(parked["number"], 2);
  EXPECT_EQ(parked["campaign"], "lunch");
  EXPECT_EQ(parked["reason"], "not \"her\"");
  EXPECT_EQ(ask(admin_port_, request("POST", "/v1/parked/1/retry")).status, 200);
  const auto still = ask(admin_port_, request("POST", "/v1/parked/2/retry"));
  expect_problem(still, 409, "still-refused");
  EXPECT_TRUE(still.body.contains("not her"));
  expect_problem(ask(admin_port_, request("POST", "/v1/parked/3/retry")), 404, "not-parked");
  for (const auto* number : {"x", "-1", "1x", "99999999999999999999"}) {
    expect_problem(ask(admin_port_, request("POST", "/v1/parked/" + std::string(number) + "/retry")), 400, "bad-field");
  }
  on_loop([&] { store_.broken = true; });
  expect_problem(ask(admin_port_, request("POST", "/v1/parked/1/retry")), 503, "unavailable");
  expect_problem(ask(admin_port_, request("GET", "/v1/parked")), 503, "unavailable");
}

TEST_F(RoutesTest, a_store_that_hangs_is_not_waited_for) {
  open("lunch", 5);
  on_loop([&] { store_hangs_ = true; });
  const std::vector<std::string> questions{request("GET", "/v1/campaigns/lunch/coupons"), request("GET", "/v1/parked"),
                                           request("POST", "/v1/parked/1/retry")};
  std::deque<TestClient> clients;
  for (const auto& question : questions) ASSERT_TRUE(clients.emplace_back(admin_port_).send(question));
  ASSERT_TRUE(eventually([&] { return loop_.counters().exchanges_waiting.value() == 3; }));
  on_loop([&] {
    clock_.advance(limits::store_answer_ms_max - 1ms);
    admin_->tick();
  });
  EXPECT_EQ(loop_.counters().exchanges_waiting.value(), 3U);
  on_loop([&] {
    clock_.advance(1ms);
    admin_->tick();
  });
  for (auto& client : clients) {
    const auto answer = client.read_answer().value_or(TestClient::Answer{});
    expect_problem(answer, 503, "unavailable");
    EXPECT_TRUE(asks_back(answer));
  }
  // It comes to itself: what it says now is for nobody, least of all for the next request on the same connection.
  ASSERT_TRUE(clients[0].send(questions[1]));
  ASSERT_TRUE(eventually([&] { return loop_.counters().exchanges_waiting.value() == 1; }));
  on_loop([&] {
    store_hangs_ = false;
    for (const auto& work : std::exchange(hanging_, {})) work(issuer_, store_);
  });
  EXPECT_EQ(clients[0].read_answer()->body, R"({"parked":[]})");
  on_loop([&] {
    clock_.advance(limits::store_answer_ms_max * 2);
    admin_->tick();
  });
  for (auto& client : clients) EXPECT_TRUE(client.has_nothing_to_read());
}

TEST_F(RoutesTest, the_admin_listener_wants_its_token) {
  on_loop([&] { make_admin("s3cret"); });
  for (const auto* fields :
       {"Authorization: Bearer wrong\r\n", "Authorization: Bearer s3cre\r\n", "Authorization: Bearer\r\n",
        "Authorization: Basic s3cret\r\n", "Authorization: s3cret\r\n",
        "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n"}) {
    const auto answer = ask(admin_port_, request("GET", "/v1/campaigns", fields));
    expect_problem(answer, 401, "wrong-token");
    EXPECT_TRUE(answer.has("WWW-Authenticate: Bearer"));
  }
  expect_problem(ask(admin_port_, request("GET", "/v1/campaigns")), 401, "no-token");
  EXPECT_EQ(ask(admin_port_, request("GET", "/v1/campaigns", "authorization: bearer s3cret\r\n")).status, 200);
  for (const auto* path : {"/metrics", "/livez", "/readyz"})
    EXPECT_EQ(ask(admin_port_, request("GET", path)).status, 200);
}

TEST_F(RoutesTest, without_a_token_no_web_page_may_act_for_the_operator) {
  open("lunch", 5);
  const std::string close = R"({"closed":true})";
  expect_problem(ask(admin_port_, request("PATCH", "/v1/campaigns/lunch", "Origin: http://evil.example\r\n", close)),
                 403, "foreign-origin");
  expect_problem(ask(admin_port_, request("PATCH", "/v1/campaigns/lunch", "Origin: null\r\n", close)), 403,
                 "foreign-origin");
  EXPECT_EQ(admin_and_commit(request("PATCH", "/v1/campaigns/lunch", "Origin: http://h\r\n", close)).status, 200);
}

/// A page of evil.test whose name was made to lead to 127.0.0.1 is, for the browser, of the origin that it asks.
TEST_F(RoutesTest, without_a_token_only_requests_for_this_machine_are_answered) {
  open("lunch", 5);
  const auto with_host = [](std::string_view line, std::string_view host, std::string_view fields = "") {
    return fmt::format("{} HTTP/1.1\r\nHost: {}\r\n{}\r\n", line, host, fields);
  };
  for (const auto* host :
       {"localhost", "LocalHost:8081", "127.0.0.1:8081", "127.8.9.10", "[::1]:8081", "h", "H:8081"}) {
    EXPECT_EQ(ask(admin_port_, with_host("GET /v1/campaigns", host)).status, 200) << host;
  }
  for (const auto* host : {"evil.test:8081", "127.evil.test", "127.0.0.1.evil.test:8081", "localhost.evil.test",
                           "h.test", "10.0.0.1", "[::2]", "::1", "[]", ":8081", "2130706433"}) {
    expect_problem(ask(admin_port_, with_host("GET /v1/campaigns/lunch/coupons", host)), 403, "foreign-host");
    const std::string own_origin = fmt::format("Origin: http://{}\r\nContent-Length: 0\r\n", host);
    expect_problem(ask(admin_port_, with_host("PATCH /v1/campaigns/lunch", host, own_origin)), 403, "foreign-host");
    for (const auto* line : {"GET /metrics", "GET /livez", "GET /readyz"})
      EXPECT_EQ(ask(admin_port_, with_host(line, host)).status, 200) << host;
  }
  expect_problem(ask(admin_port_, "GET /v1/campaigns HTTP/1.0\r\n\r\n"), 403, "foreign-host");
  on_loop([&] { make_admin("s3cret"); });
  const auto proxied = with_host("GET /v1/campaigns", "admin.example", "Authorization: Bearer s3cret\r\n");
  EXPECT_EQ(ask(admin_port_, proxied).status, 200);
}

TEST_F(RoutesTest, metrics_are_text) {
  const auto metrics = ask(admin_port_, request("GET", "/metrics"));
  EXPECT_EQ(metrics.body, "firstcome_build_info 1\n");
  EXPECT_TRUE(metrics.has("Content-Type: text/plain; version=0.0.4; charset=utf-8"));
}

/// Whatever changes about a campaign, what is kept for the refused stays few.
TEST(Answers, keep_a_few_responses_a_campaign) {
  Standings standings;
  standings.apply({1, Time{}, Opened{.campaign = "lunch", .quota = 1}});
  Answers answers;
  const Campaign* const lunch = standings.find("lunch");
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const Answer answer{.kind = AnswerKind::sold_out, .campaign = lunch, .quota = i % 50};
    EXPECT_EQ(Json::parse(answers.of_claim(answer, Wins::known).body())["quota"], i % 50);
  }
  const Answer same{.kind = AnswerKind::sold_out, .campaign = lunch, .quota = 49};
  EXPECT_EQ(&answers.of_claim(same, Wins::known), &answers.of_claim(same, Wins::known));
}

}  // namespace
}  // namespace firstcome::http
