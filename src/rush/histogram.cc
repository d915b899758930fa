#include "rush/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/assert.h"

// DESIGN
//
// The first 512 values have a bucket each. From there every octave [2^k, 2^(k+1)) is cut into 256 buckets of equal
// width, so that a bucket is at most 1/256 as wide as the values in it. A quantile is the last value of its bucket.

namespace firstcome::rush {
namespace {

constexpr int octave_bits = 8;
constexpr std::uint64_t octave_buckets = 1u << octave_bits;
constexpr std::uint64_t exact_values = 2 * octave_buckets;

constexpr std::uint64_t bucket_of(std::uint64_t value) {
  if (value < exact_values) return value;
  const auto shift = static_cast<std::uint64_t>(std::bit_width(value)) - octave_bits - 1;
  return shift * octave_buckets + (value >> shift);
}

constexpr std::uint64_t first_of(std::uint64_t bucket) {
  if (bucket < exact_values) return bucket;
  const std::uint64_t shift = bucket / octave_buckets - 1;
  return (bucket - shift * octave_buckets) << shift;
}

constexpr std::uint64_t last_of(std::uint64_t bucket) { return first_of(bucket + 1) - 1; }

constexpr std::uint64_t buckets = bucket_of(Histogram::value_max) + 1;
static_assert(bucket_of(511) == 511 && bucket_of(512) == 512 && bucket_of(513) == 512 && bucket_of(514) == 513);
static_assert(first_of(512) == 512 && last_of(512) == 513 && last_of(buckets - 1) == Histogram::value_max);

}  // namespace

Histogram::Histogram() : counts_(buckets) {}

void Histogram::add(std::int64_t value_us) {
  const std::int64_t value = std::clamp<std::int64_t>(value_us, 0, value_max);
  ++counts_[bucket_of(static_cast<std::uint64_t>(value))];
  ++count_;
  sum_ += static_cast<std::uint64_t>(value);
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) counts_[bucket] += other.counts_[bucket];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

std::int64_t Histogram::quantile(double q) const {
  MUST(q >= 0 && q <= 1, "a quantile is a fraction");
  if (count_ == 0) return 0;
  const auto wanted = std::max(1.0, std::ceil(q * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::uint64_t bucket = 0; bucket < buckets; ++bucket) {
    seen += counts_[bucket];
    if (static_cast<double>(seen) >= wanted) return std::clamp(static_cast<std::int64_t>(last_of(bucket)), min_, max_);
  }
  return max_;
}

std::uint64_t Histogram::between(std::int64_t from, std::int64_t to) const {
  const auto begin = bucket_of(static_cast<std::uint64_t>(std::clamp<std::int64_t>(from, 0, value_max)));
  const auto end = to > value_max ? buckets : bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(to, 0)));
  std::uint64_t sum = 0;
  for (auto bucket = begin; bucket < end; ++bucket) sum += counts_[bucket];
  return sum;
}

}  // namespace firstcome::rush
