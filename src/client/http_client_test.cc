// The blocking client: what it sends, what it keeps, and that every fault is a value with a sentence for a person.
#include "client/http_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>

#include "client/address.h"
#include "client/scripted_server.h"
#include "client/url.h"

namespace firstcome::client {
namespace {

/// What a script saw, safe to read from the test's thread.
class Memory {
 public:
  void add(const Heard& heard) {
    std::lock_guard lock(mutex_);
    all_.push_back(heard);
  }
  std::vector<Heard> all() const {
    std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Heard> all_;
};

std::string free_url() {
  const ScriptedServer gone([](const Heard&) { return Reply::cut(); });
  return gone.url();
}

TEST(HttpClient, sends_what_it_was_given_and_reads_the_answer) {
  Memory memory;
  ScriptedServer server([&](const Heard& heard) {
    memory.add(heard);
    return Reply::json(201, R"({"id":"lunch"})", "X-Extra: yes\r\n");
  });
  Client client;
  const auto answer =
      client.request("POST", server.url() + "/v1/campaigns?x=1", {{"Authorization", "Bearer t"}}, R"({"quota":1})");
  ASSERT_TRUE(answer) << answer.error().what;
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, R"({"id":"lunch"})");
  ASSERT_NE(answer->header("x-extra"), nullptr);
  EXPECT_EQ(*answer->header("X-EXTRA"), "yes");
  EXPECT_EQ(answer->header("X-None"), nullptr);
  const auto heard = memory.all().at(0);
  EXPECT_EQ(heard.method, "POST");
  EXPECT_EQ(heard.target, "/v1/campaigns?x=1");
  EXPECT_EQ(heard.header("authorization"), "Bearer t");
  EXPECT_EQ(heard.header("Host"), server.url().substr(7));
  EXPECT_EQ(heard.body, R"({"quota":1})");
}

TEST(HttpClient, a_claim_without_a_body_says_so) {
  Memory memory;
  ScriptedServer server([&](const Heard& heard) { return memory.add(heard), Reply::json(200, "{}"); });
  ASSERT_TRUE(Client().request("POST", server.url()));
  EXPECT_EQ(memory.all().at(0).header("Content-Length"), "0");
}

TEST(HttpClient, keeps_its_connection) {
  Memory memory;
  ScriptedServer server([&](const Heard& heard) { return memory.add(heard), Reply::json(200, "{}"); });
  Client client;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client.request("GET", server.url()));
  for (const auto& heard : memory.all()) EXPECT_EQ(heard.connection, 0u);
}

TEST(HttpClient, asks_again_when_the_kept_connection_was_closed) {
  Memory memory;
  ScriptedServer server([&](const Heard& heard) {
    memory.add(heard);
    return Reply{.bytes = Reply::json(200, "{}").bytes, .close = true};  // closes without having said so
  });
  Client client;
  for (int i = 0; i < 3; ++i) {
    const auto answer = client.request("GET", server.url());
    ASSERT_TRUE(answer) << answer.error().what;
  }
  EXPECT_EQ(memory.all().back().connection, 2u);
}

TEST(HttpClient, an_answer_of_5xx_is_no_fault) {
  ScriptedServer server([](const Heard&) { return Reply::json(503, R"({"type":"x"})", "Retry-After: 2\r\n"); });
  const auto answer = Client().request("GET", server.url());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(*answer->header("retry-after"), "2");
}

TEST(HttpClient, reads_chunks_and_bodies_that_end_with_the_connection) {
  ScriptedServer server([](const Heard& heard) -> Reply {
    if (heard.target == "/chunks")
      return {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"};
    return {.bytes = "HTTP/1.1 200 OK\r\n\r\nuntil the end", .close = true};
  });
  Client client;
  EXPECT_EQ(client.request("GET", server.url() + "/chunks")->body, "abcde");
  EXPECT_EQ(client.request("GET", server.url() + "/end")->body, "until the end");
}

TEST(HttpClient, gives_lines_as_they_come) {
  std::string body;
  for (int i = 0; i < 10'000; ++i) body += "{\"rank\":" + std::to_string(i) + "}\n";
  ScriptedServer server([&](const Heard&) { return Reply::json(200, body + "last"); });
  std::vector<std::string> lines;
  Client client;
  const auto answer = client.lines("GET", server.url(), {}, [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  ASSERT_TRUE(answer) << answer.error().what;
  ASSERT_EQ(lines.size(), 10'001u);
  EXPECT_EQ(lines[9'999], "{\"rank\":9999}");
  EXPECT_EQ(lines.back(), "last");
}

TEST(HttpClient, lines_can_be_ended_early_and_leave_the_client_usable) {
  ScriptedServer server([&](const Heard&) { return Reply::json(200, std::string(100'000, '\n')); });
  Client client;
  int seen = 0;
  ASSERT_TRUE(client.lines("GET", server.url(), {}, [&](std::string_view) { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(client.request("GET", server.url())->body.size(), 100'000u);
}

TEST(HttpClient, the_body_of_a_refused_stream_is_in_the_response) {
  ScriptedServer server([&](const Heard&) { return Reply::json(404, "no such campaign\n"); });
  const auto answer = Client().lines("GET", server.url(), {}, [](std::string_view) { return ADD_FAILURE(), true; });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "no such campaign\n");
}

TEST(HttpClient, says_what_to_start_when_nothing_listens) {
  const auto url = free_url();
  const auto answer = Client().request("GET", url);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, FaultKind::unavailable);
  EXPECT_EQ(answer.error().what, "nothing listens on " + url.substr(7) + ": is `firstcome serve` running?");
}

TEST(HttpClient, does_not_wait_for_ever) {
  ScriptedServer server([](const Heard&) -> Reply { return {.after = std::chrono::hours(1)}; });
  const auto answer = Client().request("GET", server.url(), {}, {}, Millis(50));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, FaultKind::timed_out);
}

TEST(HttpClient, the_time_is_for_the_whole_answer) {
  // Header and body each come in time, the whole does not.
  ScriptedServer server([&](const Heard&) {
    Reply reply = Reply::json(200, std::string(100, 'x'));
    reply.drip = Millis(1);  // the header takes some 80 ms, the body 100
    return reply;
  });
  EXPECT_EQ(Client().request("GET", server.url(), {}, {}, Millis(150)).error().kind, FaultKind::timed_out);
}

TEST(HttpClient, a_cut_answer_is_unavailable) {
  ScriptedServer server([](const Heard& heard) -> Reply {
    if (heard.target == "/at-once") return Reply::cut();
    return {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", .close = true};
  });
  EXPECT_EQ(Client().request("GET", server.url() + "/at-once").error().kind, FaultKind::unavailable);
  EXPECT_EQ(Client().request("GET", server.url() + "/half").error().kind, FaultKind::unavailable);
}

TEST(HttpClient, what_is_no_http_is_corrupt) {
  ScriptedServer server([](const Heard&) -> Reply { return {.bytes = "SSH-2.0-OpenSSH\r\n\r\n"}; });
  EXPECT_EQ(Client().request("GET", server.url()).error().kind, FaultKind::corrupt);
}

TEST(HttpClient, refuses_what_would_not_be_one_request) {
  Client client;
  EXPECT_EQ(client.request("GET", "nowhere").error().kind, FaultKind::misconfigured);
  EXPECT_EQ(client.request("GRAB", "http://127.0.0.1:1").error().kind, FaultKind::misconfigured);
  EXPECT_EQ(client.request("GET", "http://127.0.0.1:1", {{"X-User", "a\r\nX-User: b"}}).error().kind,
            FaultKind::misconfigured);
}

TEST(Address, knows_what_is_loopback) {
  const auto loopback = [](std::string_view url) { return resolve(*Url::parse(url))->front().is_loopback(); };
  EXPECT_TRUE(loopback("http://127.0.0.1:1"));
  EXPECT_TRUE(loopback("http://127.9.9.9:1"));
  EXPECT_TRUE(loopback("http://[::1]:1"));
  EXPECT_TRUE(loopback("http://[::ffff:127.0.0.1]:1"));
  EXPECT_FALSE(loopback("http://10.0.0.1:1"));
  EXPECT_FALSE(loopback("http://0.0.0.0:1"));
  EXPECT_FALSE(loopback("http://[::ffff:10.0.0.1]:1"));
  EXPECT_FALSE(loopback("http://[fe80::1]:1"));
  EXPECT_EQ(resolve(*Url::parse("http://127.0.0.1:81"))->front().text(), "127.0.0.1:81");
  EXPECT_EQ(resolve(*Url::parse("http://[::1]:81"))->front().text(), "[::1]:81");
}

TEST(Address, an_unknown_host_is_unavailable) {
  EXPECT_EQ(resolve(*Url::parse("http://no-such-host.invalid")).error().kind, FaultKind::unavailable);
}

}  // namespace
}  // namespace firstcome::client
