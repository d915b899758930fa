#include "sim/nodes.h"

namespace firstcome::sim {

Nodes::Nodes(World& world, const Plan& plan, Log& log, Tables& tables, Filter& filter)
    : world_(world), plan_(plan), log_(log), tables_(tables), filter_(filter) {}

void Nodes::start_all() {
  for (std::uint32_t node = 0; node < plan_.nodes; ++node) start(node);
}

Process* Nodes::any() const { return running_[world_.dice.below(plan_.nodes)]; }

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
    if (!running_[0] && !running_[1] && world_.strikes(Happening::store_removed)) {
      world_.trace("store.db is removed");
      tables_.remove();
    }
    start(node);
  });
}

void Nodes::end_one() {
  Process* const process = any();
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
  for (Micros* const error : {&clock_error_[0], &clock_error_[1], &log_.clock_error, &tables_.clock_error}) {
    *error = world_.dice.between(-millis(300), millis(300));
  }
}

}  // namespace firstcome::sim
