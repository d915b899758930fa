#include "http/loop.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "http/listener.h"
#include "http/test_client.h"

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;

/// /now answers at once, /later when it is told to, /big with so many bytes, /self by its own later answer.
class TestHandler : public Handler {
 public:
  explicit TestHandler(Loop& loop) : loop_(loop) {}

  void on_request(const Request& request, Exchange& exchange) override {
    ++requests;
    const auto text = [](std::string body) {
      return Response{.status = 200, .content_type = "text/plain", .fields = {}, .body = std::move(body)};
    };
    if (request.path == "/later") {
      waiting_ids.push_back(exchange.wait());
      ++waiting;
    } else if (request.path == "/self") {
      EXPECT_TRUE(loop_.answer(exchange.wait(), text("self " + std::string(request.query))));
    } else if (request.path == "/big") {
      exchange.answer(text(std::string(std::stoul(std::string(request.query)), 'b')));
    } else if (request.path == "/peer") {
      exchange.answer(text(request.peer.address_text() + (request.peer.port ? " with port" : "")));
    } else {
      exchange.answer(text(std::string(request.target) + std::string(request.body)));
    }
  }
  void on_left(ExchangeId id) override {
    EXPECT_EQ(id, waiting_ids.front());
    waiting_ids.pop_front();
    ++left;
  }

  /// On the loop's thread.
  bool answer_first(const std::string& body) {
    const ExchangeId id = waiting_ids.front();
    waiting_ids.pop_front();
    return loop_.answer(id, Response{.status = 200, .content_type = "text/plain", .fields = {}, .body = body});
  }

  std::deque<ExchangeId> waiting_ids;
  std::atomic<int> requests{0};
  std::atomic<int> waiting{0};
  std::atomic<int> left{0};

 private:
  Loop& loop_;
};

class LoopTest : public testing::Test {
 protected:
  void start() {
    listen();
    run();
  }
  void listen() {
    auto sockets = open_listening("127.0.0.1", 0, 1);
    ASSERT_TRUE(sockets) << sockets.error().what;
    port = sockets->port;
    loop.listen(std::move(sockets->sockets[0]), handler, limits);
  }
  void run() {
    thread = std::thread([this] {
      loop.run();
      returned = true;
    });
  }
  void TearDown() override {
    loop.stop();
    if (thread.joinable()) thread.join();
  }

  /// Runs on the loop's thread, and waits for it.
  template <class Work>
  auto on_loop(Work work) {
    std::promise<decltype(work())> done;
    loop.post([&] { done.set_value(work()); });
    return done.get_future().get();
  }
  std::uint64_t malformed(Malformed kind) { return loop.counters().malformed[static_cast<std::size_t>(kind)].value(); }

  static std::string get(std::string_view target) {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }

  SystemClock clock;
  Limits limits;
  Loop loop{clock};
  TestHandler handler{loop};
  std::uint16_t port = 0;
  std::thread thread;
  std::atomic<bool> returned{false};
};

TEST_F(LoopTest, answers_pipelined_requests_in_their_order) {
  start();
  TestClient client(port);
  std::string all;
  for (int i = 0; i < 2000; ++i) {  // more than one read takes
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
  }
  std::thread sender([&] { EXPECT_TRUE(client.send(all)); });
  for (int i = 0; i < 2000; ++i) {
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ(answer->body, "/" + std::to_string(i) + "body");
    EXPECT_FALSE(answer->head.contains("Connection"));
  }
  sender.join();
  EXPECT_EQ(loop.counters().requests.value(), 2000U);
  EXPECT_EQ(loop.counters().bytes_in.value(), all.size());
}

TEST_F(LoopTest, answers_a_request_that_comes_byte_by_byte) {
  start();
  TestClient client(port);
  for (const char c :
       "PUT /drip HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + get("/2")) {
    ASSERT_TRUE(client.send({&c, 1}));
  }
  EXPECT_EQ(client.read_answer()->body, "/dripabc");
  EXPECT_EQ(client.read_answer()->body, "/2");
}

TEST_F(LoopTest, looks_at_no_further_request_while_an_exchange_waits) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/first") + get("/later") + get("/third") + get("/later") + get("/fifth")));
  EXPECT_EQ(client.read_answer()->body, "/first");
  ASSERT_TRUE(eventually([&] { return handler.waiting == 1; }));
  EXPECT_EQ(handler.requests, 2);
  EXPECT_EQ(loop.counters().exchanges_waiting.value(), 1U);
  ASSERT_TRUE(client.send(get("/sixth")));
  EXPECT_TRUE(on_loop([&] { return handler.answer_first("second"); }));
  EXPECT_EQ(client.read_answer()->body, "second");
  EXPECT_EQ(client.read_answer()->body, "/third");
  ASSERT_TRUE(eventually([&] { return handler.waiting == 2; }));
  EXPECT_TRUE(client.has_nothing_to_read());
  EXPECT_TRUE(on_loop([&] { return handler.answer_first("fourth"); }));
  EXPECT_EQ(client.read_answer()->body, "fourth");
  EXPECT_EQ(client.read_answer()->body, "/fifth");
  EXPECT_EQ(client.read_answer()->body, "/sixth");
}

TEST_F(LoopTest, an_exchange_answered_inside_its_own_request_keeps_the_order) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/1") + get("/self?2") + get("/3") + get("/self?4")));
  for (const auto* body : {"/1", "self 2", "/3", "self 4"}) EXPECT_EQ(client.read_answer()->body, body);
}

TEST_F(LoopTest, a_client_that_leaves_while_it_waits_is_told_to_the_handler) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/later") + get("/never")));
  ASSERT_TRUE(eventually([&] { return handler.waiting == 1; }));
  const ExchangeId id = on_loop([&] { return handler.waiting_ids.front(); });
  client.cut();
  ASSERT_TRUE(eventually([&] { return handler.left == 1; }));
  EXPECT_FALSE(on_loop([&] { return loop.answer(id, Response{}); }));
  EXPECT_TRUE(eventually([&] { return loop.counters().connections_open.value() == 0; }));
  EXPECT_EQ(handler.requests, 1);
  EXPECT_EQ(loop.counters().clients_left.value(), 1U);

  // The next one in the slot does not get the answer of the one before.
  TestClient next(port);
  ASSERT_TRUE(next.send(get("/later")));
  ASSERT_TRUE(eventually([&] { return handler.waiting == 2; }));
  EXPECT_FALSE(on_loop([&] { return loop.answer(id, Response{}); }));
  EXPECT_TRUE(on_loop([&] { return handler.answer_first("mine"); }));
  EXPECT_EQ(next.read_answer()->body, "mine");
}

TEST_F(LoopTest, a_client_that_ends_its_side_still_gets_what_is_answered_at_once) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/1") + get("/2") + "GET /half"));
  client.half_close();
  EXPECT_EQ(client.read_answer()->body, "/1");
  EXPECT_EQ(client.read_answer()->body, "/2");
  EXPECT_TRUE(client.is_ended());
}

TEST_F(LoopTest, a_client_that_ends_its_side_still_gets_the_answer_that_it_waits_for) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/later") + get("/2")));
  client.half_close();
  ASSERT_TRUE(eventually([&] { return handler.waiting == 1; }));
  EXPECT_TRUE(on_loop([&] { return handler.answer_first("late"); }));
  EXPECT_EQ(client.read_answer()->body, "late");
  EXPECT_EQ(client.read_answer()->body, "/2");
  EXPECT_TRUE(client.is_ended());
  EXPECT_EQ(handler.left, 0);
}

TEST_F(LoopTest, a_dripping_header_gets_408_by_an_absolute_deadline) {
  limits.header_ms = 200ms;
  start();
  TestClient client(port);
  const auto start_at = std::chrono::steady_clock::now();
  std::string header = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  ASSERT_TRUE(client.send(header));
  ASSERT_TRUE(eventually([&] {
    client.send("a");  // it never stops, so a deadline from the last byte would never come
    return !client.has_nothing_to_read();
  }));
  EXPECT_GE(std::chrono::steady_clock::now() - start_at, 190ms);
  const auto answer = client.read_answer();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 408);
  EXPECT_TRUE(answer->has("Connection: close"));
  EXPECT_TRUE(answer->body.contains("/problems/request-too-slow")) << answer->body;
  EXPECT_TRUE(client.is_ended());
  EXPECT_EQ(malformed(Malformed::too_slow), 1U);
}

TEST_F(LoopTest, a_dripping_body_gets_408) {
  limits.header_ms = 100ms;
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/1") + "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nab"));
  EXPECT_EQ(client.read_answer()->body, "/1");
  EXPECT_EQ(client.read_answer()->status, 408);
  EXPECT_TRUE(client.is_ended());
}

TEST_F(LoopTest, idle_connections_are_closed_and_busy_ones_are_not) {
  limits.idle_ms = 1000ms;
  start();
  TestClient idle(port);
  TestClient busy(port);
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(busy.send(get("/busy")));
    EXPECT_EQ(busy.read_answer()->body, "/busy");
    return loop.counters().idle_closed.value() == 1;
  }));
  EXPECT_TRUE(idle.is_ended());
  ASSERT_TRUE(busy.send(get("/still")));
  EXPECT_EQ(busy.read_answer()->body, "/still");
  EXPECT_TRUE(busy.is_ended());
}

TEST_F(LoopTest, a_waiting_exchange_is_not_idle) {
  limits.idle_ms = 500ms;
  limits.header_ms = 500ms;
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/later") + "GET /ha"));
  TestClient clock_hand(port);  // when it is closed, the other one has been idle for as long
  ASSERT_TRUE(eventually([&] { return handler.waiting == 1; }));
  EXPECT_TRUE(clock_hand.is_ended());
  TestClient again(port);
  EXPECT_TRUE(again.is_ended());
  EXPECT_TRUE(on_loop([&] { return handler.answer_first("at last"); }));
  EXPECT_EQ(client.read_answer()->body, "at last");
  EXPECT_EQ(client.read_answer()->status, 408);
}

TEST_F(LoopTest, connections_beyond_the_limit_are_closed_at_once_and_counted) {
  limits.connections = 2;
  start();
  std::optional<TestClient> first(port);
  TestClient second(port);
  ASSERT_TRUE(eventually([&] { return loop.counters().connections_open.value() == 2; }));
  TestClient third(port);
  EXPECT_TRUE(third.is_cut());
  EXPECT_EQ(loop.counters().connections_refused.value(), 1U);
  ASSERT_TRUE(second.send(get("/second")));
  EXPECT_EQ(second.read_answer()->body, "/second");
  first.reset();
  ASSERT_TRUE(eventually([&] { return loop.counters().connections_open.value() == 1; }));
  TestClient fourth(port);
  ASSERT_TRUE(fourth.send(get("/fourth")));
  EXPECT_EQ(fourth.read_answer()->body, "/fourth");
}

TEST_F(LoopTest, a_client_that_does_not_read_is_not_read_from_and_then_closed) {
  limits.unread_answer_bytes = 64 * 1024;
  limits.write_ms = 300ms;
  start();
  TestClient client;
  client.receive_buffer(4096);
  client.connect(port);
  std::string all;
  for (int i = 0; i < 10'000; ++i) all += get("/big?100000");
  client.send(all, 200ms);
  ASSERT_TRUE(eventually([&] { return loop.counters().unread_closed.value() == 1; }));
  EXPECT_TRUE(eventually([&] { return loop.counters().connections_open.value() == 0; }));
  // What the kernel holds of the answers (a few MB: tcp_wmem), 64 KiB of ours, and then nothing more was answered; what
  // one read brings is 400 requests.
  EXPECT_LT(handler.requests, 200);
}

TEST_F(LoopTest, a_client_that_reads_late_gets_every_answer) {
  limits.unread_answer_bytes = 16 * 1024;
  start();
  TestClient client;
  client.receive_buffer(4096);
  client.connect(port);
  std::string all;
  for (int i = 0; i < 3'000; ++i) all += get("/" + std::to_string(i) + std::string(1000, 'x'));
  std::thread sender([&] { EXPECT_TRUE(client.send(all)); });
  for (int i = 0; i < 3'000; ++i) {
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer) << i;
    ASSERT_EQ(answer->body, "/" + std::to_string(i) + std::string(1000, 'x'));
  }
  sender.join();
}

TEST_F(LoopTest, one_answer_may_be_larger_than_all_buffers) {
  limits.unread_answer_bytes = 1024;
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/big?20000000") + get("/next")));
  EXPECT_EQ(client.read_answer()->body.size(), 20'000'000U);
  EXPECT_EQ(client.read_answer()->body, "/next");
}

TEST_F(LoopTest, bad_requests_get_a_problem_and_the_end_of_the_connection) {
  start();
  struct Case {
    std::string bytes;
    int status;
    std::string_view type;
    Malformed kind;
  };
  const std::vector<Case> cases{
      {"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n", 414, "target-too-long", Malformed::target_too_long},
      {"GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(9000, 'a'), 431, "header-too-large",
       Malformed::header_too_large},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n", 413, "body-too-large", Malformed::body_too_large},
      {"GET\r\n\r\n", 400, "malformed-request", Malformed::request_line},
      {"GET / HTTP/1.1\r\n\r\n", 400, "malformed-request", Malformed::no_host},
      {"GET / HTTP/3.0\r\n\r\n", 505, "version-not-supported", Malformed::version},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400, "malformed-request",
       Malformed::chunk},
      {"POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", 417, "expectation-failed", Malformed::expectation},
  };
  for (Case c : cases) {
    if (const auto at = c.bytes.find("%s"); at != std::string::npos) c.bytes.replace(at, 2, std::string(3000, 'a'));
    TestClient client(port);
    ASSERT_TRUE(client.send(get("/before") + c.bytes + get("/smuggled")));
    EXPECT_EQ(client.read_answer()->body, "/before");
    const auto answer = client.read_answer();
    ASSERT_TRUE(answer) << c.bytes;
    EXPECT_EQ(answer->status, c.status) << c.bytes;
    EXPECT_TRUE(answer->has("Connection: close"));
    EXPECT_TRUE(answer->has("Content-Type: application/problem+json"));
    EXPECT_TRUE(answer->body.contains("\"/problems/" + std::string(c.type) + "\"")) << answer->body;
    EXPECT_TRUE(answer->body.contains("\"hint\":\"")) << answer->body;
    EXPECT_TRUE(client.is_ended()) << c.bytes;
    EXPECT_EQ(malformed(c.kind), 1U) << c.bytes;
  }
  EXPECT_EQ(handler.requests, static_cast<int>(cases.size()));
}

/// Closing a socket with unread bytes resets it, and a reset takes the answer away from the client.
TEST_F(LoopTest, a_client_that_goes_on_sending_still_reads_why_it_was_refused) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n"));
  ASSERT_TRUE(client.send(std::string(900'000, 'x')));
  EXPECT_EQ(client.read_answer()->status, 413);
  EXPECT_TRUE(client.is_ended());
  client.close();
  EXPECT_TRUE(eventually([&] { return loop.counters().connections_open.value() == 0; }));
}

TEST_F(LoopTest, lingering_ends) {
  limits.linger_ms = 100ms;
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send("x\r\n\r\n"));
  EXPECT_EQ(client.read_answer()->status, 400);
  ASSERT_TRUE(eventually([&] {
    client.send("more");
    return loop.counters().connections_open.value() == 0;
  }));
}

/// All clients are read by one parser. What it knew of the first one once made a 400 for the second one.
TEST_F(LoopTest, an_empty_line_of_one_client_is_not_held_against_the_next) {
  start();
  TestClient first(port);
  ASSERT_TRUE(first.send("\r\n"));
  ASSERT_TRUE(eventually([&] { return loop.counters().bytes_in.value() == 2; }));
  TestClient second(port);
  ASSERT_TRUE(second.send("\r\n" + get("/second")));
  EXPECT_EQ(second.read_answer()->body, "/second");
  ASSERT_TRUE(first.send(get("/first")));
  EXPECT_EQ(first.read_answer()->body, "/first");
}

TEST_F(LoopTest, expect_continue_is_answered_before_the_body) {
  start();
  TestClient client(port);
  ASSERT_TRUE(
      client.send(get("/1") + "PUT /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"));
  EXPECT_EQ(client.read_answer()->body, "/1");
  EXPECT_EQ(client.read_answer()->status, 100);
  EXPECT_TRUE(client.has_nothing_to_read());
  ASSERT_TRUE(client.send("hi"));
  EXPECT_EQ(client.read_answer()->body, "/chi");
}

TEST_F(LoopTest, head_gets_the_header_only) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send("HEAD /12345 HTTP/1.1\r\nHost: h\r\n\r\n" + get("/2") +
                          "HEAD /later HTTP/1.1\r\nHost: h\r\n\r\n" + get("/3")));
  EXPECT_TRUE(client.read_answer(false)->has("Content-Length: 6"));
  EXPECT_EQ(client.read_answer()->body, "/2");
  ASSERT_TRUE(eventually([&] { return handler.waiting == 1; }));
  EXPECT_TRUE(on_loop([&] { return handler.answer_first("late body"); }));
  EXPECT_TRUE(client.read_answer(false)->has("Content-Length: 9"));
  EXPECT_EQ(client.read_answer()->body, "/3");
}

TEST_F(LoopTest, http_10_and_close_end_the_connection_keep_alive_does_not) {
  start();
  TestClient old(port);
  ASSERT_TRUE(
      old.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\nGET /c HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(old.read_answer()->has("Connection: keep-alive"));
  const auto last = old.read_answer();
  EXPECT_EQ(last->body, "/b");
  EXPECT_TRUE(last->has("Connection: close"));
  EXPECT_TRUE(old.is_ended());

  TestClient closing(port);
  ASSERT_TRUE(closing.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(closing.read_answer()->has("Connection: close"));
  EXPECT_TRUE(closing.is_ended());
}

TEST_F(LoopTest, knows_who_is_there) {
  start();
  TestClient client(port);
  ASSERT_TRUE(client.send(get("/peer")));
  EXPECT_EQ(client.read_answer()->body, "127.0.0.1 with port");
}

TEST_F(LoopTest, drain_answers_what_is_in_flight_and_closes_the_rest) {
  start();
  TestClient idle(port);
  TestClient waiting(port);
  TestClient unfinished(port);
  ASSERT_TRUE(waiting.send(get("/later")));
  ASSERT_TRUE(unfinished.send("GET /unfin"));
  ASSERT_TRUE(eventually([&] {
    return handler.waiting == 1 && loop.counters().connections_open.value() == 3 &&
           loop.counters().bytes_in.value() > 40;
  }));
  loop.drain(10s);
  EXPECT_TRUE(idle.is_ended());
  ASSERT_TRUE(unfinished.send("ished HTTP/1.1\r\nHost: h\r\n\r\n"));
  const auto finished = unfinished.read_answer();
  EXPECT_EQ(finished->body, "/unfinished");
  EXPECT_TRUE(finished->has("Connection: close"));
  EXPECT_TRUE(unfinished.is_ended());
  EXPECT_FALSE(returned);
  EXPECT_TRUE(on_loop([&] { return handler.answer_first("last"); }));
  const auto last = waiting.read_answer();
  EXPECT_EQ(last->body, "last");
  EXPECT_TRUE(last->has("Connection: close"));
  EXPECT_TRUE(waiting.is_ended());
  waiting.close();
  unfinished.close();
  EXPECT_TRUE(eventually([&] { return returned.load(); }));
  EXPECT_EQ(loop.counters().drain_cut.value(), 0U);
}

TEST_F(LoopTest, drain_answers_everybody_who_waits_to_be_accepted) {
  listen();
  std::deque<TestClient> clients;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(clients.emplace_back(port).send(get("/" + std::to_string(i))));
  }
  loop.drain(10s);
  run();
  for (int i = 0; i < 200; ++i) {
    const auto answer = clients[static_cast<std::size_t>(i)].read_answer();
    ASSERT_TRUE(answer) << i;
    EXPECT_EQ(answer->body, "/" + std::to_string(i));
  }
  clients.clear();
  EXPECT_TRUE(eventually([&] { return returned.load(); }));
}

TEST_F(LoopTest, drain_ends_with_a_client_that_has_read_its_answers) {
  start();
  TestClient reading;
  reading.receive_buffer(4096);
  reading.connect(port);
  ASSERT_TRUE(reading.send(get("/big?20000000")));
  ASSERT_TRUE(eventually([&] { return loop.counters().bytes_out.value() > 0; }));
  loop.drain(60s);
  EXPECT_EQ(reading.read_answer()->body.size(), 20'000'000U);
  EXPECT_TRUE(reading.is_ended());
  reading.close();
  EXPECT_TRUE(eventually([&] { return returned.load(); }));
  EXPECT_EQ(loop.counters().drain_cut.value(), 0U);
}

TEST_F(LoopTest, drain_ends_at_its_deadline) {
  start();
  TestClient waiting(port);
  ASSERT_TRUE(waiting.send(get("/later")));
  ASSERT_TRUE(eventually([&] { return handler.waiting == 1; }));
  loop.drain(100ms);
  EXPECT_TRUE(waiting.is_cut());
  EXPECT_TRUE(eventually([&] { return returned.load(); }));
  EXPECT_EQ(handler.left, 1);
  EXPECT_EQ(loop.counters().drain_cut.value(), 1U);
  EXPECT_EQ(loop.counters().clients_left.value(), 0U) << "we left, not the client";
}

TEST_F(LoopTest, stop_cuts_everything_while_the_handlers_are_there) {
  start();
  TestClient waiting(port);
  ASSERT_TRUE(waiting.send(get("/later")));
  ASSERT_TRUE(eventually([&] { return handler.waiting == 1; }));
  loop.stop();
  EXPECT_TRUE(waiting.is_cut());
  EXPECT_TRUE(eventually([&] { return returned.load(); }));
  EXPECT_EQ(handler.left, 1);
}

TEST_F(LoopTest, too_few_file_descriptors_is_not_spun_on) {
  start();
  TestClient client;  // its descriptor is there before there are none
  // ubsan needs a descriptor to look at a class for the first time: what the log uses must have been used before.
  log::warn("this test uses up the file descriptors");
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  Descriptor highest(::dup(0));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(highest.get());
  highest.reset();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  client.connect(port);
  ASSERT_TRUE(eventually([&] { return loop.counters().accepts_failed.value() >= 3; }));
  const auto since = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() - since > 200ms; }));
  // Once a tick, not once a turn.
  EXPECT_LT(loop.counters().accepts_failed.value(), 100U);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(client.send(get("/there")));
  EXPECT_EQ(client.read_answer()->body, "/there");
}

/// From now on epoll watches nothing new for this thread, as if fs.epoll.max_user_watches were reached.
void use_up_epoll_watches() {
  std::array<sock_filter, 6> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_ctl, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EPOLL_CTL_ADD, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{.len = program.size(), .filter = program.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0) << std::strerror(errno);
}

TEST_F(LoopTest, too_few_epoll_watches_cost_the_new_connection_only) {
  start();
  TestClient before(port);
  ASSERT_TRUE(before.send(get("/before")));
  EXPECT_EQ(before.read_answer()->body, "/before");
  on_loop([] {
    use_up_epoll_watches();
    return true;
  });
  for (int i = 1; i <= 3; ++i) {
    TestClient client(port);
    EXPECT_TRUE(client.is_cut());
    EXPECT_EQ(loop.counters().accepts_failed.value(), static_cast<std::uint64_t>(i));
  }
  EXPECT_EQ(loop.counters().connections_open.value(), 1U);
  ASSERT_TRUE(before.send(get("/still")));
  EXPECT_EQ(before.read_answer()->body, "/still");
}

TEST_F(LoopTest, ticks_and_runs_what_is_posted) {
  std::atomic<int> ticks{0};
  loop.on_tick([&] { ++ticks; });
  start();
  EXPECT_TRUE(eventually([&] { return ticks > 3; }));
  const auto loops_thread = thread.get_id();
  EXPECT_EQ(on_loop([] { return std::this_thread::get_id(); }), loops_thread);
}

TEST(Listening, shares_a_port_between_loops_but_with_no_other_server) {
  const auto mine = open_listening("127.0.0.1", 0, 3);
  ASSERT_TRUE(mine) << mine.error().what;
  EXPECT_EQ(mine->sockets.size(), 3U);
  const auto other = open_listening("127.0.0.1", mine->port, 1);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, FaultKind::misconfigured);
  EXPECT_TRUE(other.error().what.contains("127.0.0.1:" + std::to_string(mine->port))) << other.error().what;
  EXPECT_TRUE(other.error().what.contains("choose another port")) << other.error().what;
}

TEST(Listening, refuses_what_is_no_address_of_ours) {
  for (const auto* address : {"no.such.name", "", "203.0.113.7", "300.1.1.1"}) {
    const auto sockets = open_listening(address, 0, 1);
    ASSERT_FALSE(sockets) << address;
    EXPECT_EQ(sockets.error().kind, FaultKind::misconfigured);
  }
  EXPECT_TRUE(open_listening("localhost", 0, 1));
}

}  // namespace
}  // namespace firstcome::http
