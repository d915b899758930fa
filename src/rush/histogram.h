#pragma once

#include <cstdint>
#include <vector>

namespace firstcome::rush {

/// How long things took, in memory that does not grow, with an error that is relative: the idea of HdrHistogram. No
/// package of our system has one.
///
///   Invariant   quantile(q) is never below the exact one, and above it by at most 1/256 (0.4 %); below 512 it is
///   exact, as
///               are min, max and mean always.
///   Bounds      72 KB; values from 0 to 2^42 - 1 µs (50 days). Others count as the nearest of these.
///   Threads     one at a time; histograms of several threads are merged.
class Histogram {
 public:
  static constexpr std::int64_t value_max = (std::int64_t{1} << 42) - 1;

  Histogram();

  void add(std::int64_t value_us);
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::int64_t min() const { return count_ == 0 ? 0 : min_; }
  std::int64_t max() const { return max_; }
  double mean() const { return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_); }

  /// The smallest value that at least the fraction `q` of all values is not above; 0 when there are none.
  std::int64_t quantile(double q) const;

  /// How many values are in [from, to), for drawing; exact where both are powers of two.
  std::uint64_t between(std::int64_t from, std::int64_t to) const;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::int64_t min_ = value_max;
  std::int64_t max_ = 0;
  using Sum = unsigned __int128;  // 2^64 values of 2^42
  Sum sum_ = 0;
};

}  // namespace firstcome::rush
