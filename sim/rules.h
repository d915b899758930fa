#pragma once

#include "sim/crowd.h"

namespace firstcome::sim {

/// The checks of `verify` over the journal, the store and what the clients saw, and those that only the simulation can
/// make since it sees everything. The first that does not hold is told to the world.
void check_end(World& world, const Plan& plan, const Log& log, const Tables& tables, const Nodes& nodes,
               const Crowd& crowd);

}  // namespace firstcome::sim
