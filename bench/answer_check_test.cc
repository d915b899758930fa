// A server that is fast since it answers wrongly must not get a row in the table: every wrong answer is found.
#include "answer_check.h"

#include <gtest/gtest.h>

#include "claim_text.h"

namespace firstcome::bench {
namespace {

using Verdict = AnswerCheck::Verdict;

std::string answer(std::string_view status, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}
std::string won(std::uint64_t user, int rank) {
  return answer("201 Created", R"({"user":")" + user_name(user) + R"(","rank":)" + std::to_string(rank) + "}");
}

TEST(AnswerCheck, takes_whole_answers_only) {
  AnswerCheck check(409);
  const std::string one = answer("409 Conflict", "sold out");
  for (std::size_t bytes = 0; bytes < one.size(); ++bytes) EXPECT_FALSE(check.next(one.substr(0, bytes), 0));
  for (int i = 0; i < 2; ++i) {
    const auto taken = check.next(one + one, 0);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->bytes, one.size());
    EXPECT_EQ(taken->verdict, Verdict::fine);
  }
  EXPECT_FALSE(check.next(one.substr(0, one.size() - 1), 0));
}

TEST(AnswerCheck, finds_another_status_and_another_body) {
  AnswerCheck check(409);
  EXPECT_EQ(check.next(answer("409 Conflict", "sold out"), 0)->verdict, Verdict::fine);
  EXPECT_EQ(check.next(answer("409 Conflict", "sold 0ut"), 0)->verdict, Verdict::wrong);
  EXPECT_EQ(check.next(answer("409 Conflict", "sold"), 0)->verdict, Verdict::wrong);
  EXPECT_EQ(check.next(answer("404 Conflict", "sold out"), 0)->verdict, Verdict::wrong);
  EXPECT_FALSE(check.what().empty());
}

TEST(AnswerCheck, finds_wins_that_are_none) {
  auto check = AnswerCheck::of_wins(2, 1);
  EXPECT_EQ(check.next(won(7, 1), 7)->verdict, Verdict::fine);
  EXPECT_EQ(check.next(won(8, 1), 8)->verdict, Verdict::wrong) << "a rank that somebody else has";
  EXPECT_EQ(check.next(won(8, 3), 8)->verdict, Verdict::wrong) << "a rank beyond the quota";
  EXPECT_EQ(check.next(won(8, 0), 8)->verdict, Verdict::wrong);
  EXPECT_EQ(check.next(won(9, 2), 8)->verdict, Verdict::wrong) << "another user's";
  EXPECT_EQ(check.next(answer("409 Conflict", "sold out"), 8)->verdict, Verdict::wrong);
  EXPECT_EQ(check.next(answer("202 Accepted", "pending"), 8)->verdict, Verdict::ask_again);
  EXPECT_EQ(check.next(won(8, 2), 8)->verdict, Verdict::fine);
  EXPECT_EQ(check.winners(), 2U);
}

TEST(AnswerCheck, counts_the_ranks_of_each_campaign) {
  auto check = AnswerCheck::of_wins(1, 2);
  EXPECT_EQ(check.next(won(10, 1), 10)->verdict, Verdict::fine);
  EXPECT_EQ(check.next(won(11, 1), 11)->verdict, Verdict::fine);
  EXPECT_EQ(check.next(won(12, 1), 12)->verdict, Verdict::wrong);
}

TEST(ClaimText, is_of_one_length_and_names_the_user) {
  const ClaimText text("127.0.0.1:1", "lunch", 100, "");
  std::string claim(text.size(), ' ');
  text.write(12'345'678, claim.data());
  EXPECT_EQ(claim, "POST /v1/campaigns/c00078/claims HTTP/1.1\r\nHost: 127.0.0.1:1\r\nX-User: u12345678\r\n\r\n");
}

}  // namespace
}  // namespace firstcome::bench
