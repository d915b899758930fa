#include "sim/nodes.h"

#include <algorithm>

namespace firstcome::sim {

Nodes::Nodes(World& world, const Plan& plan, Log& log, Tables& tables, Filter& filter)
    : world_(world),
      plan_(plan),
      log_(log),
      tables_(tables),
      filter_(filter),
      running_(plan.nodes),
      clock_error_(plan.nodes) {}

void Nodes::start_all() {
  for (std::uint32_t node = 0; node < plan_.nodes; ++node) start(node);
}

Process* Nodes::reach(std::uint32_t node) const {
  Process* const process = running_[node];
  return process && !process->life().is_still() ? process : nullptr;
}

Process* Nodes::any_issuer() const {
  const std::uint32_t first = plan_.distributed ? plan_.apis : 0;
  return reach(first + world_.dice.below(plan_.nodes - first));
}

void Nodes::start(std::uint32_t node) {
  made_.push_back(std::make_unique<Process>(world_, plan_, log_, tables_, filter_, node, clock_error_[node],
                                            [this, node] { crashed(node); }));
  running_[node] = made_.back().get();
  if (const auto started = made_.back()->start(); !started)
    world_.trace("node {} cannot start: {}", node, started.error().what);
}

void Nodes::crashed(std::uint32_t node) {
  running_[node] = nullptr;
  if (log_.newer_at != 0) return;  // it will not start again
  world_.after(world_.dice.between(millis(5), millis(1500)), [this, node] {
    world_.saw(Happening::restart);
    // Under nobody's hands: a file that is removed while a process has it open is not gone for that process.
    if (std::ranges::count(running_, nullptr) == std::ssize(running_) && world_.strikes(Happening::store_removed)) {
      world_.trace("store.db is removed");
      tables_.remove();
    }
    start(node);
  });
}

void Nodes::end_one() {
  Process* const process = running_[world_.dice.below(plan_.nodes)];
  if (!process) return world_.after(millis(20), [this] { end_one(); });
  if (world_.dice.chance(700)) {
    world_.saw(Happening::crash);
    return process->crash();
  }
  process->drain();
  world_.after(world_.dice.between(millis(10), millis(700)), [this, process] {
    if (!process->is_alive()) return end_one();
    world_.saw(Happening::drained);
    process->crash();
  });
}

void Nodes::jump_clock() {
  const auto jump = [&](Micros& error, Happening kind) {
    error = world_.dice.between(-millis(6000), millis(6000));
    world_.saw(kind);
    world_.trace("a clock jumps: {} ms off", error / 1000);
  };
  switch (world_.dice.below(3)) {
    case 0:
      return jump(clock_error_[world_.dice.below(plan_.nodes)], Happening::node_clock_jumped);
    case 1:
      return jump(log_.clock_error, Happening::journal_clock_jumped);
    default:
      return jump(tables_.clock_error, Happening::store_clock_jumped);
  }
}

void Nodes::mend_clocks() {
  const auto about_right = [&] { return world_.dice.between(-millis(300), millis(300)); };
  for (Micros& error : clock_error_) error = about_right();
  log_.clock_error = about_right();
  tables_.clock_error = about_right();
}

}  // namespace firstcome::sim
