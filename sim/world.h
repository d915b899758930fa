#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "sim/dice.h"
#include "sim/happenings.h"

namespace firstcome::sim {

/// True time of the world, in microseconds; nobody in it can read it.
using Micros = std::int64_t;

inline constexpr Micros millis(std::int64_t ms) { return ms * 1000; }

/// The first promise that was broken in a run: by which check, and how.
struct Broken {
  std::string check;
  std::string what;
};

/// Time, chance and what comes next. One thread; everything that happens is a call at a time.
class World {
 public:
  using Call = std::function<void()>;

  /// `trace`: where to write what happens, if anywhere.
  World(std::uint64_t seed, std::string* trace) : dice(seed), trace_(trace) {}

  Dice dice;
  Counts counts{};
  std::array<std::uint16_t, happenings> thousandths{};  ///< how often each fault strikes in this seed

  Micros now() const { return now_; }
  std::uint64_t steps() const { return steps_; }

  /// Calls at the same time are made in the order of at().
  void at(Micros when, Call call);
  void after(Micros delay, Call call) { at(now_ + delay, std::move(call)); }

  /// Makes the calls up to `end`. May be called from within a call: then others go on while the caller stands still.
  void run_until(Micros end);
  bool is_nested() const { return depth_ > 1; }

  /// From now on no fault strikes.
  void heal() { healed_ = true; }
  bool healed() const { return healed_; }

  /// Does this fault strike here and now?
  bool strikes(Happening fault) {
    const bool yes = !healed_ && dice.chance(thousandths[static_cast<std::size_t>(fault)]);
    if (yes) saw(fault);
    return yes;
  }
  void saw(Happening one, std::uint64_t times = 1) { counts[static_cast<std::size_t>(one)] += times; }

  void broke(std::string_view check, std::string what) {
    trace("BROKEN {}: {}", check, what);
    if (!broken_) broken_ = Broken{std::string(check), std::move(what)};
  }
  const std::optional<Broken>& broken() const { return broken_; }

  template <class... Args>
  void trace(fmt::format_string<Args...> form, Args&&... args) {
    if (!trace_) return;
    fmt::format_to(std::back_inserter(*trace_), "{:>12.6f}  ", static_cast<double>(now_) / 1e6);
    fmt::format_to(std::back_inserter(*trace_), form, std::forward<Args>(args)...);
    trace_->push_back('\n');
  }

  /// Where lines of the product's log go while this world runs (sim/log.cc).
  static World* current;

 private:
  struct Due {
    Micros when;
    std::uint64_t order;
    std::uint32_t call;
    bool operator<(const Due& other) const {  // the heap's top is the largest
      return when != other.when ? when > other.when : order > other.order;
    }
  };

  std::string* const trace_;
  Micros now_ = 0;
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  int depth_ = 0;
  bool healed_ = false;
  std::optional<Broken> broken_;
  std::vector<Due> due_;
  std::vector<Call> calls_;
  std::vector<std::uint32_t> free_calls_;
};

/// A machine's clock: true time with its own error, and its own time of start.
class SimClock final : public Clock {
 public:
  SimClock(const World& world, const Micros& error) : world_(world), error_(error), start_(world.now()) {}
  Time now() override { return wall(world_.now() + error_); }
  Uptime uptime() override { return Uptime((world_.now() - start_) / 1000); }

  /// When uptime() will reach it.
  Micros when(Uptime uptime) const { return start_ + uptime.count() * 1000; }

  static Time wall(Micros time) { return Time(Millis(1'800'000'000'000 + time / 1000)); }

 private:
  const World& world_;
  const Micros& error_;
  const Micros start_;
};

}  // namespace firstcome::sim
