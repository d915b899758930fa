// Each promise that a client can see is found broken when it is, by a sentence that names who; and only then.
#include "rush/promises.h"

#include <gtest/gtest.h>

namespace firstcome::rush {
namespace {

class PromisesTest : public testing::Test {
 protected:
  Promises promises{"lunch", Users{.prefix = "u", .first = 1, .count = 10}};

  /// User i is u(i+1).
  void win(std::uint32_t user, std::uint32_t rank, std::uint8_t code, std::string_view body = "body") {
    const auto name = Users{.prefix = "u"}.name(user);
    const auto text = to_text(Code{code});
    promises.won(user, {.told = Told::won, .rank = rank, .campaign = "lunch", .user = name, .code = text}, body);
  }
  void expect_broken(std::string_view sentence) {
    ASSERT_EQ(promises.broken(), 1u);
    EXPECT_EQ(promises.sentences().at(0), sentence);
  }
};

TEST_F(PromisesTest, kept) {
  win(0, 1, 1);
  win(0, 1, 1);
  win(1, 2, 2, "another body");
  promises.sold_out(2, 2);
  promises.sold_out(2, 2);
  promises.closed(3);
  promises.quota_is(2);
  EXPECT_EQ(promises.broken(), 0u);
  EXPECT_EQ(promises.winners(), 2u);
  EXPECT_EQ(promises.rank_max(), 2u);
}

TEST_F(PromisesTest, a_rank_twice) {
  win(0, 1, 1);
  win(1, 1, 2);
  expect_broken("rank 1 was given to u1 and to u2");
}

TEST_F(PromisesTest, a_code_twice) {
  win(0, 1, 1);
  win(1, 2, 1);
  expect_broken("code " + to_text(Code{1}) + " was given to u1 and to u2");
}

TEST_F(PromisesTest, another_rank_later) {
  win(0, 1, 1);
  win(0, 2, 1);
  expect_broken("u1 was told rank 1 and later rank 2");
}

TEST_F(PromisesTest, another_body_later) {
  win(0, 1, 1, "one");
  win(0, 1, 1, "other");
  expect_broken("u1 was told two different bodies for rank 1, the last one: other");
}

TEST_F(PromisesTest, somebody_elses_coupon) {
  const auto code = to_text(Code{1});
  promises.won(0, {.told = Told::won, .rank = 1, .campaign = "lunch", .user = "u2", .code = code}, "b");
  expect_broken("u1 was given the coupon of u2");
}

TEST_F(PromisesTest, a_coupon_of_another_campaign) {
  const auto code = to_text(Code{1});
  promises.won(0, {.told = Told::won, .rank = 1, .campaign = "dinner", .user = "u1", .code = code}, "b");
  expect_broken("u1 asked for lunch and was given a coupon of dinner");
}

TEST_F(PromisesTest, a_winner_is_told_sold_out) {
  win(0, 7, 1);
  promises.sold_out(0, 10);
  expect_broken("u1 holds rank 7 and was told that all 10 are sold out");
}

TEST_F(PromisesTest, sold_out_and_then_won_within_that_quota) {
  promises.sold_out(0, 10);
  win(0, 10, 1);
  expect_broken("u1 holds rank 10 and was told that all 10 are sold out");
}

TEST_F(PromisesTest, sold_out_and_then_won_above_that_quota_is_a_raise) {
  promises.sold_out(0, 10);
  win(0, 11, 1);
  promises.quota_is(20);
  EXPECT_EQ(promises.broken(), 0u);
}

TEST_F(PromisesTest, closed_and_then_won) {
  promises.closed(0);
  win(0, 1, 1);
  expect_broken("u1 holds rank 1 and was told that the campaign is closed");
}

TEST_F(PromisesTest, beyond_the_quota) {
  win(0, 11, 1);
  promises.quota_is(10);
  expect_broken("u1 was told rank 11, and the quota is 10");
}

TEST_F(PromisesTest, sentences_are_bounded_and_all_are_counted) {
  Promises many("lunch", Users{.prefix = "u", .first = 1, .count = 100});
  const auto code = to_text(Code{1});
  for (std::uint32_t user = 0; user < 100; ++user)
    many.won(user, {.told = Told::won, .rank = 1, .campaign = "lunch", .user = "x", .code = code}, "b");
  EXPECT_EQ(many.broken(), 100u);
  EXPECT_EQ(many.sentences().size(), Promises::sentences_max);
}

}  // namespace
}  // namespace firstcome::rush
