#pragma once

#include <algorithm>
#include <functional>
#include <utility>

#include "sim/world.h"

namespace firstcome::sim {

/// The life of one process as the world sees it. What the process means to do later it does only while it lives; it may
/// die before each step, and stand still between two (SIGSTOP).
///
///   Lifetime   as long as the world: calls may be on their way to a process that is gone.
class Life {
 public:
  Life(World& world, std::function<void()> on_crash) : world_(world), on_crash_(std::move(on_crash)) {}

  void begin() { alive_ = true; }

  /// False when it had ended before.
  bool end() { return std::exchange(alive_, false); }
  bool is_alive() const { return alive_; }

  /// It is about to do something, which may be its last. False when it is gone.
  bool step() {
    if (alive_ && world_.strikes(Happening::crash)) on_crash_();
    return alive_;
  }

  /// A step of this process. While it stands still, what is due waits in its order.
  void at(Micros when, World::Call call) {
    world_.at(std::max(when, still_until_), [this, call = std::move(call)]() mutable {
      if (!alive_) return;
      if (!is_still() && world_.strikes(Happening::process_stopped)) {
        world_.trace("a process is stopped");
        stand_still(world_.now() + world_.dice.between(millis(100), millis(6000)));
      }
      if (is_still()) return at(still_until_, std::move(call));
      if (step()) call();
    });
  }
  void after(Micros delay, World::Call call) { at(world_.now() + delay, std::move(call)); }

  void stand_still(Micros until) { still_until_ = std::max(still_until_, until); }
  bool is_still() const { return world_.now() < still_until_; }
  Micros still_until() const { return still_until_; }

 private:
  World& world_;
  const std::function<void()> on_crash_;
  bool alive_ = false;
  Micros still_until_ = 0;
};

}  // namespace firstcome::sim
