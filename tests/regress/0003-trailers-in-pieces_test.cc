// A chunked body's trailers of over 4 KiB were refused when they came in pieces and accepted when they came at once:
// whether a request was well-formed depended on how the network cut it. Found by fuzz_request, whose input is in its
// corpus. Beast is now given at most one chunk line's limit at a time, and a step that needs more is refused in both
// cases.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "http/request_parser.h"

namespace firstcome::http {
namespace {

using Outcome = RequestParser::Outcome;

Outcome read_in_pieces(std::string_view bytes, std::size_t piece) {
  const Limits limits;
  RequestParser parser(limits, 1 << 17);
  Outcome outcome = Outcome::need_more;
  while (!bytes.empty() && outcome == Outcome::need_more) {
    const auto room = parser.room();
    const std::size_t count = std::min({piece, bytes.size(), room.size()});
    std::ranges::copy(bytes.substr(0, count), room.begin());
    parser.received(count);
    bytes.remove_prefix(count);
    outcome = parser.next();
  }
  return outcome;
}

std::string with_trailer(std::size_t bytes) {
  const std::string before = "0\r\nX-Trailer: ";
  const std::string after = "\r\n\r\n";
  return "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + before +
         std::string(bytes - before.size() - after.size(), 'x') + after;
}

TEST(Regress, trailers_in_pieces) {
  // The line end of the chunk before counts as the trailers' first two bytes.
  constexpr std::size_t most = Limits::chunk_line_bytes_max - 2;
  for (const std::size_t bytes : {most - 100, most - 1, most, most + 1, most + 100, most + 3000}) {
    const auto expected = bytes <= most ? Outcome::complete : Outcome::malformed;
    for (const std::size_t piece : {1, 7, 1000, 4096, 100'000}) {
      EXPECT_EQ(read_in_pieces(with_trailer(bytes), piece), expected) << bytes << " in pieces of " << piece;
    }
  }
}

TEST(Regress, long_chunked_bodies_still_come_through) {
  std::string request = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 6; ++i) request += "2710\r\n" + std::string(10'000, 'b') + "\r\n";
  request += "0\r\n\r\n";
  for (const std::size_t piece : {13, 4096, 100'000}) EXPECT_EQ(read_in_pieces(request, piece), Outcome::complete);
}

}  // namespace
}  // namespace firstcome::http
