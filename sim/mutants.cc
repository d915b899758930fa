#include "sim/mutants.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "base/mutant.h"
#include "sim/run.h"
#include "sim/tally.h"

namespace firstcome::sim {

#ifdef FIRSTCOME_MUTANTS

namespace {

struct Listed {
  Mutant mutant;
  std::string_view name;
  std::string_view what;
};

// winner_before_sealed is not here: one thread cannot meet it. standings/schedules_test kills it.
constexpr Listed listed[] = {
    {Mutant::body_from_ticket, "body_from_ticket", "`won` shows the code of the ticket in hand"},
    {Mutant::waiter_by_code, "waiter_by_code", "a waiting claim is woken only by its own ticket"},
    {Mutant::answer_before_commit, "answer_before_commit", "the journal shows entries before they are durable"},
    {Mutant::join_without_end, "join_without_end", "a ticket without a fate is remembered for ever"},
    {Mutant::ticket_not_sent_again, "ticket_not_sent_again", "the next claim behind such a ticket does not append"},
    {Mutant::surplus_remembered, "surplus_remembered", "a surplus user is refused after a raise"},
    {Mutant::stale_pause_counts, "stale_pause_counts", "a resent `paused` counts"},
    {Mutant::out_of_window_remembered, "out_of_window_remembered", "who came out of the window is refused later"},
    {Mutant::fold_from_progress, "fold_from_progress", "the fold begins at the store's progress"},
    {Mutant::fence_without_chain, "fence_without_chain", "the fence compares the rank only"},
    {Mutant::fence_last, "fence_last", "the fence is checked after the coupons, without the transaction"},
    {Mutant::fault_parks, "fault_parks", "a fault of the store parks the coupon"},
    {Mutant::progress_beyond_written, "progress_beyond_written", "progress runs ahead of the coupons"},
    {Mutant::sold_out_at_full, "sold_out_at_full", "sold_out when the tickets in hand fill the quota"},
    {Mutant::closed_before_sealed, "closed_before_sealed", "closed is told before sealed, and before the winner"},
    {Mutant::unknown_kind_skipped, "unknown_kind_skipped", "an entry of a newer kind is skipped"},
    {Mutant::applied_again, "applied_again", "an applied position is applied again"},
    {Mutant::early_due_counts, "early_due_counts", "a due closing counts before closes_at"},
    {Mutant::no_widen, "no_widen", "nobody raises the gate's limit"},
    {Mutant::widen_without_generation, "widen_without_generation", "everybody who saw the same generation raises it"},
    {Mutant::again_waits, "again_waits", "`again` of the gate does not send a ticket"},
    {Mutant::gate_waited_for, "gate_waited_for", "a claim does not go on without an answer of the gate"},
    {Mutant::entry_elsewhere_counts, "entry_elsewhere_counts", "an entry counts in whichever partition it stands"},
    {Mutant::catching_up_is_fresh, "catching_up_is_fresh", "old entries that are shown late make a desk fresh"},
    {Mutant::store_read_once, "store_read_once", "an idle issuer does not look whether its rows are still there"},
    {Mutant::rate_not_held_back, "rate_not_held_back", "rows of another issuer do not count against the rate"},
    {Mutant::behind_is_corrupt, "behind_is_corrupt", "an issuer that is behind the store's rows stops for good"},
};

constexpr std::string_view page_begins =
    "# Mutants\n\n"
    "Single-line mutations of the protocol (`src/base/mutant.h`), compiled in by the preset `mutants` only. Each is "
    "run "
    "with seed 1, 2, 3 ... until\na check fails; one that survives fails the tests. This page is what "
    "`build/mutants/sim/firstcome_sim --mutant all --markdown` prints, and\n`--mutant NAME --seed S --trace` tells the "
    "story of a kill. `winner_before_sealed` is not in the table: one thread cannot meet it, and\n"
    "`src/standings/schedules_test.cc`, which enumerates the schedules of two, kills it. An unknown commit that is "
    "taken "
    "for done is no mutant:\nthe fence finds it at the next write, and the issuer at its next look into the store, 10 "
    "s "
    "later at most. `no_widen`, `sold_out_at_full`,\n`again_waits` and `body_from_ticket` are found by the enumeration "
    "of the tiny world as well ([testing](testing.md#the-tiny-world)).\n\n"
    "| mutant | what it does | killed by seed | by the check |\n| --- | --- | --- | --- |\n";

void hunt(Mutant one, std::uint64_t seeds, Tally& tally) {
  mutant_now = one;
  for (std::uint64_t seed = 1; seed <= seeds && tally.broken == 0; ++seed) {
    tally.seed_now = seed;
    tally.add(seed, run_seed(seed, nullptr));
  }
}

void print(const Listed& one, const Tally& tally, bool markdown) {
  const Tally::Failure& failure = tally.failures[0];
  if (markdown) {
    fmt::print("| {} | {} | {} | {} |\n", one.name, one.what, tally.broken ? std::to_string(failure.seed) : "survives",
               tally.broken ? failure.check : "");
  } else if (tally.broken) {
    fmt::print("{:<26} killed by seed {:<5} {}: {}\n", one.name, failure.seed, failure.check, failure.what);
  } else {
    fmt::print("{:<26} SURVIVES {} seeds\n", one.name, tally.seeds);
  }
}

void list_mutants(const std::string& instead_of) {
  fmt::print(stderr, "there is no mutant '{}'; they are:\n", instead_of);
  for (const Listed& one : listed) fmt::print(stderr, "  {:<26} {}\n", one.name, one.what);
}

}  // namespace

bool become_mutant(const std::string& name) {
  const auto* const found = std::ranges::find(listed, name, &Listed::name);
  if (found == std::end(listed)) {
    list_mutants(name);
    return false;
  }
  mutant_now = found->mutant;
  return true;
}

bool hunt_mutants(const std::string& name, std::uint64_t seeds, unsigned jobs, bool markdown) {
  std::vector<Listed> wanted;
  std::ranges::copy_if(listed, std::back_inserter(wanted),
                       [&](const Listed& one) { return name == "all" || name == one.name; });
  if (wanted.empty()) {
    list_mutants(name);
    return false;
  }
  if (markdown) fmt::print("{}", page_begins);
  std::deque<Worker> workers;
  std::size_t killed = 0, joined = 0;
  for (std::size_t started = 0; joined < wanted.size();) {
    if (started < wanted.size() && started - joined < jobs) {
      workers.emplace_back().start([&](Tally& tally) { hunt(wanted[started].mutant, seeds, tally); });
      ++started;
      continue;
    }
    workers.front().join();
    print(wanted[joined++], workers.front().tally(), markdown);
    killed += workers.front().tally().broken > 0;
    workers.pop_front();
  }
  fmt::print("{}mutants: {} of {} killed\n", markdown ? "\n" : "", killed, wanted.size());
  return killed == wanted.size();
}

#else

bool become_mutant(const std::string&) {
  fmt::print(stderr, "this program was built without mutants: cmake --preset mutants\n");
  return false;
}

bool hunt_mutants(const std::string& name, std::uint64_t, unsigned, bool) { return become_mutant(name); }

#endif

}  // namespace firstcome::sim
