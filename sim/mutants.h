#pragma once

#include <string>

namespace firstcome::sim {

/// Runs seeds with each mutant (or the one named) until one is broken, and says which, by which check. False when a
/// mutant survives `seeds` of them.
bool hunt_mutants(const std::string& name, std::uint64_t seeds, unsigned jobs, bool markdown);

/// Makes every run from now on one with that mutant. False when there is none of that name, or none in this build.
bool become_mutant(const std::string& name);

}  // namespace firstcome::sim
