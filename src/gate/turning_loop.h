#pragma once

#include <functional>
#include <map>
#include <memory>

#include "base/clock.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): theirs
}

namespace firstcome {

/// A loop in the hand of a test: turns on the test's own thread, in real time.
class TurningLoop {
 public:
  TurningLoop();
  ~TurningLoop();
  TurningLoop(const TurningLoop&) = delete;
  TurningLoop& operator=(const TurningLoop&) = delete;

  boost::asio::io_context& io();

  /// What is done every 10 ms, until it is taken off.
  void on_tick(const void* whose, std::function<void()> tick) { ticks_[whose] = std::move(tick); }
  void off_tick(const void* whose) { ticks_.erase(whose); }

  /// Turns until it is so; false when it is not within `most`.
  bool turn_until(const std::function<bool()>& is_so, Millis most = Millis(10'000));
  void turn_for(Millis time) {
    turn_until([] { return false; }, time);
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::map<const void*, std::function<void()>> ticks_;
};

}  // namespace firstcome
