// Every answer of docs/api.md is read as what it is; what does not fit together is refused as malformed.
#include "rush/told.h"

#include <gtest/gtest.h>

#include "model/code.h"

namespace firstcome::rush {
namespace {

const std::string code = to_text(Code{1, 2, 3});

std::string won_body(std::string_view user = "u7", std::string_view rank = "17") {
  return R"({"campaign":"lunch","user":")" + std::string(user) + R"(","answer":"won","rank":)" + std::string(rank) +
         R"(,"code":")" + code + R"(","claimed_at":"2026-11-24T09:00:00.000Z"})";
}

std::string problem(std::string_view slug, std::string_view more = "") {
  return R"({"type":"https://firstcome.dev/problems/)" + std::string(slug) + R"(","title":"t")" + std::string(more) +
         "}";
}

Told told(int status, std::string_view body) { return AnswerReader().read(status, body).told; }

TEST(Told, won_gives_rank_and_code) {
  AnswerReader reader;
  for (const int status : {200, 201}) {
    const auto body = won_body();
    const auto said = reader.read(status, body);
    EXPECT_EQ(said.told, Told::won);
    EXPECT_FALSE(said.again);
    EXPECT_EQ(said.rank, 17u);
    EXPECT_EQ(said.code, code);
    EXPECT_EQ(said.user, "u7");
    EXPECT_EQ(said.campaign, "lunch");
  }
}

TEST(Told, won_with_escapes_or_spaces_is_read_too) {
  AnswerReader reader;
  const auto escaped = won_body(R"(a\"b\\c)");
  EXPECT_EQ(reader.read(201, escaped).user, R"(a"b\c)");
  const auto spaced = R"({ "campaign":"lunch", "user":"u7", "answer":"won", "rank":17, "more":{"a":[1]}, "code":")" +
                      code + R"(", "claimed_at":"t" })";
  EXPECT_EQ(reader.read(201, spaced).rank, 17u);
}

TEST(Told, a_won_that_is_not_whole_is_malformed) {
  AnswerReader reader;
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string("[]"), std::string("{"), won_body() + "x", won_body("u7", "0"),
        won_body("u7", "-1"), won_body("u7", "4294967296"), won_body("u7", "1.5"), won_body("u7", "017"),
        won_body("u7", "\"17\""), won_body("u7", R"(17,"rank":18)"), won_body(""),
        std::string(R"({"campaign":"lunch","user":"u7","answer":"won","rank":17,"code":"ABC","claimed_at":"t"})"),
        std::string(R"({"campaign":"lunch","answer":"pending"})")}) {
    const auto said = reader.read(201, body);
    EXPECT_EQ(said.told, Told::refused) << body;
    EXPECT_TRUE(said.malformed) << body;
    EXPECT_FALSE(said.again) << body;
  }
}

TEST(Told, sold_out_names_its_quota) {
  AnswerReader reader;
  const auto first = problem("sold-out", R"(,"quota":100)");
  const auto raised = problem("sold-out", R"(,"quota":150)");
  EXPECT_EQ(reader.read(409, first).quota, 100u);
  EXPECT_EQ(reader.read(409, first).quota, 100u);  // the same bytes once more
  EXPECT_EQ(reader.read(409, raised).quota, 150u);
  EXPECT_EQ(reader.read(409, raised).told, Told::sold_out);
  EXPECT_FALSE(reader.read(409, raised).again);
  EXPECT_TRUE(reader.read(409, problem("sold-out")).malformed);
  EXPECT_TRUE(reader.read(409, problem("sold-out", R"(,"quota":0)")).malformed);
}

TEST(Told, the_status_belongs_to_the_answer) {
  const auto body = problem("sold-out", R"(,"quota":100)");
  EXPECT_EQ(told(410, body), Told::refused);
  EXPECT_EQ(told(403, problem("closed")), Told::refused);
  EXPECT_EQ(told(409, problem("conflict")), Told::refused);
}

TEST(Told, true_for_now_asks_again) {
  for (const auto& [status, slug, kind] :
       {std::tuple{403, "not-open", Told::not_open}, std::tuple{403, "paused", Told::paused}}) {
    const auto said = AnswerReader().read(status, problem(slug));
    EXPECT_EQ(said.told, kind);
    EXPECT_TRUE(said.again);
  }
  EXPECT_TRUE(AnswerReader().read(202, "{}").again);
  EXPECT_EQ(told(202, "{}"), Told::pending);
}

TEST(Told, closed_is_final) {
  EXPECT_EQ(told(410, problem("closed")), Told::closed);
  EXPECT_EQ(told(410, R"({"type":"urn:firstcome:closed"})"), Told::closed);
  EXPECT_FALSE(AnswerReader().read(410, problem("closed")).again);
}

TEST(Told, faults_and_refusals) {
  for (const int status : {500, 502, 503, 504}) {
    EXPECT_EQ(told(status, "whatever"), Told::fault);
    EXPECT_TRUE(AnswerReader().read(status, "").again);
  }
  for (const int status : {400, 401, 404, 405, 413, 431}) {
    const auto said = AnswerReader().read(status, problem("x"));
    EXPECT_EQ(said.told, Told::refused);
    EXPECT_FALSE(said.again);
    EXPECT_FALSE(said.malformed);
  }
  for (const int status : {408, 429}) EXPECT_TRUE(AnswerReader().read(status, problem("x")).again);
  EXPECT_TRUE(AnswerReader().read(404, "<html>").malformed);
  EXPECT_TRUE(AnswerReader().read(302, "").malformed);
}

TEST(Told, the_final_ones) {
  for (const auto one : all_told)
    EXPECT_EQ(is_final(one), one == Told::won || one == Told::sold_out || one == Told::closed) << to_string(one);
}

}  // namespace
}  // namespace firstcome::rush
