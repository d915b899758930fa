#pragma once

#include <memory>
#include <vector>

#include "sim/process.h"

namespace firstcome::sim {

/// The machines: each runs one process, which dies and is started again.
class Nodes {
 public:
  Nodes(World& world, const Plan& plan, Log& log, Tables& tables, Filter& filter);

  void start_all();

  /// None while that machine's process is dead.
  Process* on(std::uint32_t node) const { return running_[node]; }

  /// One that an operator may reach: none while the one that was drawn is dead or stands still.
  Process* any_api() const { return reach(world_.dice.below(plan_.apis)); }
  Process* any_issuer() const;
  std::uint32_t count() const { return plan_.nodes; }
  std::uint32_t apis() const { return plan_.apis; }
  std::uint64_t restarts() const { return made_.size() - plan_.nodes; }

  /// The planned end of one process: a kill, or an orderly one.
  void end_one();

  void jump_clock();
  void mend_clocks();

 private:
  Process* reach(std::uint32_t node) const;
  void start(std::uint32_t node);
  void crashed(std::uint32_t node);

  World& world_;
  const Plan& plan_;
  Log& log_;
  Tables& tables_;
  Filter& filter_;
  std::vector<Process*> running_;
  std::vector<Micros> clock_error_;
  std::vector<std::unique_ptr<Process>> made_;  // the dead ones too: calls may be on their way to them
};

}  // namespace firstcome::sim
