#include "issuer/pace.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"

namespace firstcome {
namespace {

// Both ends of a span are cut to whole milliseconds, so 1000 of them may be a little less than a second.
constexpr Millis second{1001};

/// At most 30 years: a rate may be as small as a double.
Millis time_for(std::size_t rows, double rate) {
  constexpr double longest = 1e12;
  return Millis(static_cast<Millis::rep>(std::min(std::ceil(1000.0 * static_cast<double>(rows) / rate), longest)));
}

}  // namespace

std::size_t Pace::batch_rows(double rate) {
  if (rate <= 0) return limits::coupons_batch_max;
  // Compared before the cast: a rate may be larger than any integer.
  return static_cast<std::size_t>(std::clamp(rate / 10, 1.0, static_cast<double>(limits::coupons_batch_max)));
}

Uptime Pace::due(std::size_t rows, double rate) const {
  if (rate <= 0) return {};
  const double second_rows = std::max(std::ceil(rate), 1.0);
  std::size_t gone = 0;
  for (const auto& [at, some] : spent_) gone += some;
  Uptime when = next_;
  for (const auto& [at, some] : spent_) {
    if (static_cast<double>(gone + rows) <= second_rows) break;
    when = std::max(when, at + second);
    gone -= some;
  }
  return when;
}

void Pace::spend(std::size_t rows, double rate, Uptime now) {
  if (rate <= 0 || rows == 0) return;
  next_ = std::max(next_, now + time_for(rows, rate));
  const auto young = std::ranges::find_if(spent_, [&](const auto& batch) { return batch.first + second > now; });
  spent_.erase(spent_.begin(), young);
  spent_.emplace_back(now, rows);
}

void Pace::hold_back(double rate, Uptime now) {
  if (rate <= 0) return;
  next_ = std::max(next_, now + std::max(second, time_for(batch_rows(rate), rate)));
}

}  // namespace firstcome
