#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace firstcome::http {
namespace {

using Outcome = RequestParser::Outcome;

/// Gives `bytes` to the parser in pieces of at most `piece`, and writes down all that came out of it.
std::string transcript(RequestParser& parser, std::string_view bytes, std::size_t piece) {
  std::string seen;
  const auto take = [&] {
    for (;;) {
      const Outcome outcome = parser.next();
      if (outcome == Outcome::need_more) return true;
      if (outcome == Outcome::malformed) {
        seen += "malformed " + std::string(to_string(parser.malformed()));
        return false;
      }
      const Request& request = parser.request();
      seen += std::string(request.method_name) + " " + std::string(request.path) + "?" + std::string(request.query);
      for (const Field& field : request.fields) {
        seen += " " + std::string(field.name) + "=" + std::string(field.value);
      }
      seen += " body=" + std::string(request.body) + (request.keep_alive ? " keep" : " close") + "\n";
    }
  };
  while (!bytes.empty()) {
    const auto room = parser.room();
    EXPECT_FALSE(room.empty());
    const std::size_t count = std::min({piece, bytes.size(), room.size()});
    std::memcpy(room.data(), bytes.data(), count);
    parser.received(count);
    bytes.remove_prefix(count);
    if (!take()) return seen;
  }
  return seen + (parser.has_rest() ? "rest" : "");
}

/// However the bytes are cut, the parser says the same.
std::string read(std::string_view bytes, const Limits& limits = {}) {
  RequestParser whole(limits, 1 << 17);
  const std::string at_once = transcript(whole, bytes, bytes.size());
  for (const std::size_t piece : {1, 2, 3, 7, 16, 61}) {
    RequestParser parser(limits);
    EXPECT_EQ(transcript(parser, bytes, piece), at_once) << "in pieces of " << piece << ": " << bytes.substr(0, 400);
  }
  return at_once;
}

std::string refused(Malformed kind) { return "malformed " + std::string(to_string(kind)); }

TEST(RequestParser, gives_a_request_with_its_parts_in_place) {
  EXPECT_EQ(read("POST /v1/campaigns/lunch/claims?a=b HTTP/1.1\r\nHost: h:80\r\nX-User:  u 1 \r\nEmpty:\r\n\r\n"),
            "POST /v1/campaigns/lunch/claims?a=b Host=h:80 X-User=u 1 Empty= body= keep\n");
}

TEST(RequestParser, gives_pipelined_requests_in_order_each_with_its_body) {
  EXPECT_EQ(read("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                 "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"
                 "2;name=value\r\nde\r\n1\r\nf\r\n0\r\nX-Trailer: t\r\n\r\n"
                 "\r\nGET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
                 "GET /4 HTTP/1.1\r\nHo"),
            "POST /1? Host=h Content-Length=3 body=abc keep\n"
            "POST /2? Host=h Transfer-Encoding=Chunked body=def keep\n"
            "GET /3? Host=h Connection=close body= close\n"
            "rest");
}

TEST(RequestParser, speaks_http_10) {
  EXPECT_EQ(read("GET / HTTP/1.0\r\n\r\n"), "GET /? body= close\n");
  EXPECT_EQ(read("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), "GET /? Connection=keep-alive body= keep\n");
  EXPECT_EQ(read("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            refused(Malformed::transfer_encoding));
  EXPECT_EQ(read("POST / HTTP/1.0\r\nExpect: cake\r\n\r\n"), "POST /? Expect=cake body= close\n");
}

TEST(RequestParser, shows_the_routes_every_field_of_a_name) {
  Limits limits;
  RequestParser parser(limits);
  const std::string_view bytes = "GET / HTTP/1.1\r\nHost: h\r\nX-User: alice\r\nx-user: bob\r\n\r\n";
  std::memcpy(parser.room().data(), bytes.data(), bytes.size());
  parser.received(bytes.size());
  ASSERT_EQ(parser.next(), Outcome::complete);
  EXPECT_EQ(parser.request().count("X-USER"), 2U);
  EXPECT_EQ(parser.request().find("X-User")->value, "alice");
  EXPECT_EQ(parser.request().find("X-Use"), nullptr);
}

struct Case {
  std::string_view what;
  std::string bytes;
  Malformed kind;
};

std::string with_field(std::string_view field) {
  return "POST / HTTP/1.1\r\nHost: h\r\n" + std::string(field) + "\r\n\r\n";
}
std::string with_chunks(std::string_view chunks) {
  return with_field("Transfer-Encoding: chunked") + std::string(chunks);
}

/// Two readers of one byte stream must not see two different requests: each of these has been such a case.
TEST(RequestParser, refuses_what_could_be_read_in_two_ways) {
  const std::vector<Case> cases{
      {"no method", " / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::request_line},
      {"bad method", "G@T / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::request_line},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::target},
      {"HTTP/0.9", "GET /\r\n\r\n", Malformed::target},
      {"no HTTP", "GET / FTP/1.1\r\nHost: h\r\n\r\n", Malformed::request_line},
      {"more after the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", Malformed::request_line},
      {"three words before the version", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::request_line},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", Malformed::version},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", Malformed::version},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Malformed::version},
      {"absolute-form", "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::target},
      {"authority-form", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::target},
      {"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::target},
      {"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::target},
      {"high byte in target", "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::byte},
      {"high byte in name", with_field("X-\xff: 1"), Malformed::byte},
      {"high byte in value", with_field("X-User: \xc3\xadlice"), Malformed::byte},
      {"control byte in value", with_field("X-User: a\x01"), Malformed::byte},
      {"zero byte in value", with_field(std::string("X-User: a\0b", 11)), Malformed::byte},
      {"DEL in value", with_field("X-User: a\x7f"), Malformed::byte},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), Malformed::byte},
      {"bare LF", "GET / HTTP/1.1\nHost: h\n\n", Malformed::byte},
      {"bare LF in a field", with_field("A: b\nC: d"), Malformed::byte},
      {"bare CR in a field", with_field("A: b\rC: d"), Malformed::field},
      {"CR before text", "GET / HTTP/1.1\r\n\rHost: h\r\n\r\n", Malformed::byte},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", Malformed::request_line},
      {"space before the colon", with_field("X-User : a"), Malformed::field},
      {"no colon", with_field("X-User"), Malformed::field},
      {"no name", with_field(": a"), Malformed::field},
      {"folded field", with_field("X-User: al\r\n ice"), Malformed::folded_field},
      {"folded with nothing before", with_field("X-User:\r\n\talice"), Malformed::folded_field},
      {"space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", Malformed::folded_field},
      {"no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", Malformed::no_host},
      {"two Hosts", with_field("Host: h"), Malformed::two_hosts},
      {"two hosts in one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Malformed::bad_host},
      {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", Malformed::bad_host},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Malformed::bad_host},
      {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Malformed::two_hosts},
      {"Content-Length twice, the same", with_field("Content-Length: 1\r\nContent-Length: 1"),
       Malformed::two_content_lengths},
      {"Content-Length twice, two values", with_field("Content-Length: 1\r\nContent-Length: 2"),
       Malformed::two_content_lengths},
      {"Content-Length list", with_field("Content-Length: 1, 1"), Malformed::content_length},
      {"Content-Length sign", with_field("Content-Length: +1"), Malformed::content_length},
      {"Content-Length negative", with_field("Content-Length: -1"), Malformed::content_length},
      {"Content-Length hex", with_field("Content-Length: 0x1"), Malformed::content_length},
      {"Content-Length empty", with_field("Content-Length:"), Malformed::content_length},
      {"Content-Length beyond 64 bits", with_field("Content-Length: 18446744073709551616"), Malformed::content_length},
      {"length, then encoding", with_field("Content-Length: 1\r\nTransfer-Encoding: chunked"),
       Malformed::length_and_encoding},
      {"encoding, then length", with_field("Transfer-Encoding: chunked\r\nContent-Length: 1"),
       Malformed::length_and_encoding},
      {"unknown encoding", with_field("Transfer-Encoding: gzip"), Malformed::transfer_encoding},
      {"identity", with_field("Transfer-Encoding: identity"), Malformed::transfer_encoding},
      {"stacked encodings", with_field("Transfer-Encoding: gzip, chunked"), Malformed::transfer_encoding},
      {"chunked, chunked", with_field("Transfer-Encoding: chunked, chunked"), Malformed::transfer_encoding},
      {"chunked not last", with_field("Transfer-Encoding: chunked, gzip"), Malformed::transfer_encoding},
      {"chunked twice", with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
       Malformed::transfer_encoding},
      {"xchunked", with_field("Transfer-Encoding: xchunked"), Malformed::transfer_encoding},
      {"quoted chunked", with_field("Transfer-Encoding: \"chunked\""), Malformed::transfer_encoding},
      {"empty encoding", with_field("Transfer-Encoding:"), Malformed::transfer_encoding},
      {"expectation", with_field("Expect: a-miracle"), Malformed::expectation},
      {"chunk size is no number", with_chunks("x\r\n"), Malformed::chunk},
      {"chunk size negative", with_chunks("-1\r\na\r\n"), Malformed::chunk},
      {"chunk size with 0x", with_chunks("0x1\r\na\r\n0\r\n\r\n"), Malformed::chunk},
      {"chunk size beyond 64 bits", with_chunks("11111111111111111\r\n"), Malformed::chunk},
      {"chunk longer than its size", with_chunks("1\r\nab\r\n0\r\n\r\n"), Malformed::chunk},
      {"chunk with bare LF", with_chunks("1\na\n0\n\n\r\n"), Malformed::chunk},
      {"line feed in a quoted extension", with_chunks("1;a=\"\n\"\r\na\r\n0\r\n\r\n"), Malformed::chunk},
      {"quoted extension", with_chunks("1;a=\"b\"\r\na\r\n0\r\n\r\n"), Malformed::chunk},
      {"quoted extension over lines", with_chunks("1;a=\"b\r\na\r\n\"\r\n"), Malformed::chunk},
      {"quoted extension of the last chunk", with_chunks("1\r\na\r\n0;a=\"\r\n\r\n\"\r\n\r\n"), Malformed::chunk},
      {"bad chunk extension", with_chunks("1 a\r\na\r\n0\r\n\r\n"), Malformed::chunk},
      {"bad trailer", with_chunks("0\r\nX User: a\r\n\r\n"), Malformed::chunk},
      {"Content-Length in the trailer", with_chunks("0\r\nContent-Length: 5\r\n\r\n"), Malformed::chunk},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(read(c.bytes), refused(c.kind)) << c.what;
  }
}

TEST(RequestParser, trailers_are_no_fields) {
  EXPECT_EQ(read(with_chunks("0\r\nX-User: mallory\r\nHost: other\r\n\r\n")),
            "POST /? Host=h Transfer-Encoding=chunked body= keep\n");
}

TEST(RequestParser, target_header_fields_and_body_have_limits) {
  Limits limits;
  limits.target_bytes = 100;
  limits.header_bytes = 500;
  limits.body_bytes = 50;
  const auto target = [](std::size_t bytes) {
    return "GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  };
  EXPECT_TRUE(read(target(100), limits).starts_with("GET /aaa"));
  EXPECT_EQ(read(target(101), limits), refused(Malformed::target_too_long));
  EXPECT_EQ(read(target(100'000), limits), refused(Malformed::target_too_long));
  EXPECT_EQ(read(std::string(100'000, 'a'), limits), refused(Malformed::request_line));

  const auto header = [](std::size_t bytes) {
    const std::string around = "GET / HTTP/1.1\r\nHost: h\r\nA: \r\n\r\n";
    return "GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(bytes - around.size(), 'a') + "\r\n\r\n";
  };
  EXPECT_TRUE(read(header(500), limits).starts_with("GET /"));
  EXPECT_EQ(read(header(501), limits), refused(Malformed::header_too_large));
  EXPECT_EQ(read(header(100'000), limits), refused(Malformed::header_too_large));

  std::string fields;
  for (std::size_t i = 1; i < Limits::fields_max; ++i) fields += "A:\r\n";
  EXPECT_TRUE(read("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n", limits).starts_with("GET /"));
  EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: h\r\nA:\r\n" + fields + "\r\n", limits), refused(Malformed::too_many_fields));

  const std::string fifty(50, 'b');
  EXPECT_TRUE(read(with_field("Content-Length: 50") + fifty, limits).ends_with("body=" + fifty + " keep\n"));
  EXPECT_EQ(read(with_field("Content-Length: 51"), limits), refused(Malformed::body_too_large));
  EXPECT_EQ(read(with_field("Content-Length: 18446744073709551615"), limits), refused(Malformed::body_too_large));
  EXPECT_TRUE(
      read(with_chunks("28\r\n" + fifty.substr(0, 40) + "\r\na\r\n" + fifty.substr(0, 10) + "\r\n0\r\n\r\n"), limits)
          .ends_with("body=" + fifty + " keep\n"));
  EXPECT_EQ(read(with_chunks("28\r\n" + fifty.substr(0, 40) + "\r\nb\r\n"), limits),
            refused(Malformed::body_too_large));
  EXPECT_EQ(read(with_chunks("ffffffffffffffff\r\n"), limits), refused(Malformed::body_too_large));
}

TEST(RequestParser, a_chunk_line_that_never_ends_is_refused) {
  EXPECT_EQ(read(with_chunks("1;" + std::string(Limits::chunk_line_bytes_max, 'a'))), refused(Malformed::chunk));
  EXPECT_EQ(read(with_chunks(std::string(Limits::chunk_line_bytes_max + 1, '0'))), refused(Malformed::chunk));
  std::string trailers = "0\r\n";
  while (trailers.size() <= Limits::chunk_line_bytes_max) trailers += "A: b\r\n";
  EXPECT_EQ(read(with_chunks(trailers)), refused(Malformed::chunk));
}

TEST(RequestParser, long_bodies_pass_through_a_small_buffer) {
  const std::string body(60'000, 'x');
  EXPECT_TRUE(read(with_field("Content-Length: 60000") + body + "GET /n HTTP/1.1\r\nHost: h\r\n\r\n")
                  .ends_with("body=" + body + " keep\nGET /n? Host=h body= keep\n"));
}

TEST(RequestParser, says_once_that_the_client_waits_for_continue) {
  Limits limits;
  const auto feed = [](RequestParser& parser, std::string_view bytes) {
    std::memcpy(parser.room().data(), bytes.data(), bytes.size());
    parser.received(bytes.size());
    return parser.next();
  };
  RequestParser parser(limits);
  EXPECT_EQ(feed(parser, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"),
            Outcome::need_more);
  EXPECT_TRUE(parser.take_wants_continue());
  EXPECT_FALSE(parser.take_wants_continue());
  EXPECT_EQ(feed(parser, "ab"), Outcome::complete);
  // The body came along: nobody waits.
  EXPECT_EQ(feed(parser, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\na"),
            Outcome::need_more);
  EXPECT_FALSE(parser.take_wants_continue());
}

TEST(RequestParser, hands_its_rest_over_at_every_byte) {
  Limits limits;
  const std::string bytes =
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /2?q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    RequestParser shared(limits, 16 * 1024);
    std::string seen = transcript(shared, std::string_view(bytes).substr(0, cut), cut);
    if (seen.ends_with("rest")) seen.resize(seen.size() - 4);
    RequestParser own(limits);
    own.take_rest_of(shared);
    EXPECT_FALSE(shared.has_rest());
    seen += transcript(own, std::string_view(bytes).substr(cut), 5);
    EXPECT_EQ(seen, "GET /1? Host=h body= keep\nPOST /2?q Host=h Transfer-Encoding=chunked body=abc keep\n") << cut;
  }
}

}  // namespace
}  // namespace firstcome::http
