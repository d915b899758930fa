#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/tiny_world.h"

namespace firstcome::sim {

/// What was seen with a number of faults.
struct Enumerated {
  int faults = 0;
  std::uint64_t states = 0;    ///< that fewer faults do not reach
  std::uint64_t steps = 0;     ///< from them
  std::uint64_t longest = 0;   ///< of the shortest ways to a state
  std::uint64_t settling = 0;  ///< the most steps that a fair scheduler needs
};

struct Enumeration {
  std::vector<Enumerated> levels;  ///< without faults, with one, ...
  std::optional<Broken> broken;
  std::vector<std::string> story;  ///< the shortest way to what was broken, or to a lasso and once around
};

/// All schedules of a tiny world, with 0, 1, ... faults: in none a promise is broken, and from each state a fair
/// scheduler comes to the end: sealed, and everybody who keeps asking has a final answer. A state that it sees twice is
/// a lasso. The scheduler is one: it takes news first, then messages, users who ask, and time when all is quiet.
Enumeration enumerate(const TinySize& size);

}  // namespace firstcome::sim
