// The parser reads what our server sends, from any number of pieces, and refuses what a strict server would never send.
#include "rush/response.h"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::rush {
namespace {

constexpr std::string_view answer =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nretry-after: 2\r\nContent-Length: 5\r\n\r\nhello";

Parsed parsed(std::string_view bytes) {
  Response response;
  return parse(bytes, response);
}

std::string with(std::string_view headers) { return "HTTP/1.1 200 OK\r\n" + std::string(headers) + "\r\n"; }

TEST(Response, reads_what_matters) {
  Response response;
  ASSERT_EQ(parse(answer, response), Parsed::whole);
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(response.retry_after_s, 2);
  EXPECT_FALSE(response.close);
  EXPECT_EQ(response.bytes, answer.size());
}

TEST(Response, waits_for_the_rest) {
  for (std::size_t size = 0; size < answer.size(); ++size)
    EXPECT_EQ(parsed(answer.substr(0, size)), Parsed::more) << size;
}

TEST(Response, ends_where_its_length_says) {
  Response response;
  ASSERT_EQ(parse(std::string(answer) + "more", response), Parsed::whole);
  EXPECT_EQ(response.bytes, answer.size());
}

TEST(Response, says_when_the_connection_ends) {
  Response response;
  ASSERT_EQ(parse(with("Content-Length: 0\r\nConnection: Close\r\n"), response), Parsed::whole);
  EXPECT_TRUE(response.close);
}

TEST(Response, some_have_no_body) {
  EXPECT_EQ(parsed("HTTP/1.1 204 No Content\r\n\r\n"), Parsed::whole);
  EXPECT_EQ(parsed("HTTP/1.1 304 Not Modified\r\n\r\n"), Parsed::whole);
}

TEST(Response, refuses_what_is_not_ours) {
  for (const std::string& bytes : {std::string("HTTP/1.0 200 OK\r\n"),
                                   std::string("HTTP/1.1 2000 OK\r\n"),
                                   std::string("HTTP/1.1 20 OK\r\n"),
                                   std::string("HTTP/1.1 100 Continue\r\n"),
                                   std::string("HTTP/1.1 600 No\r\n"),
                                   std::string("garbage\r\n"),
                                   std::string("\r\n"),
                                   std::string("\n"),
                                   std::string("HTTP/1.1 200 OK\n"),
                                   with(""),
                                   with("Content-Length: x\r\n"),
                                   with("Content-Length: -1\r\n"),
                                   with("Content-Length: +1\r\n"),
                                   with("Content-Length: \r\n"),
                                   with("Content-Length: 1\r\nContent-Length: 1\r\n"),
                                   with("Content-Length: 65537\r\n"),
                                   with("Content-Length: 99999999999999999999\r\n"),
                                   with("Transfer-Encoding: chunked\r\n"),
                                   with("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
                                   with("Content-Length : 0\r\n"),
                                   with("X: a\r\n b\r\nContent-Length: 0\r\n"),
                                   with("no colon\r\n"),
                                   with(": empty\r\n"),
                                   with("X: a\rb\r\nContent-Length: 0\r\n"),
                                   with("Retry-After: soon\r\nContent-Length: 0\r\n"),
                                   std::string(9000, 'x'),
                                   with(std::string("X: ") + std::string(9000, 'x') + "\r\nContent-Length: 0\r\n")}) {
    EXPECT_EQ(parsed(bytes), Parsed::malformed) << bytes.substr(0, 80);
  }
}

}  // namespace
}  // namespace firstcome::rush
