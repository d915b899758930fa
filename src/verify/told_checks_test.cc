// Each lie that a client could be told is found; and the order check, linear in time, says what brute force says.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>

#include "verify/scene_test.h"

namespace firstcome::verify {
namespace {

using Names = std::vector<std::string>;

// Before RapidCheck reads it; RC_PARAMS from outside wins.
const int more_cases = setenv("RC_PARAMS", "max_success=5000 max_size=30", 0);

Attempt attempt(const char* user, std::int64_t call, std::int64_t returned, const char* answer, int status) {
  return {.campaign = "lunch",
          .user = user,
          .call_us = call,
          .return_us = returned,
          .status = status,
          .answer = answer,
          .rank = 0,
          .code = {},
          .quota = 0};
}
Attempt won(const char* user, std::int64_t call, std::int64_t returned, std::uint32_t rank, std::uint8_t code) {
  auto one = attempt(user, call, returned, "won", 201);
  one.rank = rank;
  one.code = to_text(scene::code_of(code));
  return one;
}
Attempt sold_out(const char* user, std::int64_t call, std::int64_t returned, std::uint32_t quota) {
  auto one = attempt(user, call, returned, "sold_out", 409);
  one.quota = quota;
  return one;
}
Attempt cut(const char* user, std::int64_t call) {
  auto one = attempt(user, call, 0, "cut", 0);
  one.return_us = {};
  return one;
}

/// What everybody in the scene's lunch may have seen.
std::vector<Attempt> honest() {
  return {won("alice", 10, 20, 1, 1),        won("bob", 11, 21, 2, 2),
          won("carol", 12, 25, 3, 4),        sold_out("dave", 13, 26, 3),
          won("dave", 30, 35, 4, 6),         cut("erin", 31),
          won("erin", 33, 40, 5, 8),         won("alice", 50, 51, 1, 1),
          sold_out("mallory", 41, 42, 5),    attempt("mallory", 5, 6, "not_open", 403),
          attempt("zoe", 1, 2, "fault", 503)};
}

scene::Broken broken_by(const std::vector<Attempt>& attempts) {
  Folds folds({}, 16);
  folds.apply(scene::journal());
  return scene::broken(check_told(folds, attempts));
}

TEST(ToldChecks, honest_histories_are_exact_and_every_answer_is_counted) {
  Folds folds({}, 16);
  folds.apply(scene::journal());
  const auto checks = check_told(folds, honest());
  EXPECT_EQ(scene::broken(checks).checks, Names{}) << scene::broken(checks).failures;
  ASSERT_EQ(checks.size(), 4U);
  EXPECT_EQ(checks[0].checked, 6U) << "won";
  EXPECT_EQ(checks[1].checked, 6U) << "won again";
  EXPECT_EQ(checks[2].checked, 2U) << "sold_out";
  EXPECT_EQ(checks[3].checked, 7U) << "five ranks and two sold_out";
}

struct Lie {
  std::string what;
  std::vector<Attempt> told;  ///< besides what is honest
  Names breaks;
  std::string names;
};

std::vector<Lie> lies() {
  auto closed = attempt("mallory", 50, 51, "closed", 410);
  auto closed_winner = attempt("alice", 50, 51, "closed", 410);
  closed_winner.campaign = "dinner";
  auto nowhere = won("alice", 50, 51, 1, 1);
  nowhere.campaign = "supper";
  auto nowhere_sold_out = sold_out("alice", 50, 51, 1);
  nowhere_sold_out.campaign = "supper";
  const Names held{"every won is held"};
  const Names held_and_same{"a user's won stays the same", "every won is held"};
  const Names refused{"sold_out and closed came true"};
  return {
      {"a won of nobody", {won("mallory", 50, 51, 6, 9)}, held, "user mallory, call at 50 us: told won with rank 6"},
      {"another rank", {won("bob", 50, 51, 3, 2)}, held_and_same, "it is rank 2"},
      {"another code", {won("bob", 50, 51, 2, 3)}, held_and_same, "user bob, call at 50 us"},
      {"a won in no campaign", {nowhere}, held, "campaign supper, user alice"},
      {"sold_out to a winner",
       {sold_out("bob", 50, 51, 3)},
       refused,
       "user bob, call at 50 us: told sold_out of 3; by the "
       "journal the user holds rank 2, position 5"},
      {"sold_out of the raised quota to one who won by the raise", {sold_out("dave", 50, 51, 5)}, refused, "rank 4"},
      {"sold_out of what never was the quota", {sold_out("mallory", 50, 51, 4)}, refused, "never was the quota"},
      {"sold_out in no campaign", {nowhere_sold_out}, refused, "campaign supper"},
      {"closed of an open campaign",
       {closed},
       refused,
       "user mallory, call at 50 us: told closed; by the journal the "
       "campaign is not closed"},
      {"closed to a winner",
       {closed_winner},
       refused,
       "campaign dinner, user alice, call at 50 us: told closed; by the "
       "journal the user holds rank 1, position 6"},
      {"sold_out before the last one came", {sold_out("mallory", 29, 32, 5)}, {}, ""},
      {"sold_out before the last one asked",
       {sold_out("mallory", 29, 30, 5)},
       {"order of arrival"},
       "told sold_out of 5 at 30 us, before rank 5 (user erin, position 14) first asked, at 31 us"},
      {"won before an earlier rank asked",
       {won("erin", 14, 29, 5, 8)},
       {"order of arrival"},
       "rank 5 (user erin, position 14) had its won at 29 us, before rank 4 (user dave"},
  };
}

TEST(ToldChecks, every_lie_is_found_and_named) {
  for (const Lie& lie : lies()) {
    auto attempts = honest();
    // The order's lie about rank 4 needs a dave who was not told sold_out, since that attempt may have been his call.
    if (lie.what.starts_with("won before")) {
      std::erase_if(attempts, [](const Attempt& one) { return one.user == "dave" && one.answer == "sold_out"; });
    }
    attempts.insert(attempts.end(), lie.told.begin(), lie.told.end());
    const auto found = broken_by(attempts);
    EXPECT_EQ(found.checks, lie.breaks) << lie.what << ": " << found.failures;
    EXPECT_NE(found.failures.find(lie.names), std::string::npos) << lie.what << ": " << found.failures;
  }
}

TEST(ToldChecks, sold_out_of_a_quota_that_was_not_reached_is_found) {
  auto told = sold_out("mallory", 50, 51, 3);
  told.campaign = "dinner";
  const auto found = broken_by({told});
  EXPECT_EQ(found.checks, Names{"sold_out and closed came true"});
  EXPECT_NE(found.failures.find("only 2 ranks are held"), std::string::npos) << found.failures;
}

TEST(OrderCheck, a_declared_skew_is_borne_and_no_more) {
  Folds folds({}, 16);
  folds.apply(scene::journal());
  const std::vector<Attempt> attempts{won("bob", 1, 20, 2, 2), won("alice", 25, 30, 1, 1)};
  using std::chrono::microseconds;
  EXPECT_FALSE(check_order(folds.naive(), attempts).ok());
  EXPECT_FALSE(check_order(folds.naive(), attempts, microseconds(4)).ok());
  EXPECT_TRUE(check_order(folds.naive(), attempts, microseconds(5)).ok());
}

TEST(OrderCheck, an_attempt_with_a_verdict_without_effect_is_no_call_but_a_cut_one_is) {
  Folds folds({}, 16);
  folds.apply(scene::journal());
  const auto order = [&](const Attempt& before) {
    return check_order(folds.naive(), std::vector{before, won("alice", 25, 30, 1, 1), won("bob", 1, 20, 2, 2)}).ok();
  };
  EXPECT_TRUE(order(cut("alice", 2)));
  EXPECT_TRUE(order(attempt("alice", 2, 3, "pending", 202)));
  EXPECT_TRUE(order(attempt("alice", 2, 3, "fault", 503)));
  EXPECT_TRUE(order(sold_out("alice", 2, 3, 1))) << "her ticket may be in flight, and a raise may come before it";
  EXPECT_FALSE(order(attempt("alice", 2, 3, "not_open", 403)));
  EXPECT_FALSE(order(attempt("alice", 2, 3, "closed", 410)));
  EXPECT_FALSE(order(attempt("alice", 2, 3, "refused", 429)));
  EXPECT_FALSE(order(attempt("alice", 2, 3, "refused", 401)));
}

TEST(OrderCheck, who_is_told_again_at_the_first_call_asked_before_the_history_begins) {
  Folds folds({}, 16);
  folds.apply(scene::journal());
  auto again = won("alice", 25, 30, 1, 1);
  again.status = 200;
  const auto bob = won("bob", 1, 20, 2, 2);
  EXPECT_TRUE(check_order(folds.naive(), std::vector{bob, again}).ok());
  EXPECT_FALSE(check_order(folds.naive(), std::vector{bob, cut("alice", 24), again}).ok()) << "the first call is known";
}

// --- Brute force ---

std::optional<std::int64_t> call_of(const std::vector<Attempt>& attempts, const std::string& user) {
  std::optional<std::int64_t> first;
  for (const auto& one : attempts) {
    const bool verdict = one.status == 403 || one.status == 410 || one.status == 429 || one.status == 404;
    if (one.user == user && !verdict && (!first || one.call_us < *first)) first = one.call_us;
  }
  // Told that he had won before, at the first call: he asked before the history begins.
  const bool began_before = first && std::ranges::all_of(attempts, [&](const Attempt& one) {
                              return one.user != user || one.call_us != *first ||
                                     (one.status >= 400 && one.status < 500 && one.status != 409) || one.status == 200;
                            });
  return began_before ? std::nullopt : first;
}

std::optional<std::int64_t> return_of(const std::vector<Attempt>& attempts, const std::string& user) {
  std::optional<std::int64_t> first;
  for (const auto& one : attempts) {
    if (one.user != user || one.answer != "won" || !one.return_us) continue;
    if (!first || *one.return_us < *first) first = one.return_us;
  }
  return first;
}

/// Anybody of ranks 1..k who first asked after `moment`.
bool somebody_asked_later(const std::vector<Attempt>& attempts, const NaiveCampaign& c, std::size_t k,
                          std::int64_t moment) {
  for (std::size_t i = 0; i < std::min(k, c.winners.size()); ++i) {
    const auto call = call_of(attempts, c.winners[i].user.str());
    if (call && *call > moment) return true;
  }
  return false;
}

std::uint64_t broken_by_brute_force(const std::vector<Attempt>& attempts, const NaiveCampaign& c, std::int64_t skew) {
  std::uint64_t broken = 0;
  for (std::size_t k = 1; k <= c.winners.size(); ++k) {
    const auto returned = return_of(attempts, c.winners[k - 1].user.str());
    if (returned && somebody_asked_later(attempts, c, k, *returned + skew)) ++broken;
  }
  for (const auto& one : attempts) {
    if (one.answer == "sold_out" && one.return_us &&
        somebody_asked_later(attempts, c, one.quota, *one.return_us + skew)) {
      ++broken;
    }
  }
  return broken;
}

/// RapidCheck narrows ranges while a case is small; here a small case is a short one.
rc::Gen<int> below(int end) { return rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, end)); }

rc::Gen<Attempt> any_attempt(int users, int times, int took_max) {
  return rc::gen::map(rc::gen::tuple(below(users), below(times), below(took_max + 1), below(10), below(7)),
                      [](const std::tuple<int, int, int, int, int>& n) {
                        static constexpr std::pair<const char*, int> kinds[] = {
                            {"won", 201},      {"won", 201},    {"won", 200},   {"sold_out", 409}, {"pending", 202},
                            {"not_open", 403}, {"closed", 410}, {"fault", 503}, {"cut", 0},        {"refused", 404}};
                        const auto& [user, call, took, kind, quota] = n;
                        auto one = attempt(("u" + std::to_string(user)).c_str(), call, call + took, kinds[kind].first,
                                           kinds[kind].second);
                        if (one.answer == "cut") one.return_us = {};
                        one.quota = static_cast<std::uint32_t>(quota);
                        return one;
                      });
}

RC_GTEST_PROP(OrderCheckProperty, says_what_brute_force_says, ()) {
  Naive naive;
  const int quota = 1 + *below(6);
  naive.apply({.position = 1,
               .stamp = {},
               .entry = Opened{.campaign = "lunch", .name = {}, .quota = static_cast<std::uint32_t>(quota)}});
  const auto tickets = *rc::gen::container<std::vector<int>>(20, below(8));
  Position position = 1;
  for (const int user : tickets) {
    naive.apply({.position = ++position,
                 .stamp = {},
                 .entry = Ticket{.campaign = "lunch", .user = "u" + std::to_string(user), .code = {}}});
  }
  // Answers that come fast, over a long time: such histories are broken more often.
  const int times = *rc::gen::element(3, 40);
  const int took_max = *rc::gen::element(0, 3, 40);
  const auto attempts = *rc::gen::container<std::vector<Attempt>>(any_attempt(8, times, took_max));
  const int skew = *below(4);
  const auto expected = broken_by_brute_force(attempts, *naive.find("lunch"), skew);
  const auto found = check_order(naive, attempts, std::chrono::microseconds(skew));
  RC_TAG(expected == 0 ? "in order" : "broken");
  RC_ASSERT(found.broken == expected);
}

}  // namespace
}  // namespace firstcome::verify
