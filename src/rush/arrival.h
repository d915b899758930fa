#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "rush/dice.h"

namespace firstcome::rush {

/// How users arrive.
enum class Arrival : std::uint8_t {
  step,     ///< at the full rate from the first moment; without a rate all at once
  ramp,     ///< the rate grows evenly from nothing to the full one, then stays
  poisson,  ///< independent of one another, at the full rate on average
};

std::string_view to_string(Arrival arrival);
std::optional<Arrival> parse_arrival(std::string_view text);

/// When each claim is meant to be sent. An open loop: nothing that the server does moves these times, so that waiting
/// for a slow server counts as what it is (a closed loop would hide it).
///
///   Invariant   Times never go back; the same values and seed give the same times.
class Schedule {
 public:
  /// `rate` per second, 0 for all at once; `ramp_seconds` matters for a ramp only.
  Schedule(Arrival shape, double rate, double ramp_seconds, std::uint64_t seed);

  /// Microseconds since the start.
  std::int64_t next_us();

 private:
  Arrival shape_;
  double rate_;
  double ramp_seconds_;
  Dice dice_;
  std::uint64_t sent_ = 0;
  double poisson_seconds_ = 0;
};

/// Who arrives in which order: user 0, 1, 2, ... and between them `repeat` (0.2: a fifth) of the users once more: half
/// of these right behind their first claim, as a double click, half at any later moment. Same seed, same order.
std::vector<std::uint32_t> arrival_order(std::uint32_t users, double repeat, std::uint64_t seed);

}  // namespace firstcome::rush
