// A rush against scripted servers on real sockets: who asks again and who does not, what is written down, that latency
// counts from the intended time, and that a promise which a server breaks is found.
#include "rush/rush.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "client/scripted_server.h"
#include "model/code.h"
#include "verify/history.h"

namespace firstcome::rush {
namespace {

using client::Heard;
using client::Reply;
using client::ScriptedServer;

Reply won(std::string_view user, std::uint32_t rank, int status = 201) {
  const auto code = to_text(Code{static_cast<std::uint8_t>(rank), static_cast<std::uint8_t>(rank >> 8), 1});
  return Reply::json(status, R"({"campaign":"lunch","user":")" + std::string(user) + R"(","answer":"won","rank":)" +
                                 std::to_string(rank) + R"(,"code":")" + code +
                                 R"(","claimed_at":"2026-11-24T09:00:00.000Z"})");
}

Reply problem(int status, std::string_view slug, std::string_view more = "", std::string_view headers = "") {
  return Reply::json(status,
                     R"({"type":"https://firstcome.dev/problems/)" + std::string(slug) + "\"" + std::string(more) + "}",
                     headers);
}

Reply sold_out(std::uint32_t quota) { return problem(409, "sold-out", ",\"quota\":" + std::to_string(quota)); }

Reply campaign(std::uint32_t quota) {
  return Reply::json(200, R"({"id":"lunch","quota":)" + std::to_string(quota) + "}");
}

/// Keeps every promise, in memory.
class Shop {
 public:
  explicit Shop(std::uint32_t quota) : quota_(quota) {}

  Reply operator()(const Heard& heard) {
    if (heard.method == "GET") return campaign(quota_);
    std::lock_guard lock(mutex_);
    const auto user = heard.header("X-User");
    seen_[user].push_back(heard);
    const auto known = ranks_.find(user);
    if (known != ranks_.end()) return won(user, known->second, 200);
    if (ranks_.size() == quota_) return sold_out(quota_);
    return won(user, ranks_[user] = static_cast<std::uint32_t>(ranks_.size()) + 1);
  }

  std::map<std::string, std::vector<Heard>> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  const std::uint32_t quota_;
  mutable std::mutex mutex_;
  std::map<std::string, std::uint32_t> ranks_;
  std::map<std::string, std::vector<Heard>> seen_;
};

class RushTest : public testing::Test {
 protected:
  RushTest() {
    char name[] = "/tmp/rush_test.XXXXXX";
    folder_ = mkdtemp(name);
    options.campaign = "lunch";
    options.connections = 4;
    options.users = 1;
    options.seconds_max = 20;
    options.history_path = folder_ + "/history";
  }
  ~RushTest() override { std::filesystem::remove_all(folder_); }

  /// Runs against one server that answers GET with quota 1000, and POST with the script.
  Report rush(const ScriptedServer::Script& script) {
    ScriptedServer server([&](const Heard& heard) { return heard.method == "GET" ? campaign(1000) : script(heard); });
    return rush_at({server.url()});
  }
  Report rush_at(const std::vector<std::string>& urls) {
    options.urls = urls;
    auto report = run(options);
    EXPECT_TRUE(report) << report.error().what;
    return report ? std::move(*report) : Report();
  }
  std::vector<verify::Attempt> history() const { return verify::read_history(options.history_path).value(); }
  std::vector<std::string> answers() const {
    std::vector<std::string> words;
    for (const auto& attempt : history()) words.push_back(attempt.answer);
    return words;
  }
  std::string refusal() const {
    const auto report = run(options);
    return report ? "none" : report.error().what;
  }

  Options options;

 private:
  std::string folder_;
};

using Words = std::vector<std::string>;

TEST_F(RushTest, everybody_gets_a_final_answer) {
  Shop shop(100);
  ScriptedServer server([&](const Heard& heard) { return shop(heard); });
  options.users = 1'000;
  options.repeat = 0.2;
  options.connections = 16;
  const auto report = rush_at({server.url()});
  EXPECT_EQ(report.ending, Ending::all_answered);
  EXPECT_EQ(of(report.users_told, Told::won), 100u);
  EXPECT_EQ(of(report.users_told, Told::sold_out), 900u);
  EXPECT_EQ(report.users_without_final, 0u);
  EXPECT_EQ(report.winners, 100u);
  EXPECT_EQ(report.rank_max, 100u);
  EXPECT_EQ(report.quota, 100u);
  EXPECT_TRUE(report.kept());
  EXPECT_NEAR(static_cast<double>(report.repeats), 200, 50);
  EXPECT_EQ(report.attempts, 1'000 + report.repeats);
  EXPECT_EQ(report.retries, 0u);
  EXPECT_EQ(report.latency.count(), report.attempts);
  EXPECT_EQ(report.waited.count(), report.attempts);
  EXPECT_EQ(report.connections_opened, 16u);
}

TEST_F(RushTest, repeats_come_on_other_connections) {
  Shop shop(5);
  ScriptedServer server([&](const Heard& heard) { return shop(heard); });
  options.users = 200;
  options.repeat = 1;
  EXPECT_TRUE(rush_at({server.url()}).kept());
  for (const auto& [user, claims] : shop.seen()) {
    ASSERT_EQ(claims.size(), 2u) << user;
    EXPECT_NE(claims[0].connection, claims[1].connection) << user;
  }
}

TEST_F(RushTest, a_free_connection_is_for_the_next_who_can_use_it) {
  // One of two connections is held up. Who came second on the other one is to ask again on the one that is held up, and
  // meanwhile whoever comes later is not kept waiting behind.
  options.users = 6;
  options.rate = 20;
  options.arrival = Arrival::step;
  options.connections = 2;
  std::vector<std::string> order;
  const auto report = rush([&](const Heard& heard) {
    order.push_back(heard.header("X-User"));
    if (order.size() == 2) return Reply::json(202, "{}", "Retry-After: 0\r\n");
    auto reply = sold_out(1);
    if (order.size() == 1) reply.after = Millis(2'000);
    return reply;
  });
  ASSERT_EQ(order.size(), 7u);
  EXPECT_EQ(order[6], order[1]);
  EXPECT_EQ(report.first_attempts, 6u);
}

TEST_F(RushTest, a_claim_is_what_the_options_say) {
  std::promise<Heard> first;
  options.identity_header = "X-Visitor";
  options.user_prefix = "anna-";
  options.user_first = 7;
  ScriptedServer server([&](const Heard& heard) {
    if (heard.method == "GET") return campaign(1);
    first.set_value(heard);
    return won("anna-7", 1);
  });
  rush_at({server.url()});
  const auto heard = first.get_future().get();
  EXPECT_EQ(heard.head, "POST /v1/campaigns/lunch/claims HTTP/1.1\r\nHost: " + server.url().substr(7) +
                            "\r\nX-Visitor: anna-7\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(RushTest, asks_again_until_it_is_final) {
  const auto report = rush([](const Heard& heard) -> Reply {
    switch (heard.nth) {
      case 1:
        return Reply::json(202, "{}", "Retry-After: 0\r\n");
      case 2:
        return problem(503, "unavailable", "", "Retry-After: 0\r\n");
      case 3:
        return problem(403, "not-open", "", "Retry-After: 0\r\n");
      case 4:
        return problem(403, "paused", "", "Retry-After: 0\r\n");
      case 5:
        return problem(429, "too-many", "", "Retry-After: 0\r\n");
      case 6:
        return Reply::cut();
      default:
        return won("u1", 1);
    }
  });
  EXPECT_EQ(answers(), (Words{"pending", "fault", "not_open", "paused", "refused", "cut", "won"}));
  EXPECT_EQ(report.retries, 6u);
  EXPECT_EQ(report.attempts, 7u);
  EXPECT_EQ(report.waited.count(), 1u);
  EXPECT_GT(report.waited.max(), report.latency.max()) << "the wait of a user spans its attempts";
  EXPECT_EQ(of(report.users_told, Told::won), 1u);
}

TEST_F(RushTest, sold_out_closed_and_refused_are_not_asked_again) {
  options.users = 3;
  const auto report = rush([](const Heard& heard) {
    const auto user = heard.header("X-User");
    return user == "u1" ? sold_out(9) : user == "u2" ? problem(410, "closed") : problem(401, "no-identity");
  });
  EXPECT_EQ(report.attempts, 3u);
  EXPECT_EQ(of(report.users_told, Told::closed), 1u);
  EXPECT_EQ(report.users_without_final, 1u);
  const auto all = history();
  const auto first = std::ranges::find(all, std::string("sold_out"), &verify::Attempt::answer);
  ASSERT_NE(first, all.end());
  EXPECT_EQ(first->quota, 9u);
  EXPECT_EQ(first->status, 409);
}

TEST_F(RushTest, honours_retry_after_with_jitter_on_top) {
  options.users = 20;
  options.connections = 20;
  const auto report = rush([&](const Heard& heard) {
    return heard.nth <= 20 ? problem(503, "busy", "", "Retry-After: 1\r\n")
                           : won(heard.header("X-User"), static_cast<std::uint32_t>(heard.nth));
  });
  EXPECT_EQ(report.retries, 20u);
  std::map<std::string, std::int64_t> returned;
  std::set<std::int64_t> waits;
  for (const auto& attempt : history()) {
    if (attempt.answer == "fault") {
      returned[attempt.user] = *attempt.return_us;
      continue;
    }
    const auto wait = attempt.call_us - returned[attempt.user];
    EXPECT_GE(wait, 1'000'000) << attempt.user;
    waits.insert(wait / 10'000);
  }
  EXPECT_GT(waits.size(), 5u) << "a crowd that was refused at once must not come back at once";
}

TEST_F(RushTest, a_long_retry_after_is_cut_down) {
  options.retry_after_ms_max = Millis(30);
  const auto report = rush([](const Heard& heard) {
    return heard.nth == 1 ? problem(503, "busy", "", "Retry-After: 9000\r\n") : won("u1", 1);
  });
  EXPECT_EQ(report.retries, 1u);
}

TEST_F(RushTest, an_answer_cut_in_its_middle_is_no_answer) {
  const auto report = rush([](const Heard& heard) -> Reply {
    auto whole = won("u1", 1);
    if (heard.nth == 1) return {.bytes = whole.bytes.substr(0, whole.bytes.size() - 5), .close = true};
    return whole;
  });
  EXPECT_EQ(answers(), (Words{"cut", "won"}));
  EXPECT_EQ(of(report.attempts_told, Told::cut), 1u);
  const auto all = history();
  EXPECT_FALSE(all[0].return_us);
  EXPECT_EQ(all[0].status, 0);
  EXPECT_GT(all[1].call_us, all[0].call_us);
}

TEST_F(RushTest, answers_may_come_in_pieces) {
  options.users = 3;
  const auto report = rush([](const Heard& heard) {
    auto reply = won(heard.header("X-User"), static_cast<std::uint32_t>(heard.nth));
    reply.drip = Millis(1);
    return reply;
  });
  EXPECT_EQ(of(report.attempts_told, Told::won), 3u);
  EXPECT_EQ(report.attempts, 3u);
}

TEST_F(RushTest, a_late_answer_is_cut_and_never_taken_for_another) {
  options.connections = 1;
  options.answer_ms_max = Millis(300);
  const auto report = rush([](const Heard& heard) {
    auto reply = won("u1", heard.nth == 1 ? 7 : 1);
    if (heard.nth == 1) reply.after = Millis(600);
    return reply;
  });
  EXPECT_EQ(answers(), (Words{"cut", "won"}));
  EXPECT_EQ(report.overdue, 1u);
  EXPECT_EQ(report.rank_max, 1u);
  EXPECT_EQ(report.latency.count(), 2u) << "the slowest are not left out";
  EXPECT_GE(report.latency.max(), 300'000);
  EXPECT_GE(report.service.max(), 300'000);
}

TEST_F(RushTest, the_history_holds_every_attempt_with_times_around_it) {
  options.users = 50;
  options.repeat = 1;
  Shop shop(20);
  ScriptedServer server([&](const Heard& heard) { return shop(heard); });
  const auto before =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
  const auto report = rush_at({server.url()});
  const auto all = history();
  ASSERT_EQ(all.size(), 100u);
  std::map<std::string, std::set<std::pair<std::uint32_t, std::string>>> coupons;
  for (const auto& attempt : all) {
    EXPECT_EQ(attempt.campaign, "lunch");
    EXPECT_GE(attempt.call_us, before.count());
    ASSERT_TRUE(attempt.return_us);
    EXPECT_GT(*attempt.return_us, attempt.call_us);
    if (attempt.answer == "won") coupons[attempt.user].emplace(attempt.rank, attempt.code);
  }
  EXPECT_EQ(coupons.size(), 20u);
  for (const auto& [user, coupon] : coupons) EXPECT_EQ(coupon.size(), 1u) << user;
}

TEST_F(RushTest, latency_counts_from_the_intended_time) {
  // 1,000 claims a second for a second; in its middle the server stalls for 200 ms. A closed loop would hold four
  // claims back and see four slow answers of a thousand. A fifth of the users were to ask during the stall, and waited
  // up to 200 ms.
  options.users = 1'000;
  options.rate = 1'000;
  std::mutex mutex;
  std::condition_variable never;
  const auto report = rush([&](const Heard& heard) {
    if (heard.nth == 500) {
      std::unique_lock lock(mutex);
      never.wait_for(lock, std::chrono::milliseconds(200), [] { return false; });
    }
    return sold_out(1);
  });
  EXPECT_GT(report.latency.quantile(0.99), 150'000);
  EXPECT_GT(report.latency.quantile(0.9), 60'000);
  EXPECT_LT(report.service.quantile(0.99), report.latency.quantile(0.99) / 2);
  EXPECT_GT(report.queued.quantile(0.99), report.latency.quantile(0.99) / 2) << "the rest is the wait for a connection";
}

TEST_F(RushTest, arrivals_keep_their_times) {
  options.users = 200;
  options.arrival = Arrival::poisson;
  options.rate = 1'000;
  const auto report = rush([](const Heard&) { return sold_out(1); });
  EXPECT_GT(report.seconds, 0.1);
  EXPECT_LT(report.latency.quantile(0.5), 100'000) << "all at once would be half of the time";
}

TEST_F(RushTest, broken_promises_are_found) {
  options.users = 2;
  options.behind_ms_max = Millis(100);
  auto report = rush([](const Heard& heard) { return won(heard.header("X-User"), 1); });
  EXPECT_EQ(report.broken, 2u) << "the rank and the code";
  EXPECT_FALSE(report.kept());
  EXPECT_NE(report.sentences.at(0).find("rank 1 was given to"), std::string::npos);

  report =
      rush([](const Heard& heard) { return won(heard.header("X-User"), heard.header("X-User") == "u1" ? 1 : 1001); });
  ASSERT_EQ(report.broken, 1u);
  EXPECT_EQ(report.sentences.at(0), "u2 was told rank 1001, and the quota is 1000");
}

TEST_F(RushTest, a_raise_on_the_way_breaks_nothing) {
  int asked = 0;
  ScriptedServer server([&](const Heard& heard) {
    if (heard.method == "GET")
      return campaign(++asked < 4 ? 1 : 2);  // and the server that is asked is behind for a while
    return won(heard.header("X-User"), heard.header("X-User") == "u1" ? 1 : 2);
  });
  options.users = 2;
  const auto report = rush_at({server.url()});
  EXPECT_TRUE(report.kept());
  EXPECT_EQ(report.quota, 2u);
}

TEST_F(RushTest, an_answer_that_is_not_ours_is_cut_and_counted) {
  const auto report = rush([](const Heard& heard) -> Reply {
    if (heard.nth == 1) return Reply::json(201, R"({"answer":"won"})");
    if (heard.nth == 2) return {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"};
    if (heard.nth == 3) return {.bytes = sold_out(1).bytes + sold_out(1).bytes};
    return won("u1", 1);
  });
  EXPECT_EQ(answers(), (Words{"cut", "cut", "cut", "won"}));
  EXPECT_EQ(report.malformed, 3u);
  EXPECT_EQ(report.malformed_sample, R"(201 {"answer":"won"})");
}

TEST_F(RushTest, a_user_with_one_final_answer_has_it) {
  options.repeat = 1;
  options.attempts_max = 1;
  const auto report = rush([](const Heard& heard) { return heard.nth == 1 ? won("u1", 1) : Reply::json(202, "{}"); });
  EXPECT_EQ(of(report.attempts_told, Told::pending), 1u);
  EXPECT_EQ(of(report.users_told, Told::won), 1u);
  EXPECT_EQ(report.users_without_final, 0u);
}

TEST_F(RushTest, attempts_are_bounded) {
  options.attempts_max = 3;
  options.retry_after_ms_max = Millis(20);
  const auto report = rush([](const Heard&) { return Reply::json(202, "{}", "Retry-After: 1\r\n"); });
  EXPECT_EQ(report.ending, Ending::all_answered);
  EXPECT_EQ(report.attempts, 3u);
  EXPECT_EQ(report.users_without_final, 1u);
  EXPECT_EQ(of(report.users_told, Told::pending), 1u);
}

TEST_F(RushTest, time_is_bounded) {
  options.persist = true;
  options.seconds_max = 0.3;
  options.users = 100;
  options.rate = 100;
  options.retry_after_ms_max = Millis(20);
  const auto report = rush([](const Heard&) { return Reply::json(202, "{}", "Retry-After: 1\r\n"); });
  EXPECT_EQ(report.ending, Ending::time_over);
  EXPECT_GT(report.users_never_asked, 0u);
  EXPECT_EQ(report.users_without_final + report.users_never_asked, 100u);
}

TEST_F(RushTest, can_be_stopped_and_still_reports) {
  std::atomic<bool> stop = false;
  options.stop = &stop;
  options.users = 1'000;
  options.rate = 100;
  const auto report = rush([&](const Heard& heard) {
    if (heard.nth == 10) stop = true;
    return sold_out(1);
  });
  EXPECT_EQ(report.ending, Ending::stopped);
  EXPECT_GE(report.attempts, 10u);
  EXPECT_EQ(history().size(), report.attempts);
}

TEST_F(RushTest, what_is_in_flight_at_the_end_is_in_the_history) {
  std::atomic<bool> stop = false;
  options.stop = &stop;
  const auto report = rush([&](const Heard&) -> Reply {
    stop = true;
    return {.after = std::chrono::hours(1)};
  });
  EXPECT_EQ(answers(), Words{"cut"});
  EXPECT_EQ(report.attempts, 1u);
}

TEST_F(RushTest, outlives_a_server_that_restarts) {
  Shop shop(500);
  const ScriptedServer::Script script = [&](const Heard& heard) { return shop(heard); };
  std::promise<void> half;
  auto first = std::make_unique<ScriptedServer>([&](const Heard& heard) {
    if (heard.nth == 300) half.set_value();
    return heard.nth < 300 ? script(heard) : Reply{.after = std::chrono::hours(1)};  // hangs until it is gone
  });
  const auto port = first->port();
  options.urls = {first->url()};
  options.users = 1'000;
  options.connections = 16;
  options.persist = true;
  auto running = std::async(std::launch::async, [&] { return run(options); });
  half.get_future().wait();
  first.reset();
  const ScriptedServer second(script, port);
  const auto report = running.get();
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->ending, Ending::all_answered);
  EXPECT_EQ(report->users_without_final, 0u);
  EXPECT_EQ(report->winners, 500u);
  EXPECT_TRUE(report->kept());
  EXPECT_GT(of(report->attempts_told, Told::cut), 0u);
  EXPECT_GT(report->connections_opened, 16u);
}

TEST_F(RushTest, waits_for_a_server_that_is_not_there_yet) {
  Shop shop(5);
  std::uint16_t port = 0;
  {
    const ScriptedServer gone([](const Heard&) { return Reply::cut(); });
    port = gone.port();
  }
  options.urls = {"http://127.0.0.1:" + std::to_string(port)};
  options.persist = true;
  std::promise<void> began;
  auto running = std::async(std::launch::async, [&] {
    return run(options, [&, told = false](const Progress&) mutable {
      if (!std::exchange(told, true)) began.set_value();
    });
  });
  began.get_future().wait();
  const ScriptedServer server([&](const Heard& heard) { return shop(heard); }, port);
  const auto report = running.get();
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(report->winners, 1u);
  EXPECT_EQ(report->quota, 5u);
  EXPECT_GT(report->connections_refused, 0u);
}

TEST_F(RushTest, gives_up_when_no_server_is_left) {
  options.unreachable_ms_max = Millis(100);
  options.ask_campaign = false;
  const auto report = rush([](const Heard&) -> Reply { return {.close = true, .stop_listening = true}; });
  EXPECT_EQ(report.ending, Ending::unreachable);
  EXPECT_EQ(report.users_without_final, 1u);
}

TEST_F(RushTest, several_servers_share_the_connections) {
  Shop shop(50);
  std::atomic<int> left = 0;
  std::atomic<int> right = 0;
  ScriptedServer one([&](const Heard& heard) { return ++left, shop(heard); });
  ScriptedServer other([&](const Heard& heard) { return ++right, shop(heard); });
  options.users = 400;
  EXPECT_EQ(rush_at({one.url(), other.url()}).winners, 50u);
  // How many each gets is the race of two servers; the first claim of each of the two connections is certain.
  EXPECT_GE(left, 2);
  EXPECT_GE(right, 2);
}

TEST_F(RushTest, one_dead_server_of_two_is_worked_around) {
  Shop shop(50);
  ScriptedServer server([&](const Heard& heard) { return shop(heard); });
  std::string dead;
  {
    const ScriptedServer gone([](const Heard&) { return Reply::cut(); });
    dead = gone.url();
  }
  options.users = 100;
  options.connections = 2;
  options.repeat = 1;
  EXPECT_EQ(rush_at({dead, server.url()}).winners, 50u);
}

TEST_F(RushTest, refuses_what_is_not_this_machine) {
  options.urls = {"http://192.0.2.1:8080"};
  EXPECT_NE(refusal().find("is not this machine"), std::string::npos);
  EXPECT_NE(refusal().find("--host-is-mine"), std::string::npos);
  EXPECT_EQ(run(options).error().kind, FaultKind::misconfigured);
}

TEST_F(RushTest, says_when_nothing_listens) {
  {
    const ScriptedServer gone([](const Heard&) { return Reply::cut(); });
    options.urls = {gone.url()};
  }
  for (const bool ask : {true, false}) {
    options.ask_campaign = ask;
    EXPECT_NE(refusal().find("is `firstcome serve` running?"), std::string::npos);
    EXPECT_EQ(run(options).error().kind, FaultKind::unavailable);
  }
}

TEST_F(RushTest, says_when_there_is_no_such_campaign) {
  ScriptedServer server([](const Heard&) { return problem(404, "no-campaign"); });
  options.urls = {server.url()};
  EXPECT_NE(refusal().find("firstcome campaign create lunch"), std::string::npos);
}

TEST_F(RushTest, a_history_that_cannot_be_written_ends_it) {
  Shop shop(1);
  ScriptedServer server([&](const Heard& heard) { return shop(heard); });
  options.urls = {server.url()};
  options.history_path = "/dev/full";
  EXPECT_NE(refusal().find("cannot write history /dev/full"), std::string::npos);
}

TEST_F(RushTest, each_option_is_checked) {
  const auto says = [](const Options& wrong) {
    const auto report = run(wrong);
    return report ? std::string("none") : report.error().what;
  };
  const auto with = [this](auto change) {
    Options changed = options;
    changed.urls = {"http://127.0.0.1:1"};
    change(changed);
    return changed;
  };
  EXPECT_NE(says(with([](Options& o) { o.campaign = "Lunch"; })).find("campaign id"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.urls = {}; })).find("--url"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.urls = {"x"}; })).find("http://"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.users = 0; })).find("--users"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.users = users_max + 1; })).find("--users"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.user_first = UINT32_MAX; })).find("--user-first"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.user_prefix = "a b"; })).find("--user-prefix"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.user_prefix = std::string(64, 'a'); })).find("--user-prefix"),
            std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.repeat = 1.5; })).find("--repeat"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.rate = -1; })).find("--rate"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.arrival = Arrival::ramp; })).find("--rate"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.seconds_max = 0; })).find("--seconds-max"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.connections = 0; })).find("--connections"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.attempts_max = 0; })).find("--attempts-max"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.identity_header = "X User"; })).find("--header"), std::string::npos);
  EXPECT_NE(says(with([](Options& o) { o.answer_ms_max = Millis(0); })).find("0 ms"), std::string::npos);
}

}  // namespace
}  // namespace firstcome::rush
