// That the folds are compared at all: the standings are compiled in with the mutants, and each that changes the fold
// makes the two disagree.
#include <gtest/gtest.h>

#include "base/mutant.h"
#include "verify/scene_test.h"

namespace firstcome::verify {
namespace {

using Names = std::vector<std::string>;

struct With {
  explicit With(Mutant one) { mutant_now = one; }
  ~With() { mutant_now = Mutant::none; }
};

scene::Broken broken_by(const std::vector<Entry>& more) {
  auto journal = scene::journal();
  for (const Entry& entry : more) {
    const Position position = journal.size() + 1;
    journal.push_back(
        {.position = position, .stamp = scene::at(1000 * static_cast<std::int64_t>(position)), .entry = entry});
  }
  Folds folds({}, 16);
  folds.apply(journal);
  return scene::broken(check_folds(folds));
}

TEST(FoldChecks, the_folds_agree) { EXPECT_EQ(broken_by({}).checks, Names{}); }

TEST(FoldChecks, a_remembered_surplus_user_makes_them_differ) {
  const With with(Mutant::surplus_remembered);
  const auto found = broken_by({});
  EXPECT_EQ(found.checks, (Names{"both folds agree", "sealed if and only if N ranks are held"}));
  EXPECT_NE(found.failures.find("campaign lunch: the standings have 4 winners, the naive fold 5"), std::string::npos)
      << found.failures;
  EXPECT_NE(
      found.failures.find("campaign lunch, rank 4: user erin at position 14 by the standings, user dave at position "
                          "10 by the naive fold; the chains differ"),
      std::string::npos)
      << found.failures;
}

TEST(FoldChecks, a_stale_pause_makes_them_differ) {
  const With with(Mutant::stale_pause_counts);
  const auto found = broken_by({Paused{.campaign = "lunch", .seen = 0}});
  EXPECT_EQ(found.checks, Names{"both folds agree"});
  EXPECT_NE(found.failures.find("campaign lunch: the standings have 4 changes, the naive fold 3"), std::string::npos)
      << found.failures;
}

TEST(FoldChecks, an_early_closing_makes_them_differ) {
  const With with(Mutant::early_due_counts);
  const auto found = broken_by({Closed{.campaign = "lunch", .by = ClosedBy::due}});
  EXPECT_EQ(found.checks, Names{"both folds agree"});
  EXPECT_NE(found.failures.find("campaign lunch: the folds differ in the end"), std::string::npos) << found.failures;
}

TEST(FoldChecks, processes_that_stand_elsewhere_are_named) {
  const auto journal = scene::journal();
  Folds before;
  before.apply(std::span(journal).first(9));
  const Mark at_9 = before.standings().mark(0);
  Chain other = at_9.chains;
  other[0] ^= 1;
  const std::uint64_t number = chain_number(at_9.chains);
  const Position end = journal.size();
  Folds folds;
  folds.hold_against({{.who = "right", .position = 9, .chains = at_9.chains},
                      {.who = "right too", .position = 9, .chains = {}, .number = number},
                      {.who = "split", .position = 9, .chains = other},
                      {.who = "split too", .position = 9, .chains = {}, .number = number + 1},
                      {.who = "late", .position = 8, .chains = at_9.chains},
                      {.who = "ahead", .position = end + 1, .chains = at_9.chains},
                      {.who = "in no partition", .partition = 1, .position = 9, .chains = at_9.chains}});
  folds.apply(journal);
  const Check check = folds.check_claimed();
  EXPECT_EQ(check.checked, 7U);
  const std::string of_9 = " has other standings than the journal at position 9 of partition 0";
  EXPECT_EQ(check.failures,
            (Names{"late has other standings than the journal at position 8 of partition 0", "split" + of_9,
                   "split too" + of_9, "ahead stands at position 16 of partition 0, where the journal has no entry",
                   "in no partition stands at position 9 of partition 1, where the journal has no entry"}));
}

}  // namespace
}  // namespace firstcome::verify
