#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "desk/desk.h"
#include "issuer/issuer.h"
#include "model/entry.h"
#include "sim/world.h"

namespace firstcome::sim {

/// What kind of world a seed makes: sizes, limits, campaigns, and which faults strike how often.
struct Plan {
  /// The embedded form: each node is an api and an issuer, the second one has the spare. The distributed form: `apis`
  /// nodes with desks, and after them two issuers.
  bool distributed = false;
  std::uint32_t nodes = 1;
  std::uint32_t apis = 1;
  std::uint32_t first_desks = 1;  ///< loops of the first node
  std::uint32_t partitions = 1;   ///< of the journal
  std::uint32_t users = 20;       ///< at least 20
  Micros faults_until = 0;
  std::vector<Micros> restarts;  ///< at least two, in order
  std::vector<Opened> campaigns;
  bool has_gate = false;
  std::optional<Micros> gate_gone_at;  ///< it never comes back, not even when all else heals
  std::uint32_t poisoned = 0;  ///< users of that number on, one in `poisoned`, are refused by the store; 0: none
  bool newer_entry = false;    ///< a newer node writes into the journal: everybody must stop
  bool positions_have_gaps = false;
  std::size_t mailbox_max = 64;
  std::size_t batch_max = 16;
  std::uint32_t patience = 0;  ///< thousandths of clients that obey Retry-After
  DeskLimits desk;
  IssuerSettings issuer;

  std::uint32_t desks_of(std::uint32_t node) const { return node == 0 ? first_desks : node < apis ? 1 : 0; }
  bool has_issuer(std::uint32_t node) const { return !distributed || node >= apis; }
  std::uint32_t issuers() const { return distributed ? nodes - apis : nodes; }
};

/// Draws the plan, and sets the world's faults: each seed has about half of them, from rare to frequent.
Plan draw_plan(World& world);

}  // namespace firstcome::sim
