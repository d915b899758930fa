// firstcome_sim: many simulated runs, or one with its trace, or the hunt for mutants.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>
#include <vector>

#include "base/mutant.h"
#include "sim/enumerate.h"
#include "sim/mutants.h"
#include "sim/run.h"
#include "sim/tally.h"

namespace firstcome::sim {
namespace {

struct Options {
  std::uint64_t seeds = 20'000;
  std::uint64_t from = 1;
  std::uint64_t seed = 0;
  bool trace = false;
  bool markdown = false;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string mutant;
  bool enumerates = false;
  TinySize tiny;
};

/// Fewer seeds than this may miss a rare fault without any being out of order.
constexpr std::uint64_t seeds_for_every_happening = 2000;

int run_one(const Options& options) {
  std::string trace;
  const Outcome outcome = run_seed(options.seed, options.trace ? &trace : nullptr);
  fmt::print("{}", trace);
  if (outcome.broken) {
    fmt::print("seed {}: BROKEN {}: {}\n", options.seed, outcome.broken->check, outcome.broken->what);
    return 1;
  }
  fmt::print("seed {}: {} steps, {} restarts, {} users, no promise broken\n", options.seed, outcome.steps,
             outcome.restarts, outcome.users);
  return 0;
}

void print_counts(const Counts& counts) {
  for (const bool faults : {true, false}) {
    std::string line = faults ? "faults:" : "met:";
    for (std::size_t i = 0; i < happenings; ++i) {
      if (is_fault(static_cast<Happening>(i)) != faults) continue;
      if (line.size() > 100) {
        fmt::print("{}\n", line);
        line = "   ";
      }
      line += fmt::format(" {} {}", happening_names[i], counts[i]);
    }
    fmt::print("{}\n", line);
  }
}

/// 1 when something that must happen did not.
int check_happenings(const Tally& all) {
  if (all.seeds < seeds_for_every_happening) return 0;
  int missing = 0;
  for (std::size_t i = 0; i < happenings; ++i) {
    if (all.counts[i] > 0) continue;
    fmt::print("{} {} never happened in {} seeds\n", is_fault(static_cast<Happening>(i)) ? "fault" : "",
               happening_names[i], all.seeds);
    missing = 1;
  }
  return missing;
}

int check_sizes(const Tally& all) {
  fmt::print("steps: median {}, at least {}; restarts: median {}, at least {}; users: median {}, at least {}\n",
             all.median_steps(), all.steps_least, median(all.restarts), all.restarts_least, median(all.users),
             all.users_least);
  if (all.users_least >= 20 && all.restarts_least >= 2 && all.steps_least >= 200) return 0;
  fmt::print("a seed had fewer than 20 users, 2 restarts or 200 steps\n");
  return 1;
}

int run_many(const Options& options) {
  std::vector<Worker> workers(options.jobs);
  for (unsigned i = 0; i < options.jobs; ++i) {
    workers[i].start([&options, i](Tally& tally) {
      for (std::uint64_t seed = options.from + i; seed < options.from + options.seeds; seed += options.jobs) {
        tally.seed_now = seed;
        tally.add(seed, run_seed(seed, nullptr));
      }
    });
  }
  Tally all{};
  all.begin();
  for (Worker& worker : workers) {
    worker.join();
    all.add(worker.tally());
  }
  print_counts(all.counts);
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(all.broken, Tally::failures_kept); ++i) {
    const auto& failure = all.failures[i];
    fmt::print("seed {} BROKEN {}: {}\n    firstcome_sim --seed {} --trace\n", failure.seed, failure.check,
               failure.what, failure.seed);
  }
  int failed = all.broken > 0 ? 1 : 0;
  failed |= check_happenings(all);
  failed |= check_sizes(all);
  std::uint64_t faults = 0;
  for (std::size_t i = 0; i < happenings; ++i) faults += is_fault(static_cast<Happening>(i)) ? all.counts[i] : 0;
  fmt::print("sim: {} seeds, {} steps in the median, {} faults, {} broken promises\n", all.seeds, all.median_steps(),
             faults, all.broken);
  return failed;
}

int run_enumeration(const TinySize& size) {
  const Enumeration found = enumerate(size);
  for (const Enumerated& level : found.levels) {
    fmt::print("{} faults: {} states, {} steps; the farthest is {} steps away; a fair scheduler ends within {}\n",
               level.faults, level.states, level.steps, level.longest, level.settling);
  }
  if (!found.broken) return 0;
  fmt::print("BROKEN {}: {}\n", found.broken->check, found.broken->what);
  for (const std::string& step : found.story) fmt::print("    {}\n", step);
  return 1;
}

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Simulated runs of desk, standings and issuer: faults, then healing, then every check. Exit 1 when a promise is "
      "broken.",
      "firstcome_sim");
  app.add_option("--seeds", options.seeds, "How many seeds")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--from", options.from, "The first seed")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--jobs", options.jobs, "Processes at once")->check(CLI::Range(1, 256))->capture_default_str();
  auto* const seed = app.add_option("--seed", options.seed, "Run this seed only");
  app.add_flag("--trace", options.trace, "With --seed: print everything that happens")->needs(seed);
  auto* const mutant =
      app.add_option("--mutant", options.mutant,
                     "NAME or all: find the seed that kills it; with --seed: run that one (preset mutants)");
  app.add_flag("--markdown", options.markdown, "With --mutant: print the table of docs/testing-mutants.md")
      ->needs(mutant);
  auto* const tiny =
      app.add_flag("--tiny", options.enumerates, "All schedules of a tiny world instead, up to a number of faults");
  app.add_option("--faults", options.tiny.faults, "With --tiny: at most so many faults")
      ->check(CLI::Range(0, 2))
      ->capture_default_str()
      ->needs(tiny);
  CLI11_PARSE(app, argc, argv);
  if ((seed->count() > 0 || options.enumerates) && mutant->count() > 0 && !become_mutant(options.mutant)) return 1;
  if (options.enumerates) return run_enumeration(options.tiny);
  if (seed->count() > 0) return run_one(options);
  if (mutant->count() > 0) return hunt_mutants(options.mutant, options.seeds, options.jobs, options.markdown) ? 0 : 1;
  return run_many(options);
}

}  // namespace
}  // namespace firstcome::sim

int main(int argc, char** argv) { return firstcome::sim::main_of(argc, argv); }
