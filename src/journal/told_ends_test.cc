// Proves that an end which is less than one that was told before is found, whoever told it.
#include "journal/told_ends.h"

#include <gtest/gtest.h>

namespace firstcome {
namespace {

TEST(ToldEnds, who_tells_less_than_anybody_before_is_behind) {
  ToldEnds told;
  EXPECT_FALSE(told.look({{0, 5}, {1, 7}}));
  EXPECT_FALSE(told.look({{0, 5}, {1, 8}}));
  auto behind = told.look({{0, 9}, {1, 7}});
  ASSERT_TRUE(behind);
  EXPECT_EQ(behind->partition, 1U);
  EXPECT_EQ(behind->end, 7);
  EXPECT_EQ(behind->before, 8);
  EXPECT_FALSE(told.look({{0, 5}, {1, 8}})) << "of what was told beside a lie nothing was learnt";
  told.learn({{0, 6}});
  told.learn({{0, 4}});
  behind = told.look({{0, 5}, {1, 8}});
  ASSERT_TRUE(behind);
  EXPECT_EQ(behind->before, 6);
}

}  // namespace
}  // namespace firstcome
