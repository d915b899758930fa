// However a byte stream is cut into reads, the parser sees the same requests in it, and all of them keep the rules of
// http/request.h. The first two bytes say how it is cut.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "http/request_parser.h"

namespace {

using firstcome::http::Limits;
using firstcome::http::Request;
using firstcome::http::RequestParser;
using Outcome = RequestParser::Outcome;

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
}

void check(const Request& request, const Limits& limits) {
  MUST(request.path.starts_with('/'), "a path starts with a slash");
  MUST(request.target.size() <= limits.target_bytes && request.body.size() <= limits.body_bytes, "limits are kept");
  MUST(is_printable(request.target) && !request.target.contains(' '), "a target is printable");
  MUST(request.fields.size() <= Limits::fields_max, "fields are counted");
  for (const auto& field : request.fields) {
    MUST(!field.name.empty() && is_printable(field.name) && is_printable(field.value), "fields are printable");
  }
  MUST(request.count("Host") == 1 || (request.http_1_0 && request.count("Host") == 0), "there is one Host");
  const auto lengths = request.count("Content-Length");
  const auto encodings = request.count("Transfer-Encoding");
  MUST(lengths + encodings <= 1, "a body has one length");
  MUST(lengths + encodings == 1 || request.body.empty(), "a body has a length");
  if (lengths == 1) {
    MUST(std::to_string(request.body.size()) ==
             request.find("Content-Length")
                 ->value.substr(std::min(request.find("Content-Length")->value.find_first_not_of('0'),
                                         request.find("Content-Length")->value.size() - 1)),
         "the body is as long as it says");
  }
#ifdef FIRSTCOME_CANARY
  MUST(!(encodings == 1 && request.method != firstcome::http::Method::patch), "the planted mistake");
#endif
}

struct Seen {
  std::string requests;
  bool malformed = false;  // which mistake it is called may depend on how much of it has come
  bool operator==(const Seen&) const = default;
};

Seen read(std::string_view bytes, std::uint32_t cuts, const Limits& limits) {
  RequestParser parser(limits);
  Seen seen;
  std::uint32_t random = cuts;
  while (!bytes.empty()) {
    const auto room = parser.room();
    MUST(!room.empty(), "there is room as long as more is needed");
    random = random * 1664525U + 1013904223U;
    const std::size_t piece = cuts == 0 ? bytes.size() : 1 + (random >> 16) % 40;
    const std::size_t count = std::min({piece, bytes.size(), room.size()});
    std::ranges::copy(bytes.substr(0, count), room.begin());
    parser.received(count);
    bytes.remove_prefix(count);
    for (;;) {
      const Outcome outcome = parser.next();
      if (outcome == Outcome::need_more) break;
      if (outcome == Outcome::malformed) return {seen.requests, true};
      const Request& request = parser.request();
      check(request, limits);
      auto& text = seen.requests;
      text += std::string(request.method_name) + ' ' + std::string(request.target) + (request.keep_alive ? "+" : "-");
      for (const auto& field : request.fields) text += std::string(field.name) + ':' + std::string(field.value) + ';';
      text += std::string(request.body) + '\n';
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  Limits limits;
  limits.target_bytes = 200;
  limits.header_bytes = 1000;
  limits.body_bytes = 500;
  const std::uint32_t cuts = 1U + data[0] * 256U + data[1];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  MUST(read(bytes, 0, limits) == read(bytes, cuts, limits), "the cuts change nothing");
  return 0;
}
