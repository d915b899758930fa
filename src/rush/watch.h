#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

namespace firstcome::rush {

/// Microseconds since the epoch that never go back: the steady clock, set by the wall clock once. History files of one
/// machine can be compared by it; base/clock.h counts milliseconds, which is too coarse for an order.
class Watch {
 public:
  /// Between two looks at the steady clock the wall clock is known to lie; the closest two of a few, since this process
  /// may have been put aside between them, and verify compares the histories of several processes to the microsecond.
  Watch() {
    constexpr int looks = 16;
    std::int64_t closest_us = std::numeric_limits<std::int64_t>::max();
    for (int look = 0; look < looks; ++look) {
      const std::int64_t before_us = steady_us(), wall = wall_us(), after_us = steady_us();
      if (after_us - before_us >= closest_us) continue;
      closest_us = after_us - before_us;
      offset_ = wall - before_us - closest_us / 2;
    }
  }

  std::int64_t now_us() const { return steady_us() + offset_; }

 private:
  template <class Clock>
  static std::int64_t us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
  }
  static std::int64_t wall_us() { return us<std::chrono::system_clock>(); }
  static std::int64_t steady_us() { return us<std::chrono::steady_clock>(); }

  std::int64_t offset_ = 0;
};

}  // namespace firstcome::rush
