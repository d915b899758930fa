// Only a trusted peer says who the user is, once, in words that are a user's name.
#include "identity/identity.h"

#include <gtest/gtest.h>

namespace firstcome {
namespace {

PeerAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

TEST(Network, contains_what_it_says) {
  EXPECT_TRUE(Network::parse("127.0.0.0/8")->contains(v4(127, 9, 9, 9)));
  EXPECT_FALSE(Network::parse("127.0.0.0/8")->contains(v4(128, 0, 0, 1)));
  EXPECT_TRUE(Network::parse("192.0.2.7")->contains(v4(192, 0, 2, 7)));
  EXPECT_FALSE(Network::parse("192.0.2.7")->contains(v4(192, 0, 2, 8)));
  EXPECT_TRUE(Network::parse("10.1.2.128/25")->contains(v4(10, 1, 2, 200)));
  EXPECT_FALSE(Network::parse("10.1.2.128/25")->contains(v4(10, 1, 2, 100)));
  EXPECT_TRUE(Network::parse("0.0.0.0/0")->contains(v4(8, 8, 8, 8)));
  EXPECT_TRUE(Network::parse("::1")->contains({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_FALSE(Network::parse("::1")->contains(v4(127, 0, 0, 1)));
}

TEST(Network, refuses_what_is_none) {
  for (const char* text :
       {"", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0/8", "::/129", "1.2.3.4/-1"}) {
    const auto network = Network::parse(text);
    ASSERT_FALSE(network) << text;
    EXPECT_EQ(network.error().kind, FaultKind::misconfigured);
  }
}

class HeaderIdentityTest : public testing::Test {
 protected:
  auto ask(std::vector<HeaderField> fields, PeerAddress peer = v4(127, 0, 0, 1)) {
    fields_ = std::move(fields);
    return identity_.user_of(peer, fields_);
  }
  std::vector<HeaderField> fields_;
  HeaderIdentity identity_{"X-User", {*Network::parse("127.0.0.0/8")}};
};

TEST_F(HeaderIdentityTest, takes_the_field_of_a_trusted_peer) {
  EXPECT_EQ(ask({{"Host", "a"}, {"x-uSER", "alice"}}).value(), "alice");
  EXPECT_EQ(ask({{"X-User", "Alice"}}).value(), "Alice");
}

TEST_F(HeaderIdentityTest, refuses_everything_else) {
  EXPECT_NE(ask({}).error().detail.find("no X-User"), std::string::npos);
  EXPECT_NE(ask({{"X-User", "a"}, {"x-user", "a"}}).error().detail.find("2 times"), std::string::npos);
  EXPECT_NE(ask({{"X-User", "alice"}}, v4(10, 0, 0, 1)).error().detail.find("--identity-trusted"), std::string::npos);
  for (const std::string& user : {std::string(), std::string(65, 'a'), std::string("al ice"), std::string("al\tice"),
                                  std::string("al\xc3\xad")}) {
    EXPECT_FALSE(ask({{"X-User", user}})) << user;
  }
  EXPECT_TRUE(ask({{"X-User", std::string_view("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")}}));
}

}  // namespace
}  // namespace firstcome
