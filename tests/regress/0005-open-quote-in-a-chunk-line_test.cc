// A chunk line whose extension opens a quote and does not close it was waited for; each byte that came made Beast count
// the chunk against the body's limit once more, until the answer was 413 or 400 by how the network had cut it. Such a
// line is malformed as soon as it is whole. Found by fuzz_request, whose input is in its corpus.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "http/request_parser.h"

namespace firstcome::http {
namespace {

TEST(Regress, open_quote_in_a_chunk_line) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& before : {std::string(), std::string("2\r\nhi\r\n")}) {
    const std::string request = start + before + "5;a=\"b\r\n" + std::string(2000, 'x');
    for (const std::size_t piece : {1, 40, 100'000}) {
      const Limits limits;
      RequestParser parser(limits, 1 << 17);
      auto outcome = RequestParser::Outcome::need_more;
      for (std::string_view rest = request; !rest.empty() && outcome == RequestParser::Outcome::need_more;) {
        const auto room = parser.room();
        const std::size_t count = std::min({piece, rest.size(), room.size()});
        std::ranges::copy(rest.substr(0, count), room.begin());
        parser.received(count);
        rest.remove_prefix(count);
        outcome = parser.next();
      }
      ASSERT_EQ(outcome, RequestParser::Outcome::malformed) << "in pieces of " << piece;
      EXPECT_EQ(parser.malformed(), Malformed::chunk) << "in pieces of " << piece;
    }
  }
}

}  // namespace
}  // namespace firstcome::http
