// The histogram against exact quantiles of the same values: never below, above by at most 1/256; and its edges.
#include "rush/histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "rush/dice.h"

namespace firstcome::rush {
namespace {

std::int64_t exact(std::vector<std::int64_t> values, double q) {
  std::ranges::sort(values);
  const auto at = static_cast<std::size_t>(std::max(1.0, std::ceil(q * static_cast<double>(values.size()))));
  return values[at - 1];
}

void expect_close(const Histogram& histogram, const std::vector<std::int64_t>& values) {
  for (const double q : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto right = exact(values, q);
    const auto told = histogram.quantile(q);
    RC_ASSERT(told >= right);
    RC_ASSERT(told <= right + right / 256);
  }
}

/// From microseconds to hours, as even over the octaves as over the values.
rc::Gen<std::int64_t> any_time() {
  return rc::gen::mapcat(rc::gen::inRange(0, 42), [](int bits) {
    return rc::gen::inRange<std::int64_t>(0, (std::int64_t{1} << (bits + 1)) - 1);
  });
}

TEST(Histogram, quantiles_are_within_their_bound) {
  EXPECT_TRUE(rc::check([] {
    const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::int64_t>>(any_time()));
    Histogram histogram;
    for (const auto value : values) histogram.add(value);
    expect_close(histogram, values);
    RC_ASSERT(histogram.count() == values.size());
    RC_ASSERT(histogram.min() == *std::ranges::min_element(values));
    RC_ASSERT(histogram.max() == *std::ranges::max_element(values));
  }));
}

TEST(Histogram, many_values_of_a_long_tail) {
  Dice dice(7);
  std::vector<std::int64_t> values;
  Histogram histogram;
  double sum = 0;
  for (int i = 0; i < 200'000; ++i) {
    values.push_back(static_cast<std::int64_t>(100 * std::exp(dice.gap() * 3)));
    values.back() = std::min(values.back(), Histogram::value_max);
    histogram.add(values.back());
    sum += static_cast<double>(values.back());
  }
  expect_close(histogram, values);
  EXPECT_NEAR(histogram.mean(), sum / 200'000, sum / 200'000 * 1e-9);
}

TEST(Histogram, merging_is_as_if_one_had_seen_all) {
  EXPECT_TRUE(rc::check([] {
    const auto left = *rc::gen::container<std::vector<std::int64_t>>(any_time());
    const auto right = *rc::gen::nonEmpty(rc::gen::container<std::vector<std::int64_t>>(any_time()));
    Histogram one;
    Histogram other;
    Histogram all;
    for (const auto value : left) one.add(value), all.add(value);
    for (const auto value : right) other.add(value), all.add(value);
    one.merge(other);
    for (const double q : {0.0, 0.5, 0.99, 1.0}) RC_ASSERT(one.quantile(q) == all.quantile(q));
    RC_ASSERT(one.count() == all.count());
    RC_ASSERT(one.min() == all.min());
    RC_ASSERT(one.max() == all.max());
    RC_ASSERT(one.mean() == all.mean());
  }));
}

TEST(Histogram, empty_is_zero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.quantile(0.5), 0);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(Histogram, edges_of_buckets) {
  for (std::int64_t value :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{255}, std::int64_t{256}, std::int64_t{511}, std::int64_t{512},
        std::int64_t{1023}, std::int64_t{1024}, Histogram::value_max - 1, Histogram::value_max}) {
    Histogram histogram;
    histogram.add(value);
    EXPECT_EQ(histogram.quantile(0), value);
    EXPECT_EQ(histogram.quantile(1), value);
    EXPECT_EQ(histogram.max(), value);
  }
}

TEST(Histogram, what_is_out_of_range_counts_as_the_nearest) {
  Histogram histogram;
  histogram.add(-5);
  histogram.add(INT64_MAX);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), Histogram::value_max);
  EXPECT_EQ(histogram.count(), 2u);
}

TEST(Histogram, between_counts_octaves_exactly) {
  Histogram histogram;
  for (int value = 0; value < 4096; ++value) histogram.add(value);
  EXPECT_EQ(histogram.between(0, 1), 1u);
  EXPECT_EQ(histogram.between(512, 1024), 512u);
  EXPECT_EQ(histogram.between(2048, 4096), 2048u);
  EXPECT_EQ(histogram.between(4096, INT64_MAX), 0u);
  EXPECT_EQ(histogram.between(0, INT64_MAX), 4096u);
}

TEST(Histogram, a_quantile_is_a_fraction) { EXPECT_DEATH(static_cast<void>(Histogram().quantile(99)), "fraction"); }

}  // namespace
}  // namespace firstcome::rush
