// One connection without its loop: the test says what epoll would, and what time it is.
#include "http/connection.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <string>

#include "http/descriptor.h"

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;

const Response response{.fields = {}, .body = std::string(10'000, 'b')};

/// /later waits, everything else is answered at once.
class TestHandler final : public Handler {
 public:
  void on_request(const Request& request, Exchange& exchange) override {
    if (request.path == "/later") {
      waiting = exchange.wait();
    } else {
      exchange.answer(response);
    }
  }
  void on_left(ExchangeId) override {}

  ExchangeId waiting;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    client.reset(ends[0]);
    served = ends[1];
    connection.open(served, Peer{}, endpoint);
  }
  ~ConnectionTest() override {
    if (connection.is_open()) connection.close();
  }

  void send(std::string_view bytes) {
    ASSERT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    turn(EPOLLIN);
  }
  std::size_t receive(std::size_t most) {
    std::string into(most, '\0');
    const ssize_t got = ::recv(client.get(), into.data(), most, 0);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  void turn(std::uint32_t events) {
    connection.ready(events);
    while (!common.resumed.empty()) {
      common.resumed.clear();
      connection.resume();
    }
  }
  void pass(Millis time) {
    common.now += time;
    common.wheel.advance(common.now, [&](std::uint32_t) { connection.due(); });
  }

  static std::size_t bytes_of_answer() {
    std::string sent;
    ReadyResponse(response).append_to(sent, ReadyResponse::Connection::implied, true);
    return sent.size();
  }

  const std::size_t answer_bytes = bytes_of_answer();
  static constexpr std::string_view ask = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  static constexpr std::string_view ask_later = "GET /later HTTP/1.1\r\nHost: h\r\n\r\n";

  SystemClock clock;
  Limits limits;
  TestHandler handler;
  Common common{clock};
  Endpoint endpoint{handler, limits};
  Descriptor client;
  int served = -1;
  Connection connection{common, 0};
};

TEST_F(ConnectionTest, a_client_that_is_always_behind_costs_no_more_memory_with_time) {
  while (connection.kept_bytes() < 100'000) send(ask);
  const std::size_t sent_before = common.counters.bytes_out.value();
  while (common.counters.bytes_out.value() < sent_before + 20'000'000) {
    send(ask);
    ASSERT_EQ(receive(answer_bytes), answer_bytes);
    turn(EPOLLOUT);
    ASSERT_GT(connection.kept_bytes(), 0U) << "it must never have read everything";
    ASSERT_LT(connection.kept_bytes(), 2 * (limits.unread_answer_bytes + answer_bytes));
  }
}

TEST_F(ConnectionTest, a_late_answer_may_wait_write_ms_for_its_first_byte) {
  send(ask_later);
  while (::send(served, "x", 1, MSG_NOSIGNAL) == 1) continue;  // the kernel takes nothing more
  pass(limits.write_ms * 3);
  ASSERT_TRUE(connection.answer(handler.waiting, ReadyResponse(response)));
  turn(0);
  ASSERT_EQ(connection.kept_bytes(), answer_bytes);
  pass(limits.write_ms - 100ms);
  EXPECT_TRUE(connection.is_open());
  pass(200ms);
  EXPECT_FALSE(connection.is_open());
  EXPECT_EQ(common.counters.unread_closed.value(), 1U);
}

}  // namespace
}  // namespace firstcome::http
