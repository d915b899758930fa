// A URL that we take means one server and one target; any other is refused with a sentence that says what is wrong.
#include "client/url.h"

#include <gtest/gtest.h>

namespace firstcome::client {
namespace {

TEST(Url, reads_host_port_and_target) {
  const auto url = Url::parse("http://127.0.0.1:8080/v1/campaigns?page=2");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->target, "/v1/campaigns?page=2");
  EXPECT_EQ(url->text(), "http://127.0.0.1:8080/v1/campaigns?page=2");
}

TEST(Url, what_is_left_out_has_a_default) {
  const auto url = Url::parse("http://localhost");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->port, 80);
  EXPECT_EQ(url->target, "/");
  EXPECT_EQ(Url::parse("http://localhost?a=1")->target, "/?a=1");
}

TEST(Url, ipv6_stands_in_brackets) {
  const auto url = Url::parse("http://[::1]:9");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 9);
  EXPECT_EQ(url->authority(), "[::1]:9");
}

TEST(Url, with_puts_a_path_behind_the_server) {
  EXPECT_EQ(Url::parse("http://a:1")->with("/v1/x").target, "/v1/x");
  EXPECT_EQ(Url::parse("http://a:1/")->with("/v1/x").target, "/v1/x");
  EXPECT_EQ(Url::parse("http://a:1/shop/")->with("/v1/x").target, "/shop/v1/x");
  EXPECT_EQ(Url::parse("http://a:1/shop?q=1")->with("/v1/x").target, "/shop/v1/x");
}

TEST(Url, refuses_with_a_sentence) {
  const auto why = [](std::string_view text) {
    const auto url = Url::parse(text);
    return url ? std::string("taken") : url.error().what;
  };
  EXPECT_NE(why("127.0.0.1:8080").find("does not begin with http://"), std::string::npos);
  EXPECT_NE(why("https://a").find("proxy"), std::string::npos);
  EXPECT_NE(why("http://").find("no host"), std::string::npos);
  EXPECT_NE(why("http://:80").find("no host"), std::string::npos);
  EXPECT_NE(why("http://a b").find("space"), std::string::npos);
  EXPECT_NE(why("http://a:0").find("port"), std::string::npos);
  EXPECT_NE(why("http://a:65536").find("port"), std::string::npos);
  EXPECT_NE(why("http://a:80x").find("port"), std::string::npos);
  EXPECT_NE(why("http://a:").find("port"), std::string::npos);
  EXPECT_NE(why("http://me@a").find("user name"), std::string::npos);
  EXPECT_NE(why("http://a/#x").find("fragment"), std::string::npos);
  EXPECT_NE(why("http://[::1").find("bracket"), std::string::npos);
  EXPECT_NE(why("http://[x]").find("IPv6"), std::string::npos);
  EXPECT_NE(why("http://[::1]x:80").find("between"), std::string::npos);
  EXPECT_NE(why("http://a,b").find("host"), std::string::npos);
  EXPECT_EQ(Url::parse("x").error().kind, FaultKind::misconfigured);
}

}  // namespace
}  // namespace firstcome::client
