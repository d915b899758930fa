// Proves that a fault of the brokers says what a person can do about it, whether or not the connection's own reason is
// known.
#include "kafka/kafka_client.h"

#include <gtest/gtest.h>

namespace firstcome::kafka {
namespace {

TEST(Troubles, a_call_without_an_answer_tells_the_reason_of_the_connection) {
  Troubles troubles;
  troubles.note(RD_KAFKA_RESP_ERR__TRANSPORT, "127.0.0.1:9: Connect failed: refused (after 3ms in state CONNECT)");
  EXPECT_EQ(troubles.fault("ask the brokers", RD_KAFKA_RESP_ERR__TIMED_OUT).what,
            "ask the brokers: 127.0.0.1:9: Connect failed: refused; is the broker up there, and does --journal name it "
            "rightly?");
}

TEST(Troubles, a_fault_without_a_reason_of_the_connection_says_what_to_do_too) {
  const auto down = Troubles().fault("ask", RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN);
  EXPECT_EQ(down.kind, FaultKind::unavailable);
  EXPECT_NE(down.what.find("is the broker up there, and does --journal name it rightly?"), std::string::npos);
  const auto controller = Troubles().fault("ask", RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE);
  EXPECT_NE(controller.what.find("no broker for clients"), std::string::npos) << controller.what;
}

TEST(Troubles, a_damaged_message_does_not_send_anybody_to_the_url) {
  const auto damaged = Troubles().fault("read topic lunch [0]", RD_KAFKA_RESP_ERR__BAD_MSG);
  EXPECT_EQ(damaged.kind, FaultKind::corrupt);
  EXPECT_EQ(damaged.what.find("--journal"), std::string::npos) << damaged.what;
}

}  // namespace
}  // namespace firstcome::kafka
