#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "sim/world.h"

namespace firstcome::sim {

struct Outcome {
  std::optional<Broken> broken;
  std::uint64_t steps = 0;
  std::uint64_t restarts = 0;
  std::uint64_t users = 0;
  Counts counts{};
};

/// One world from one seed: faults, then healing, then every check there is. The same seed, the same steps.
Outcome run_seed(std::uint64_t seed, std::string* trace);

}  // namespace firstcome::sim
