#include "http/response.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "http/problem.h"

namespace firstcome::http {
namespace {

std::string sent(const ReadyResponse& response, ReadyResponse::Connection connection, bool with_body = true) {
  std::string out = "before|";
  response.append_to(out, connection, with_body);
  return out;
}

TEST(Response, is_the_least_that_a_client_needs) {
  const ReadyResponse ready(
      Response{.status = 409, .content_type = "text/plain", .fields = {{"A", "b"}}, .body = "no"});
  const std::string head = "before|HTTP/1.1 409 Conflict\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nA: b\r\n";
  EXPECT_EQ(sent(ready, ReadyResponse::Connection::implied), head + "\r\nno");
  EXPECT_EQ(sent(ready, ReadyResponse::Connection::close), head + "Connection: close\r\n\r\nno");
  EXPECT_EQ(sent(ready, ReadyResponse::Connection::keep_alive), head + "Connection: keep-alive\r\n\r\nno");
  EXPECT_EQ(sent(ready, ReadyResponse::Connection::implied, false), head + "\r\n");
  EXPECT_EQ(ready.body(), "no");
}

TEST(Response, not_modified_states_no_length) {
  const ReadyResponse ready(Response{.status = 304, .content_type = "a/b", .fields = {{"ETag", "\"x\""}}, .body = ""});
  EXPECT_EQ(sent(ready, ReadyResponse::Connection::implied), "before|HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
}

TEST(Problem, is_rfc_9457_with_a_hint) {
  const Response response = Problem{.status = 503,
                                    .type = "stale",
                                    .title = "Not fresh",
                                    .detail = "line\n\"quoted\" \xff",
                                    .hint = "Ask again.",
                                    .members = {{"quota", "100"}},
                                    .retry_after = std::chrono::seconds(2)}
                                .response({{"Cache-Control", "no-store"}});
  const auto body = nlohmann::json::parse(response.body);
  EXPECT_EQ(body["type"], "/problems/stale");
  EXPECT_EQ(body["title"], "Not fresh");
  EXPECT_EQ(body["status"], 503);
  EXPECT_EQ(body["detail"], "line\n\"quoted\" \xef\xbf\xbd");
  EXPECT_EQ(body["hint"], "Ask again.");
  EXPECT_EQ(body["quota"], 100);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.fields.back(), (std::pair<std::string, std::string>("Retry-After", "2")));
}

TEST(Problem, every_malformed_request_has_its_own_words) {
  std::set<std::string> words;
  std::set<std::string> details;
  for (std::size_t i = 0; i < malformed_kinds; ++i) {
    const auto kind = static_cast<Malformed>(i);
    const auto body = nlohmann::json::parse(problem_of(kind).body());
    EXPECT_EQ(body["status"], problem_of(kind).status());
    EXPECT_FALSE(body["hint"].get<std::string>().empty());
    words.emplace(to_string(kind));
    details.insert(body["detail"]);
  }
  EXPECT_EQ(words.size(), malformed_kinds);
  EXPECT_EQ(details.size(), malformed_kinds);
}

}  // namespace
}  // namespace firstcome::http
