// The decoder took an `opened` entry whose issue rate was NaN: such a campaign is unequal to itself, and no rate can be
// kept. An entry with a rate that is not a number from 0 on is damaged. Found by fuzz_entry, whose input is in its
// corpus. Nothing of ours writes one.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "model/entry.h"

namespace firstcome {
namespace {

TEST(Regress, rate_that_is_no_number) {
  const auto survives = [](double rate) {
    std::vector<std::uint8_t> bytes;
    encode(Opened{.campaign = "lunch", .name = {}, .quota = 100, .issue_rate = rate}, bytes);
    return decode(bytes).has_value();
  };
  for (const double rate : {0.0, 0.5, 1e7}) EXPECT_TRUE(survives(rate)) << rate;
  using Limits = std::numeric_limits<double>;
  for (const double rate : {Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), -1.0}) {
    EXPECT_FALSE(survives(rate)) << rate;
  }
}

}  // namespace
}  // namespace firstcome
