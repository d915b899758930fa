#pragma once

#include <chrono>
#include <cstdint>

namespace firstcome::rush {

/// Microseconds since the epoch that never go back: the steady clock, set by the wall clock once. History files of one
/// machine can be compared by it; base/clock.h counts milliseconds, which is too coarse for an order.
class Watch {
 public:
  Watch() : offset_(wall_us() - steady_us()) {}

  std::int64_t now_us() const { return steady_us() + offset_; }

 private:
  template <class Clock>
  static std::int64_t us() {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
  }
  static std::int64_t wall_us() { return us<std::chrono::system_clock>(); }
  static std::int64_t steady_us() { return us<std::chrono::steady_clock>(); }

  std::int64_t offset_;
};

}  // namespace firstcome::rush
