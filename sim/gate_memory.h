#pragma once

#include <cstdint>
#include <set>

#include "base/mutant.h"
#include "gate/gate.h"
#include "model/names.h"

namespace firstcome::sim {

/// What the gate keeps of one campaign, and what it does with it: the Function of Redis, in our words.
struct GateMemory {
  std::uint64_t generation = 0;  ///< 0: nothing is known of the campaign
  std::uint32_t limit = 0;
  std::uint32_t count = 0;
  std::set<User> users;

  /// `clock`: never twice the same, as the time of Redis.
  Admission admit(const User& user, std::uint32_t places, std::uint64_t clock) {
    if (generation == 0) *this = {.generation = clock, .limit = places, .users = {}};
    if (users.contains(user)) return Admission::again;
    if (count >= limit) return Admission::full;
    ++count;
    users.insert(user);
    return Admission::in;
  }

  /// Did this call raise the limit?
  bool widen(std::uint64_t seen, std::uint32_t places) {
    if (generation == 0 || (generation != seen && !mutant(Mutant::widen_without_generation))) return false;
    limit = count + places;
    ++generation;
    return true;
  }
};

}  // namespace firstcome::sim
